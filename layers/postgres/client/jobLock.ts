import type { PgClient } from "@effect/sql-pg"
import { Effect, Option, Random, Scope } from "effect"
import type { SqlError } from "effect/sql"

/** Part of a wait between turns that chance decides, so that processes started together part. */
const JITTER = 0.2

/** Waits for about so many ms, for the next turn of a background job. */
export const jobPause = (ms: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (chance) => Effect.sleep(ms * (1 + JITTER * (chance - 0.5))))

/**
 * Runs a background job that one process at a time does, of all that share the database; none when another one is at it. The lock is
 * held by a connection, and goes with it.
 */
export const withJobLock = <A, E, R>(
  sql: PgClient.PgClient,
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
