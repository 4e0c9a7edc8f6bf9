import { describe, expect, test } from "bun:test"
import { Redacted, Result } from "effect"
import { parseDatabaseUrl } from "../../../../layers/postgres/client/url/DatabaseTarget.ts"
import { PARAMETERS } from "../../../../layers/postgres/client/url/parameters.ts"

const parse = (url: string) => {
  const { password, ...target } = Result.getOrThrow(parseDatabaseUrl(url))
  return { ...target, password: password === undefined ? undefined : Redacted.value(password) }
}

const problem = (url: string): string => {
  const result = parseDatabaseUrl(url)
  return Result.isFailure(result) ? result.failure : "none"
}

describe("parseDatabaseUrl", () => {
  test("a plain URL has one server, and everything else is libpq's default", () => {
    expect(parse("postgresql://ann:p%23w%2F%3F%40%25@db.example:6543/shop")).toEqual({
      servers: [{ host: "db.example", port: 6543 }],
      username: "ann",
      password: "p#w/?@%",
      database: "shop",
      applicationName: undefined,
      options: undefined,
      connectTimeoutSeconds: undefined,
      tlsMode: undefined,
      rootCertificate: undefined,
      certificate: undefined,
      key: undefined,
      primaryOnly: false,
      pooled: false
    })
  })

  test("the database is named after the role by default", () => {
    expect(parse("postgres://ann@db.example").database).toBe("ann")
  })

  test.each([
    ["postgres://a@one,two:6000,[2001:db8::1]:7000/d", ["one:5432", "two:6000", "2001:db8::1:7000"]],
    ["postgres://a@/d?host=/run/postgresql", ["/run/postgresql:5432"]],
    ["postgres:///d?host=/run/postgresql&port=5433", ["/run/postgresql:5433"]],
    ["postgres://a@%2Frun%2Fpostgresql/d", ["/run/postgresql:5432"]],
    ["postgres://a@ignored:1/d?host=one,two&port=1111,2222", ["one:1111", "two:2222"]],
    ["postgres://a@one,two/d?port=1111", ["one:1111", "two:1111"]],
    ["postgres:///d", ["localhost:5432"]]
  ])("the servers of %p are %p", (url, servers) => {
    expect(parse(url).servers.map(({ host, port }) => `${host}:${port}`)).toEqual(servers)
  })

  test("every supported parameter has its meaning", () => {
    const given = {
      user: "ben",
      password: "s3cret",
      dbname: "shop",
      application_name: "collector",
      connect_timeout: "7",
      options: "-c search_path=footfall",
      sslmode: "verify-full",
      sslrootcert: "/root.pem",
      sslcert: "/client.pem",
      sslkey: "/client.key",
      target_session_attrs: "primary",
      channel_binding: "prefer",
      pgbouncer: "true",
      ssl: "true",
      host: "db.example",
      port: "6000"
    }
    expect(Object.keys(given).sort()).toEqual(Object.keys(PARAMETERS).sort())
    const query = Object.entries(given).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    expect(parse(`postgres://ann:other@elsewhere/nowhere?${query.join("&")}`)).toEqual({
      servers: [{ host: "db.example", port: 6000 }],
      username: "ben",
      password: "s3cret",
      database: "shop",
      applicationName: "collector",
      options: "-c search_path=footfall",
      connectTimeoutSeconds: 7,
      tlsMode: "verify-full",
      rootCertificate: "/root.pem",
      certificate: "/client.pem",
      key: "/client.key",
      primaryOnly: true,
      pooled: true
    })
  })

  test.each([
    ["ssl=true", "require"],
    ["sslrootcert=system", "verify-full"],
    ["sslmode=allow", "allow"]
  ])("?%s means sslmode=%s", (query, mode) => {
    expect(parse(`postgres://a@h/d?${query}`).tlsMode).toBe(mode as "require")
  })

  test.each([
    ["postgres://ann:se#cret@h/d", /^a "#" that belongs to the user or the password must be written as %23$/],
    ["postgres://ann:se/cret@h/d", /^a "\/" .* must be written as %2F$/],
    ["postgres://ann:123/cret@h/d", /^a "\/" .* must be written as %2F$/],
    ["postgres://ann:se?cret@h/d", /^a "\?" .* must be written as %3F$/],
    ["postgres://ann:50%cret@h/d", /^a "%" .* must be written as %25$/],
    [
      "postgres://ann:secret@h/d?schema=x",
      /^it has the parameter "schema", .*options=-c%20search_path.*Supported: host, port/
    ],
    [
      "postgres://ann:secret@h/d?sslmod=require",
      /^it has the parameter "sslmod", which Footfall does not support\. Remove it\./
    ],
    ["postgres://ann:secret@h/d?constructor=1", /^it has the parameter "constructor"/],
    ["postgres://ann:secret@h/d?sslmode=on", /^its parameter sslmode is "on"; it accepts disable, allow, prefer/],
    ["postgres://ann:secret@h/d?ssl=false", /^its parameter ssl is "false"; it accepts true$/],
    ["postgres://ann:secret@h/d?target_session_attrs=standby", /^its parameter target_session_attrs is "standby"/],
    ["postgres://ann:secret@h/d?channel_binding=require", /^its parameter channel_binding is "require"/],
    ["postgres://ann:secret@h/d?sslrootcert=system&sslmode=require", /requires sslmode=verify-full; it is require/],
    ["postgres://ann:secret@h:0/d", /^its port is 0/],
    ["postgres://ann:secret@h:port/d", /^its host and port can't be read/],
    ["postgres://ann:secret@a,b/d?port=1,2,3", /^it has 2 hosts and 3 ports/],
    ["mysql://ann:secret@h/d", /^it must begin with postgres:\/\/$/]
  ])("%p is refused with a message that does not contain the password", (url, message) => {
    expect(problem(url)).toMatch(message)
    expect(problem(url)).not.toMatch(/secret|cret/)
  })

  test("an @ in the value of a parameter is not taken for the end of the password", () => {
    expect(parse("postgres://h/d?user=ann@team").username).toBe("ann@team")
  })
})
