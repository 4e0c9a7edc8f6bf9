import { userInfo } from "node:os"
import { Redacted, Result } from "effect"
import { parameterProblem } from "./parameters.ts"

/** A server to try. A host that begins with `/` is the folder of a Unix socket. */
export interface Server {
  readonly host: string
  readonly port: number
}

/** libpq's six modes of TLS. */
export type TlsMode = "disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full"

/** What `DATABASE_URL` says. */
export interface DatabaseTarget {
  /** In the order in which they are tried; at least one. */
  readonly servers: ReadonlyArray<Server>
  readonly username: string
  readonly password: Redacted.Redacted | undefined
  readonly database: string
  readonly applicationName: string | undefined
  /** Server options, such as `-c search_path=footfall`. */
  readonly options: string | undefined
  /** For each server; undefined: our own limit. */
  readonly connectTimeoutSeconds: number | undefined
  /** Undefined: libpq's default, which depends on `rootCertificate`. */
  readonly tlsMode: TlsMode | undefined
  /** A file, or `system`. */
  readonly rootCertificate: string | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
  /** Whether a server that accepts writes must also not be in recovery (`target_session_attrs=primary`). */
  readonly primaryOnly: boolean
  /**
   * Whether a pooler lends a connection for one transaction (`pgbouncer=true`, which Prisma and Umami use too): connections have no
   * prepared statements and no settings.
   */
  readonly pooled: boolean
}

const DEFAULT_PORT = 5432
const SCHEME = /^postgres(?:ql)?:\/\//
/** A server of the authority: a name, an address, one in brackets or a percent-encoded path, and a port. */
const SERVER = /^(\[[0-9a-fA-F:.%]+\]|[^[\]:@]*)(?::(\d{0,5}))?$/

/** How a character that ends a part of a URL is written inside a password. */
const ENCODED: Readonly<Record<string, string>> = { "#": "%23", "/": "%2F", "?": "%3F", "@": "%40", "%": "%25" }

const mustEncode = (character: string): string =>
  `a ${JSON.stringify(character)} that belongs to the user or the password must be written as ${ENCODED[character]}`

interface Parts {
  readonly credentials: string
  readonly authority: string
  readonly path: string
  readonly query: string
}

/**
 * The parts of a URL. Without an `@` before the path, but with one later on, the password has a character that ends the authority; a `#`
 * never belongs to a database URL.
 */
const split = (url: string): Result.Result<Parts, string> => {
  const rest = url.replace(SCHEME, "")
  if (rest.length === url.length) return Result.fail("it must begin with postgres://")
  if (rest.includes("#")) return Result.fail(mustEncode("#"))
  const end = rest.search(/[/?]/)
  const authority = end === -1 ? rest : rest.slice(0, end)
  const tail = end === -1 ? "" : rest.slice(end)
  const question = tail.indexOf("?")
  const path = question === -1 ? tail : tail.slice(0, question)
  const query = question === -1 ? "" : tail.slice(question + 1)
  const at = authority.lastIndexOf("@")
  // A parameter's value may hold an "@", its name cannot.
  if (at === -1 && `${path}?${query.split("=", 1)[0]}`.includes("@")) return Result.fail(mustEncode(rest[end]!))
  return Result.succeed({
    credentials: authority.slice(0, Math.max(at, 0)),
    authority: authority.slice(at + 1),
    path,
    query
  })
}

const decode = (value: string): Result.Result<string, string> =>
  Result.try({ try: () => decodeURIComponent(value), catch: () => mustEncode("%") })

/** The parameters by name. A `+` is itself, as in libpq, not a space. */
const parseQuery = (query: string): Result.Result<ReadonlyMap<string, string>, string> =>
  Result.gen(function* () {
    const parameters = new Map<string, string>()
    for (const pair of query.split("&")) {
      if (pair === "") continue
      const equals = pair.indexOf("=")
      if (equals === -1) {
        return yield* Result.fail(
          'a parameter after the "?" has no value; a "?" that belongs to the password must be written as %3F'
        )
      }
      const name = yield* decode(pair.slice(0, equals))
      const value = yield* decode(pair.slice(equals + 1))
      const problem = parameterProblem(name, value)
      if (problem !== null) return yield* Result.fail(problem)
      parameters.set(name, value)
    }
    return parameters
  })

