import { readFileSync } from "node:fs"
import { PgClient, PgTypes } from "@effect/sql-pg"
import { Effect, Layer, Redacted, Schedule, type Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import type { SqlError } from "effect/sql"
import { StartError } from "../../../src/domain/StartError.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { fromEnvironment } from "../../../src/settings/environment.ts"
import {
  DATA_DIR,
  DATABASE_POOL_SIZE,
  DATABASE_URL,
  STORAGE_IN_FLIGHT,
  STORAGE_TIMEOUT_SECONDS
} from "../../../src/settings/settings.ts"
import { startEmbeddedPostgres } from "../embedded/EmbeddedPostgres.ts"
import { AppDatabase, DatabaseUrl, WriterDatabase } from "./Database.ts"
import { migrate } from "./migrate.ts"
import { sqlCode, sqlMessage } from "./sqlErrors.ts"

/** A server on a good network answers in milliseconds; a packet filter that drops must not hold a start up for long. */
const CONNECT_TIMEOUT = "5 seconds"
/** How long to wait for a server that says it is starting up or recovering. */
const STARTING_SERVER_TIMEOUT = "60 seconds"
/** Idle TCP connections through firewalls and cloud balancers are dropped silently after some minutes. */
const KEEP_ALIVE = "30 seconds"
/** Oldest server that the migrations and the tests were run on. */
const OLDEST_SERVER = 150_000

/** The URL's place for messages: `host:port`, or the socket's folder; never user or password. */
export const placeOf = (url: Redacted.Redacted<string>): string => {
  const parsed = URL.parse(Redacted.value(url))
  if (parsed === null) return "an address that can't be read"
  const host = parsed.searchParams.get("host") ?? (parsed.hostname || "localhost")
  return host.startsWith("/") ? host : `${host}:${parsed.searchParams.get("port") ?? (parsed.port || "5432")}`
}

/** libpq's meaning of `sslmode`: only `verify-ca` and `verify-full` check the certificate, against `sslrootcert` if given. */
const tlsOf = (query: URLSearchParams): Pick<PgClient.PgPoolConfig, "ssl"> => {
  const mode = query.get("sslmode")
  const root = query.get("sslrootcert")
  if (mode === "require" && root === null) return { ssl: { rejectUnauthorized: false } }
  if (root !== null && mode !== null && ["require", "verify-ca", "verify-full"].includes(mode)) {
    return { ssl: { ca: readFileSync(root) } }
  }
  return {}
}

/**
 * What every connection of ours has in common. `?pgbouncer=true`, as Prisma and Umami write it, is for poolers that lend a
 * connection for one transaction: no named statements, no session settings.
 */
const connection = (
  url: Redacted.Redacted<string>,
  session: Readonly<Record<string, string>>
): Effect.Effect<PgClient.PgPoolConfig, StartError> =>
  Effect.try({
    try: (): PgClient.PgPoolConfig => {
      const query = new URL(Redacted.value(url)).searchParams
      const pooled = query.get("pgbouncer") === "true"
      return {
        url,
        ...tlsOf(query),
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

const cannotConnect = (url: DatabaseUrl["Service"], error: SqlError.SqlError): StartError => {
  const place = placeOf(url.url)
  return new StartError({
    message: url.embedded
      ? `Can't connect to the embedded Postgres at ${place}: ${sqlMessage(error)}.`
      : `Can't connect to the Postgres that DATABASE_URL names, ${place}: ${sqlMessage(error)}.`
  })
}

/** `cannot_connect_now`: the server is starting up, shutting down or recovering. */
const CANNOT_CONNECT_NOW = "57P03"

/** Connections to a database that may not be migrated yet; fails when it is not there, or too old. */
export const open = Effect.fnUntraced(function* (
  url: DatabaseUrl["Service"],
  session: Readonly<Record<string, string>>,
  connections: number,
  /** How many stay open although nobody uses them. */
  kept = 0
): Effect.fn.Return<PgClient.PgClient, StartError, Scope.Scope> {
  const config = yield* connection(url.url, session)
  const sql = yield* PgClient.make({
    ...config,
    minConnections: kept,
    maxConnections: connections
  }).pipe(
    Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make),
    Effect.mapError((error) => cannotConnect(url, error))
  )
  const version = yield* sql
    .unsafe<{ version: number }>("SELECT current_setting('server_version_num')::int AS version")
    .pipe(
      Effect.retry({
        while: (error) => sqlCode(error) === CANNOT_CONNECT_NOW,
        schedule: Schedule.spaced("200 millis").pipe(Schedule.upTo({ duration: STARTING_SERVER_TIMEOUT }))
      }),
      Effect.mapError((error) => cannotConnect(url, error))
    )
  if ((version[0]?.version ?? 0) < OLDEST_SERVER) {
    return yield* new StartError({
      message: `The Postgres at ${placeOf(url.url)} is version ${Math.floor((version[0]?.version ?? 0) / 10_000)}; Footfall needs ${OLDEST_SERVER / 10_000} or newer.`
    })
  }
  return sql
})

/** `DATABASE_URL`, else the embedded Postgres of `DATA_DIR`, which runs as long as this layer's scope (and other processes'). */
export const layerDatabaseUrl: Layer.Layer<DatabaseUrl, StartError> = Layer.effect(
  DatabaseUrl,
  Effect.gen(function* () {
    const given = yield* fromEnvironment(DATABASE_URL)
    if (given !== null) return { url: Redacted.make(given), embedded: false }
    const { url } = yield* startEmbeddedPostgres(yield* fromEnvironment(DATA_DIR))
    return { url, embedded: true }
  })
)

/** The pool for everything but the writer, on a database that is migrated when the layer is there. */
export const layerAppDatabase: Layer.Layer<AppDatabase, StartError, DatabaseUrl> = Layer.effect(
  AppDatabase,
  Effect.gen(function* () {
    const sql = yield* open(yield* DatabaseUrl, {}, yield* fromEnvironment(DATABASE_POOL_SIZE))
    yield* migrate(sql)
    return sql
  })
)

/**
 * The writer's connections. A statement that outlives the write deadline is ended by the server too, so an answer that
 * nobody waits for holds no locks. They are kept while nothing is written, so that nobody else can take them. Whatever the server's default, a commit is on its disk before it is told.
 */
export const layerWriterDatabase: Layer.Layer<WriterDatabase, StartError, DatabaseUrl | AppDatabase | Settings> =
  Layer.effect(
    WriterDatabase,
    Effect.gen(function* () {
      yield* AppDatabase
      const { get } = yield* Settings
      const session = {
        statement_timeout: `${get(STORAGE_TIMEOUT_SECONDS)}s`,
        synchronous_commit: "on",
        jit: "off"
      }
      const connections = get(STORAGE_IN_FLIGHT) + 1
      return yield* open(yield* DatabaseUrl, session, connections, connections)
    })
  )
