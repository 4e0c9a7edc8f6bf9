import { Effect, Option, Random, Scope } from "effect"
import type { SqlClient, SqlConnection, SqlError } from "effect/sql"

/** The part of a pause that is random, so that processes started together drift apart. */
const JITTER = 0.2
/** How often the lock's connection is used while the job runs, so that nothing closes it for being idle, and its loss is noticed. */
const KEEP_ALIVE = "5 seconds"
/** Skipped this many times in a row, a job has a problem: the lock is held by a job that hangs, or by a connection that outlived its process. */
const REPORTED_SKIPS = 2

/** Waits about `ms` milliseconds, give or take a tenth, before the next run of a background job. */
export const jobPause = (ms: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (random) => Effect.sleep(ms * (1 + JITTER * (random - 0.5))))

/** The server must not end the transaction that holds the lock. `transaction_timeout` is newer than the oldest server. */
const NO_TIMEOUTS = `SELECT set_config(name, '0', true) FROM pg_settings
  WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')`

const run = (connection: SqlConnection.Connection, statement: string, parameters: ReadonlyArray<unknown> = []) =>
  connection.executeValuesUnprepared(statement, parameters)

/** Fails once the lock's connection is lost, and with it the lock. */
const untilLost = (connection: SqlConnection.Connection): Effect.Effect<never, SqlError.SqlError> =>
  Effect.forever(Effect.andThen(Effect.sleep(KEEP_ALIVE), run(connection, "SELECT 1")))

/**
 * Runs a job that only one of the processes that share the database may run at a time. Succeeds with `None` if another process is running
 * it. An open transaction holds the lock, so it ends with the process, and a pooler that lends connections for a transaction cannot
 * keep it with a connection that somebody else uses. If the connection is lost, the job is interrupted.
 */
export const withJobLock = <A, E, R>(
  sql: SqlClient.SqlClient,
  lock: number,
  job: Effect.Effect<A, E, R>
): Effect.Effect<Option.Option<A>, E | SqlError.SqlError, R> =>
  Effect.scopedWith((scope) =>
    Effect.gen(function* () {
      const connection = yield* sql.reserve
      yield* Effect.acquireRelease(run(connection, "BEGIN"), () => Effect.ignore(run(connection, "ROLLBACK")))
      yield* run(connection, NO_TIMEOUTS)
      const locked = yield* run(connection, "SELECT pg_try_advisory_xact_lock($1)", [lock])
      if (locked[0]?.[0] !== true) return Option.none<A>()
      return Option.some(yield* Effect.raceFirst(job, untilLost(connection)))
    }).pipe(Effect.provideService(Scope.Scope, scope))
  )

interface Holder {
  readonly pid: number
  readonly application: string
  readonly since: string
}

/** The session with the lock: the lower half of a 64-bit advisory lock's number is its `objid`. */
const HOLDER = `SELECT pid, application_name AS application, to_char(coalesce(xact_start, backend_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS since
  FROM pg_locks JOIN pg_stat_activity USING (pid)
  WHERE locktype = 'advisory' AND classid = 0 AND objid = $1::int8::oid AND granted`

const describeHolder = (holder: Holder | undefined): string =>
  holder === undefined
    ? "Another process had its lock."
    : `The Postgres session ${holder.pid} of ${JSON.stringify(holder.application)} has had its lock since ${holder.since} UTC.`

/** Runs a background job under its lock, and logs a warning when it is skipped twice or more in a row. `title` begins a sentence. */
export const makeJobRunner = (sql: SqlClient.SqlClient, lock: number, title: string) => {
  let skipped = 0
  const reportSkip = Effect.gen(function* () {
    if (++skipped < REPORTED_SKIPS) return
    const holders = yield* Effect.orElseSucceed(sql.unsafe<Holder>(HOLDER, [lock]), () => [])
    yield* Effect.logWarning(`${title} was skipped ${skipped} times in a row. ${describeHolder(holders[0])}`)
  })
  return <A, E, R>(job: Effect.Effect<A, E, R>): Effect.Effect<void, E | SqlError.SqlError, R> =>
    Effect.flatMap(withJobLock(sql, lock, job), (outcome) =>
      outcome._tag === "None"
        ? reportSkip
        : Effect.sync(() => {
            skipped = 0
          })
    )
}