/** The authority's hosts and ports, each in its place; an empty host or port is "". */
const parseAuthority = (
  authority: string
): Result.Result<{ readonly hosts: Array<string>; readonly ports: Array<string> }, string> =>
  Result.gen(function* () {
    const hosts: Array<string> = []
    const ports: Array<string> = []
    for (const part of authority.split(",")) {
      const match = SERVER.exec(part)
      // The part is not shown: it may be half a password.
      if (match === null)
        return yield* Result.fail("its host and port can't be read: write HOST:PORT, with an IPv6 address in brackets")
      const host = match[1]!
      hosts.push(host.startsWith("[") ? host.slice(1, -1) : yield* decode(host))
      ports.push(match[2] ?? "")
    }
    return { hosts, ports }
  })

const parseServers = (
  authority: string,
  parameters: ReadonlyMap<string, string>
): Result.Result<ReadonlyArray<Server>, string> =>
  Result.gen(function* () {
    const given = yield* parseAuthority(authority)
    const hosts = parameters.get("host")?.split(",") ?? given.hosts
    const ports =
      parameters.get("port")?.split(",") ??
      (parameters.has("host") && given.hosts.length !== hosts.length ? [""] : given.ports)
    if (ports.length !== 1 && ports.length !== hosts.length) {
      return yield* Result.fail(
        `it has ${hosts.length} hosts and ${ports.length} ports; write one port, or one for each host`
      )
    }
    const servers: Array<Server> = []
    for (const [index, host] of hosts.entries()) {
      const port = Number((ports.length === 1 ? ports[0] : ports[index]) || DEFAULT_PORT)
      if (port < 1 || port > 65_535) return yield* Result.fail(`its port is ${port}; it accepts 1 to 65535`)
      servers.push({ host: host === "" ? "localhost" : host, port })
    }
    return servers
  })

const tlsModeOf = (parameters: ReadonlyMap<string, string>): Result.Result<TlsMode | undefined, string> => {
  const mode = (parameters.get("sslmode") ?? (parameters.has("ssl") ? "require" : undefined)) as TlsMode | undefined
  if (parameters.get("sslrootcert") !== "system") return Result.succeed(mode)
  // Anyone can get a certificate of a public authority, so checking only that has no use.
  return mode === undefined || mode === "verify-full"
    ? Result.succeed("verify-full")
    : Result.fail(`sslrootcert=system requires sslmode=verify-full; it is ${mode}`)
}

/** Reads a database URL. Fails with the problem as the end of a sentence, which never contains the password. */
export const parseDatabaseUrl = (url: string): Result.Result<DatabaseTarget, string> =>
  Result.gen(function* () {
    const { authority, credentials, path, query } = yield* split(url)
    const parameters = yield* parseQuery(query)
    const colon = credentials.indexOf(":")
    const username = yield* decode(colon === -1 ? credentials : credentials.slice(0, colon))
    const password = parameters.get("password") ?? (colon === -1 ? "" : yield* decode(credentials.slice(colon + 1)))
    const user = parameters.get("user") ?? (username || userInfo().username)
    const seconds = Number(parameters.get("connect_timeout") ?? 0)
    return {
      servers: yield* parseServers(authority, parameters),
      username: user,
      password: password === "" ? undefined : Redacted.make(password),
      database: parameters.get("dbname") ?? ((yield* decode(path.slice(1))) || user),
      applicationName: parameters.get("application_name"),
      options: parameters.get("options"),
      connectTimeoutSeconds: seconds === 0 ? undefined : seconds,
      tlsMode: yield* tlsModeOf(parameters),
      rootCertificate: parameters.get("sslrootcert"),
      certificate: parameters.get("sslcert"),
      key: parameters.get("sslkey"),
      primaryOnly: parameters.get("target_session_attrs") === "primary",
      pooled: parameters.get("pgbouncer") === "true"
    }
  })

/** A server for messages: `host:port`, or the folder of its socket. */
export const serverName = ({ host, port }: Server): string =>
  host.startsWith("/") ? host : host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
