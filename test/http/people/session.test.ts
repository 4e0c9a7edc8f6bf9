import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Redacted } from "effect"
import { readLocalSecret } from "../../../layers/local/localSecret.ts"
import { localToken } from "../../../src/domain/localToken.ts"
import { until } from "../../support/eventually.ts"
import {
  ADA,
  createAda,
  type PeopleServer,
  serveDatabase,
  signIn,
  startPeopleServer
} from "../../support/people/peopleServer.ts"
import { connect } from "../../support/postgres/database.ts"
import { PASSWORD } from "../../support/postgres/peopleProcess.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const COOKIE = "footfall_session"

let server: PeopleServer

beforeAll(async () => {
  server = await startPeopleServer()
  await createAda(server)
})

afterAll(() => server[Symbol.asyncDispose]())

describe("signing in", () => {
  test("gives the browser a cookie that scripts cannot read, and the account says who it is", async () => {
    const browser = server.browser()
    const answer = await signIn(browser, " ADA@example.com ")
    expect([answer.status, Object.keys(answer.body)]).toEqual([200, ["id"]])
    const [cookie, ...attributes] = answer.headers.get("set-cookie")!.split("; ")
    expect(cookie).toMatch(/^footfall_session=[\w-]{43}$/)
    expect(attributes).toEqual(["Path=/", "Max-Age=7776000", "HttpOnly", "SameSite=Lax"])
    expect(answer.body.id).not.toBe(browser.cookie(COOKIE))
    const account = await browser.call("GET", "/api/user/current")
    expect(account.body).toMatchObject({
      email: ADA.email,
      name: ADA.name,
      is_superuser: true,
      group_ids: [1, 2],
      session_id: answer.body.id,
      level: "write",
      site_limit: null
    })
  })

  test("with a wrong password, an unknown user or a disabled one gives the same answer", async () => {
    await server.locally(({ users }) => users.create({ email: "off@example.com", name: "Off", password: PASSWORD }))
    const off = await server.locally(({ users }) => users.list({ status: "all", query: "off@", limit: 1, offset: 0 }))
    await server.locally(({ users }) => users.disable(off.users[0]!.id))
    await server.locally(({ users }) => users.create({ email: "invited@example.com", name: "Invited" }))
    const bodies = new Set<string>()
    for (const [email, password] of [
      [ADA.email, "wrong password"],
      ["unknown@example.com", Redacted.value(PASSWORD)],
      ["off@example.com", Redacted.value(PASSWORD)],
      ["invited@example.com", Redacted.value(PASSWORD)],
      ["\u0000", "\u0000"]
    ] as const) {
      const answer = await signIn(server.browser(), email, password)
      expect([email, answer.status, answer.headers.get("set-cookie")]).toEqual([email, 401, null])
      bodies.add(answer.body.detail)
    }
    expect([...bodies]).toEqual(["There is no user with this email and password."])
    const failures = await server.locally(({ audit }) => audit.list({ limit: 10, action: "session.fail" }))
    expect(failures.map(({ targetName }) => targetName)).toEqual(["Invited", "Off", ADA.name])
  })

  test("takes as long for an unknown user as for a wrong password", async () => {
    const time = async (email: string) => {
      const begin = performance.now()
      await signIn(server.program(), email, "wrong password")
      return performance.now() - begin
    }
    const known: Array<number> = []
    const unknown: Array<number> = []
    for (let i = 0; i < 4; i++) {
      known.push(await time(ADA.email))
      unknown.push(await time(`unknown${i}@example.com`))
    }
    // Without hashing, an answer takes a few milliseconds.
    expect(Math.min(...unknown)).toBeGreaterThan(Math.min(...known) / 3)
  })

  test("replaces the session that the browser had", async () => {
    await using fresh = await startPeopleServer()
    await createAda(fresh)
    const browser = fresh.browser()
    await signIn(browser)
    const first = fresh.browser()
    first.setCookie(COOKIE, browser.cookie(COOKIE)!)
    await signIn(browser)
    expect((await first.call("GET", "/api/user/current")).status).toBe(401)
    expect((await browser.call("GET", "/api/session")).body).toHaveLength(1)
  })
})

