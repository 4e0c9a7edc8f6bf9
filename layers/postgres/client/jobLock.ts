import { Effect, Option, Random, Scope } from "effect"
import type { SqlClient, SqlError } from "effect/sql"

/** The part of a pause that is random, so that processes started together drift apart. */
const JITTER = 0.2

/** Waits about `ms` milliseconds, give or take a tenth, before the next run of a background job. */
export const jobPause = (ms: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (random) => Effect.sleep(ms * (1 + JITTER * (random - 0.5))))

/**
 * Runs a job that only one of the processes that share the database may run at a time. Succeeds with `None` if another process
 * is running it. A connection holds the lock, so the lock ends with the process.
 */
export const withJobLock = <A, E, R>(
  sql: SqlClient.SqlClient,
  lock: number,
  job: Effect.Effect<A, E, R>
): Effect.Effect<Option.Option<A>, E | SqlError.SqlError, R> =>
  Effect.scopedWith((scope) =>
    Effect.gen(function* () {
      const connection = yield* sql.reserve
      const locked = yield* connection.executeValues("SELECT pg_try_advisory_lock($1)", [lock])
      if (locked[0]?.[0] !== true) return Option.none<A>()
      yield* Effect.addFinalizer(() =>
        Effect.ignore(connection.execute("SELECT pg_advisory_unlock($1)", [lock], undefined))
      )
      return Option.some(yield* job)
    }).pipe(Effect.provideService(Scope.Scope, scope))
  )
