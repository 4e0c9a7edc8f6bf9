import { PgTypes } from "@effect/sql-pg"
import { Effect, Redacted, Result, Schedule, type Scope } from "effect"
import type { SqlError } from "effect/sql"
import { StartError } from "../../../src/domain/StartError.ts"
import { type DatabaseClient, makeClient } from "./makeClient.ts"
import type { Endpoint } from "./openConnection.ts"
import { sqlCode, sqlMessage, toStartError } from "./sqlErrors.ts"
import { type DatabaseTarget, parseDatabaseUrl, serverName } from "./url/DatabaseTarget.ts"
import { tlsAttempts } from "./url/tls.ts"

/** How long to wait for a server that reports that it is starting up or recovering. */
const STARTING_SERVER_TIMEOUT = "60 seconds"
/** The oldest version that the migrations and tests run on, as `server_version_num` has it. */
const OLDEST_SERVER = 150_000

/** Where the app database is. */
export interface DatabaseAddress {
  readonly url: Redacted.Redacted<string>
  /** Whether it is the embedded Postgres of `DATA_DIR`, not `DATABASE_URL`. */
  readonly embedded: boolean
  /** The setting that has the URL, for messages; `DATABASE_URL` by default. */
  readonly setting?: string
  /** The data folder of the embedded Postgres. */
  readonly folder?: string
}

/** Reads the URL of an address. */
export const targetOf = ({
  setting = "DATABASE_URL",
  url
}: DatabaseAddress): Effect.Effect<DatabaseTarget, StartError> =>
  Result.match(parseDatabaseUrl(Redacted.value(url)), {
    onSuccess: Effect.succeed,
    onFailure: (problem) => Effect.fail(new StartError({ message: `${setting} can't be used: ${problem}.` }))
  })

/** A URL's servers for messages: each `host:port`, or the folder of its socket. Never contains the user or password. */
export const serversOf = (url: Redacted.Redacted<string>): string =>
  Result.match(parseDatabaseUrl(Redacted.value(url)), {
    onSuccess: ({ servers }) => servers.map(serverName).join(", "),
    onFailure: () => "an unreadable address"
  })

/** An address for messages and startup output. Never contains the user or password. */
export const databaseName = ({ embedded, folder, url }: DatabaseAddress): string => {
  if (embedded) return `the embedded Postgres in ${folder ?? serversOf(url)}`
  const database = Result.match(parseDatabaseUrl(Redacted.value(url)), {
    onSuccess: (target) => target.database,
    onFailure: () => "a database"
  })
  return `${database} at ${serversOf(url)}`
}

const endpointOf = Effect.fnUntraced(function* (address: DatabaseAddress): Effect.fn.Return<Endpoint, StartError> {
  const target = yield* targetOf(address)
  return { target, attempts: yield* tlsAttempts(target, address.setting ?? "DATABASE_URL") }
})

const cannotConnect = (
  { embedded, setting = "DATABASE_URL", url }: DatabaseAddress,
  error: SqlError.SqlError
): StartError =>
  toStartError(
    error,
    embedded
      ? `Can't connect to the embedded Postgres at ${serversOf(url)}: ${sqlMessage(error)}.`
      : `Can't connect to the Postgres of ${setting} at ${serversOf(url)}: ${sqlMessage(error)}.`
  )

/** `cannot_connect_now`: the server is starting up, shutting down or recovering. */
const CANNOT_CONNECT_NOW = "57P03"

export interface PoolSize {
  readonly maxConnections: number
  /** How many stay open while unused. */
  readonly minConnections?: number
}

/**
 * A pool of connections to a database, migrated or not. Fails if the server is unreachable, read-only or too old.
 *
 * @param session Settings of each connection, such as `statement_timeout`.
 */
export const openPool = Effect.fnUntraced(function* (
  address: DatabaseAddress,
  session: Readonly<Record<string, string>>,
  { maxConnections, minConnections = 0 }: PoolSize
): Effect.fn.Return<DatabaseClient, StartError, Scope.Scope> {
  const sql = yield* makeClient(yield* endpointOf(address), {
    applicationName: "footfall",
    session,
    types: PgTypes.makeRegistry(),
    minConnections,
    maxConnections
  })
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
      message: `The Postgres at ${serversOf(address.url)} is version ${Math.floor(version / 10_000)}; Footfall requires ${OLDEST_SERVER / 10_000} or newer.`
    })
  }
  return sql
})