test("too many attempts for an account, or from an address, get 429 with Retry-After, and addresses are not kept", async () => {
  await using fresh = await startPeopleServer({ TRUST_PROXY: "private" })
  await createAda(fresh)
  const attempt = (email: string, address: string) =>
    fresh.program().call("POST", "/api/session", {
      body: { username: email, password: "x" },
      headers: { "x-forwarded-for": address }
    })
  const statuses: Array<number> = []
  for (let i = 0; i < 12; i++) statuses.push((await attempt(ADA.email, `203.0.113.${i}`)).status)
  expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429])
  const refused = await attempt(" ADA@EXAMPLE.COM", "203.0.113.99")
  expect([refused.status, refused.body.title]).toEqual([429, "Too Many Requests"])
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(30)
  // The right password does not help, so that an attacker does not learn that it is right.
  expect((await signIn(fresh.program())).status).toBe(429)
  const others = await Promise.all(
    Array.from({ length: 60 }, (_, i) => attempt(`somebody${i}@example.com`, `2001:db8:1:1::${i + 1}`))
  )
  const counts = Map.groupBy(others, ({ status }) => status)
  expect(counts.get(429)?.length).toBe(10)
  await using database = await connect(Redacted.value(fresh.database))
  const [row] = await database.query<{ all: string }>(
    "SELECT json_agg(a)::text || coalesce((SELECT json_agg(s)::text FROM product_analytics_user_session s), '') AS all FROM product_analytics_audit a"
  )
  expect(row?.all).not.toMatch(/203\.0\.113|2001:db8|127\.0\.0\.1/)
})

