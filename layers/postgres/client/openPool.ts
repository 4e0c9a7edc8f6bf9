import { readFileSync } from "node:fs"
import { PgClient, PgTypes } from "@effect/sql-pg"
import { Effect, Redacted, Schedule, type Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import type { SqlError } from "effect/sql"
import { StartError } from "../../../src/domain/StartError.ts"
import { sqlCode, sqlMessage } from "./sqlErrors.ts"

/** A server on a good network answers in milliseconds; a packet filter that drops packets must not delay a start for long. */
const CONNECT_TIMEOUT = "5 seconds"
/** How long to wait for a server that reports that it is starting up or recovering. */
const STARTING_SERVER_TIMEOUT = "60 seconds"
/** Firewalls and cloud load balancers silently drop TCP connections that are idle for some minutes. */
const KEEP_ALIVE = "30 seconds"
/** The oldest version that the migrations and tests run on, as `server_version_num` has it. */
const OLDEST_SERVER = 150_000

/** Where the app database is. */
export interface DatabaseAddress {
  readonly url: Redacted.Redacted<string>
  /** Whether it is the embedded Postgres of `DATA_DIR`, not `DATABASE_URL`. */
  readonly embedded: boolean
}

/** A URL's server for messages: `host:port`, or the folder of its socket. Never contains the user or password. */
export const serverOf = (url: Redacted.Redacted<string>): string => {
  const parsed = URL.parse(Redacted.value(url))
  if (parsed === null) return "an unreadable address"
  const host = parsed.searchParams.get("host") ?? (parsed.hostname || "localhost")
  return host.startsWith("/") ? host : `${host}:${parsed.searchParams.get("port") ?? (parsed.port || "5432")}`
}

/** libpq's meaning of `sslmode`: only `verify-ca` and `verify-full` check the certificate, against `sslrootcert` if set. */
const tlsOptions = (query: URLSearchParams): Pick<PgClient.PgPoolConfig, "ssl"> => {
  const mode = query.get("sslmode")
  const root = query.get("sslrootcert")
  if (mode === "require" && root === null) return { ssl: { rejectUnauthorized: false } }
  if (root !== null && mode !== null && ["require", "verify-ca", "verify-full"].includes(mode)) {
    return { ssl: { ca: readFileSync(root) } }
  }
  return {}
}

/**
 * The options that all connections share. `?pgbouncer=true`, which Prisma and Umami use too, is for poolers that lend a connection
 * for one transaction: without prepared statements and session settings.
 */
const poolOptions = (
  url: Redacted.Redacted<string>,
  session: Readonly<Record<string, string>>
): Effect.Effect<PgClient.PgPoolConfig, StartError> =>
  Effect.try({
    try: (): PgClient.PgPoolConfig => {
      const query = new URL(Redacted.value(url)).searchParams
      const pooled = query.get("pgbouncer") === "true"
      return {
        url,
        ...tlsOptions(query),
        applicationName: "footfall",
        types: PgTypes.makeRegistry(),
        connectTimeout: CONNECT_TIMEOUT,
        keepAlive: KEEP_ALIVE,
        prepare: !pooled,
        startupParameters: pooled ? {} : session
      }
    },
    catch: (cause) => new StartError({ message: `DATABASE_URL can't be used: ${String(cause)}` })
  })

const cannotConnect = ({ embedded, url }: DatabaseAddress, error: SqlError.SqlError): StartError =>
  new StartError({
    message: embedded
      ? `Can't connect to the embedded Postgres at ${serverOf(url)}: ${sqlMessage(error)}.`
      : `Can't connect to the Postgres of DATABASE_URL at ${serverOf(url)}: ${sqlMessage(error)}.`
  })

/** `cannot_connect_now`: the server is starting up, shutting down or recovering. */
const CANNOT_CONNECT_NOW = "57P03"

/**
 * A pool of connections to a database, migrated or not. Fails if the server is unreachable or too old.
 *
 * @param session Settings of each connection, such as `statement_timeout`.
 */
export const openPool = Effect.fnUntraced(function* (
  address: DatabaseAddress,
  session: Readonly<Record<string, string>>,
  maxConnections: number,
  /** How many stay open while unused. */
  minConnections = 0
): Effect.fn.Return<PgClient.PgClient, StartError, Scope.Scope> {
  const options = yield* poolOptions(address.url, session)
  const sql = yield* PgClient.make({ ...options, minConnections, maxConnections }).pipe(
    Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make),
    Effect.mapError((error) => cannotConnect(address, error))
  )
  const rows = yield* sql
    .unsafe<{ version: number }>("SELECT current_setting('server_version_num')::int AS version")
    .pipe(
      Effect.retry({
        while: (error) => sqlCode(error) === CANNOT_CONNECT_NOW,
        schedule: Schedule.spaced("200 millis").pipe(Schedule.upTo({ duration: STARTING_SERVER_TIMEOUT }))
      }),
      Effect.mapError((error) => cannotConnect(address, error))
    )
  const version = rows[0]?.version ?? 0
  if (version < OLDEST_SERVER) {
    return yield* new StartError({
      message: `The Postgres at ${serverOf(address.url)} is version ${Math.floor(version / 10_000)}; Footfall requires ${OLDEST_SERVER / 10_000} or newer.`
    })
  }
  return sql
})
