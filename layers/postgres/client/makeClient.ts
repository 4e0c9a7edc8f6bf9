import { PgClient, type PgConnection, type PgTypes } from "@effect/sql-pg"
import { Cause, Context, Effect, Pool, type Scope, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection, SqlError } from "effect/sql"
import { type Endpoint, openConnection, type SessionOptions } from "./openConnection.ts"
import { endsConnection } from "./sqlErrors.ts"

/** How long a connection beyond the minimum may be unused before it is closed. */
const IDLE_TIMEOUT = "60 seconds"

/** A pool of connections to the app database. */
export interface DatabaseClient extends SqlClient.SqlClient {
  readonly endpoint: Endpoint
  /** How its connections encode parameters and decode columns. */
  readonly types: PgTypes.Registry
  /** How many connections were lost or dropped so far. */
  readonly losses: () => number
}

export interface PoolOptions extends Omit<SessionOptions, "onClose"> {
  readonly maxConnections: number
  /** How many stay open while unused. */
  readonly minConnections: number
}

/**
 * A connection of the pool. A failure that shows that it is of no use drops it, not only the statement, and so does an interruption:
 * the server may cancel a later statement instead of the interrupted one.
 */
class PooledConnection implements SqlConnection.Connection {
  readonly connection: PgConnection.PgConnection
  readonly #dropWhenUseless: (cause: Cause.Cause<SqlError.SqlError>) => Effect.Effect<void>

  constructor(connection: PgConnection.PgConnection, drop: Effect.Effect<void>) {
    this.connection = connection
    this.#dropWhenUseless = (cause) => {
      const error = Cause.findErrorOption(cause)
      return error._tag === "None" || endsConnection(error.value) ? drop : Effect.void
    }
  }

  #rows(sql: string, parameters: ReadonlyArray<unknown>, prepare: boolean) {
    return Effect.tapCause(
      Effect.map(this.connection.query(sql, parameters, prepare), ({ rows }) => rows),
      this.#dropWhenUseless
    )
  }

  #values(sql: string, parameters: ReadonlyArray<unknown>, prepare: boolean) {
    return Effect.tapCause(this.connection.queryValues(sql, parameters, prepare), this.#dropWhenUseless)
  }

  execute(sql: string, parameters: ReadonlyArray<unknown>) {
    return this.#rows(sql, parameters, true)
  }
  executeUnprepared(sql: string, parameters: ReadonlyArray<unknown>) {
    return this.#rows(sql, parameters, false)
  }
  executeRaw(sql: string, parameters: ReadonlyArray<unknown>) {
    return Effect.tapCause(this.connection.query(sql, parameters), this.#dropWhenUseless)
  }
  executeValues(sql: string, parameters: ReadonlyArray<unknown>) {
    return this.#values(sql, parameters, true)
  }
  executeValuesUnprepared(sql: string, parameters: ReadonlyArray<unknown>) {
    return this.#values(sql, parameters, false)
  }
  executeStream(sql: string, parameters: ReadonlyArray<unknown>) {
    return Stream.tapCause(this.connection.stream(sql, parameters), this.#dropWhenUseless)
  }
}

type Connections = Pool.Pool<PooledConnection, SqlError.SqlError>

/** Connections that are opened when needed, and dropped when they are lost or of no use. */
const makePool = Effect.fnUntraced(function* (
  endpoint: Endpoint,
  options: PoolOptions,
  onLost: () => void
): Effect.fn.Return<Connections, never, Scope.Scope> {
  const fork = Effect.runForkWith(Context.empty())
  let pool: Connections | undefined
  const acquire = Effect.gen(function* () {
    let pooled: PooledConnection | undefined
    let released = false
    const drop: Effect.Effect<void> = Effect.suspend(() => {
      if (released || pool === undefined || pooled === undefined) return Effect.void
      released = true
      onLost()
      return Pool.invalidate(pool, pooled)
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        released = true
      })
    )
    const connection = yield* openConnection(endpoint, { ...options, onClose: () => void fork(drop) })
    pooled = new PooledConnection(connection, drop)
    return pooled
  })
  pool = yield* Pool.makeWithTTL({
    acquire,
    min: options.minConnections,
    max: options.maxConnections,
    concurrency: 1,
    timeToLive: IDLE_TIMEOUT,
    timeToLiveStrategy: "usage"
  })
  return pool
})

/** Postgres answers COMMIT with ROLLBACK if the transaction has failed. */
const commit = (connection: SqlConnection.Connection): Effect.Effect<void, SqlError.SqlError> =>
  Effect.flatMap(connection.executeRaw("COMMIT", []), (result) =>
    (result as PgConnection.Result).command === "ROLLBACK"
      ? Effect.fail(
          new SqlError.SqlError({
            reason: new SqlError.UnknownError({ cause: new Error("the transaction had failed and was rolled back") })
          })
        )
      : Effect.void
  )

/**
 * A client of the app database. Unlike the driver's own, it connects to any of several servers, checks each connection before its first
 * use, and drops a connection whose server no longer accepts writes.
 */
export const makeClient = Effect.fnUntraced(function* (
  endpoint: Endpoint,
  options: PoolOptions
): Effect.fn.Return<DatabaseClient, never, Scope.Scope> {
  let losses = 0
  const pool = yield* makePool(endpoint, options, () => {
    losses++
  })
  const client = yield* SqlClient.make({
    driver: "pg",
    acquirer: Pool.get(pool),
    borrower: (use) => Pool.use(pool, use),
    transactionAcquirer: Pool.get(pool),
    compiler: PgClient.makeCompiler(),
    prepareTransactionControls: !endpoint.target.pooled,
    commit,
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    spanAttributes: []
  }).pipe(Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make))
  return Object.assign(client, { endpoint, types: options.types, losses: () => losses })
})