describe("a session", () => {
  test("is listed and can be ended, by its user and by an administrator, also in other processes", async () => {
    await using other = await serveDatabase(server.database)
    await server.locally(({ users }) => users.create({ email: "bob@example.com", name: "Bob", password: PASSWORD }))
    const [laptop, phone] = [server.browser({ "user-agent": "Laptop" }), server.browser({ "user-agent": "Phone" })]
    await signIn(laptop, "bob@example.com")
    await signIn(phone, "bob@example.com")
    const { body: sessions } = await laptop.call("GET", "/api/session")
    expect(
      sessions
        .map((session: { user_agent: string; is_current: boolean }) => [session.user_agent, session.is_current])
        .toSorted()
    ).toEqual([
      ["Laptop", true],
      ["Phone", false]
    ])
    const elsewhere = other.browser()
    elsewhere.setCookie(COOKIE, phone.cookie(COOKIE)!)
    expect((await elsewhere.call("GET", "/api/user/current")).status).toBe(200)
    const phoneId = sessions.find(({ is_current }: { is_current: boolean }) => !is_current).id
    expect((await laptop.call("DELETE", `/api/session/${phoneId}`)).body).toEqual({ id: phoneId, ended: true })
    expect((await phone.call("GET", "/api/user/current")).status).toBe(401)
    await until(
      "the other process rejects it",
      async () => (await elsewhere.call("GET", "/api/session")).status === 401
    )

    const ada = server.browser()
    await signIn(ada)
    const { body: mine } = await ada.call("GET", "/api/session")
    const own = mine.find(({ is_current }: { is_current: boolean }) => is_current).id
    expect((await laptop.call("DELETE", `/api/session/${own}`)).status).toBe(404)
    const { body: users } = await ada.call("GET", "/api/user?query=bob")
    const { body: theirs } = await ada.call("GET", `/api/user/${users.data[0].id}/session`)
    expect((await ada.call("DELETE", `/api/session/${theirs[0].id}`)).status).toBe(200)
    expect((await laptop.call("GET", "/api/user/current")).status).toBe(401)
  })

  test("ends when its user signs out, and the cookie with it", async () => {
    const browser = server.browser()
    await signIn(browser)
    const answer = await browser.call("DELETE", "/api/session")
    expect([answer.status, answer.body, answer.headers.get("set-cookie")]).toEqual([
      200,
      { sign_out_url: null },
      "footfall_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    ])
    expect((await browser.call("DELETE", "/api/session")).status).toBe(401)
  })

  test("ends everywhere when its user is disabled", async () => {
    const bob = await server.locally(({ users }) =>
      users.create({ email: "gone@example.com", name: "Gone", password: PASSWORD })
    )
    const browser = server.browser()
    await signIn(browser, "gone@example.com")
    expect((await browser.call("GET", "/api/user/current")).status).toBe(200)
    const ada = server.browser()
    await signIn(ada)
    expect((await ada.call("DELETE", `/api/user/${bob.id}`)).body.is_active).toBe(false)
    await until("the session ends", async () => (await browser.call("GET", "/api/user/current")).status === 401)
  })
})

describe("a change with a session", () => {
  const change = (headers: Readonly<Record<string, string>>) => ({ body: { theme: "dark" }, headers })

  test("is accepted only with proof that it comes from a page of this server", async () => {
    const browser = server.browser()
    await signIn(browser)
    const session = browser.cookie(COOKIE)!
    const put = async (headers: Readonly<Record<string, string>>) => {
      const client = server.program()
      client.setCookie(COOKIE, session)
      return (await client.call("PUT", "/api/user/current", change(headers))).status
    }
    expect(await put({ "sec-fetch-site": "same-origin" })).toBe(200)
    expect(await put({ origin: server.url })).toBe(200)
    for (const site of ["cross-site", "same-site", "none"]) {
      expect([site, await put({ "sec-fetch-site": site, origin: server.url })]).toEqual([site, 403])
    }
    for (const origin of [
      "null",
      "https://evil.example",
      server.url.replace("127.0.0.1", "localhost"),
      `${server.url}.evil.example`,
      server.url.replace(/:\d+$/, ":1"),
      "file://",
      "not an origin"
    ]) {
      expect([origin, await put({ origin })]).toEqual([origin, 403])
    }
    expect(await put({})).toBe(403)
    expect(await put({ origin: "https://stats.example", "x-forwarded-host": "stats.example" })).toBe(200)
  })

  test("reading needs no proof, and a program with a key neither", async () => {
    const browser = server.browser()
    await signIn(browser)
    const client = server.program()
    client.setCookie(COOKIE, browser.cookie(COOKIE)!)
    expect((await client.call("GET", "/api/user", { headers: { "sec-fetch-site": "cross-site" } })).status).toBe(200)
    const { key } = await server.locally(({ keys }) =>
      keys.create("ci", { role: "admin", isReadOnly: false, group: null })
    )
    const created = await server.program(key).call("POST", "/api/permissions/group", {
      body: { name: "From a key" },
      headers: { origin: "https://x.example" }
    })
    expect(created.status).toBe(200)
  })

  test("must be JSON, so that a form of another site is rejected before anything else", async () => {
    const browser = server.browser()
    await signIn(browser)
    for (const type of ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]) {
      const answer = await browser.call("PUT", "/api/user/current", {
        body: '{"theme":"dark"}',
        headers: { "content-type": type }
      })
      expect([type, answer.status]).toEqual([type, 415])
    }
  })

  test("signing in from a page of another site is refused, so that no visitor is signed in as somebody else", async () => {
    const answer = await server
      .browser({ origin: "https://evil.example", "sec-fetch-site": "cross-site" })
      .call("POST", "/api/session", { body: { username: ADA.email, password: Redacted.value(PASSWORD) } })
    expect([answer.status, answer.headers.get("set-cookie")]).toEqual([403, null])
  })
})

describe("over HTTPS", () => {
  test("the cookie is Secure and bound to the host, and one without the prefix is ignored", async () => {
    const https = { "x-forwarded-proto": "https", origin: server.url.replace("http:", "https:") }
    const browser = server.browser(https)
    const answer = await signIn(browser)
    expect(answer.headers.get("set-cookie")).toMatch(
      /^__Host-footfall_session=[\w-]{43}; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax; Secure$/
    )
    expect((await browser.call("GET", "/api/user/current")).status).toBe(200)
    const planted = server.browser(https)
    planted.setCookie(COOKIE, browser.cookie(`__Host-${COOKIE}`)!)
    expect((await planted.call("GET", "/api/user/current")).status).toBe(401)
    const plainOrigin = server.program()
    plainOrigin.setCookie(`__Host-${COOKIE}`, browser.cookie(`__Host-${COOKIE}`)!)
    const mixed = { "x-forwarded-proto": "https", origin: server.url }
    expect((await plainOrigin.call("PUT", "/api/user/current", { body: {}, headers: mixed })).status).toBe(403)
  })

  test("below a path, the cookie is for this path only", async () => {
    await using below = await serveDatabase(server.database, {
      BASE_PATH: "/stats",
      PUBLIC_URL: "https://shop.example"
    })
    const browser = below.browser({ host: "shop.example" })
    const answer = await browser.call("POST", "/stats/api/session", {
      body: { username: ADA.email, password: Redacted.value(PASSWORD) }
    })
    expect(answer.headers.get("set-cookie")).toMatch(/^__Secure-footfall_session=[\w-]{43}; Path=\/stats; .*; Secure$/)
    expect((await browser.call("GET", "/stats/api/user/current")).status).toBe(200)
  })
})

describe("a command on the same machine", () => {
  const current = async () => localToken((await readLocalSecret(server.folder))!, Date.now())

  test("needs no key if it can read the server's folder", async () => {
    expect((await server.program(await current()).call("GET", "/api/user")).status).toBe(200)
    expect((await server.program(await current()).call("GET", "/api/user/current")).status).toBe(403)
  })

  test("is rejected with an old or wrong token, and through a proxy", async () => {
    const secret = (await readLocalSecret(server.folder))!
    for (const token of [
      localToken(secret, Date.now() - 61_000),
      localToken(secret, Date.now() + 61_000),
      localToken(`${secret}x`, Date.now()),
      `${await current()}0`,
      "ffl_",
      secret
    ]) {
      expect([token, (await server.program(token).call("GET", "/api/user")).status]).toEqual([token, 401])
    }
    for (const name of ["x-forwarded-for", "forwarded", "x-real-ip"]) {
      const headers = { [name]: "127.0.0.1" }
      expect((await server.program(await current()).call("GET", "/api/user", { headers })).status).toBe(401)
    }
  })
})
