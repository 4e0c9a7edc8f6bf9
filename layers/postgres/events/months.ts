import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { sqlMessage } from "../client/sqlErrors.ts"

/** The start of the month (UTC) that is `ahead` months after the one of the moment. Both in ms since 1970. */
export const monthStart = (moment: number, ahead = 0): number => {
  const date = new Date(moment)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + ahead)
}

/** The tables that are partitioned by month. */
export const PARTITIONED = ["product_analytics_event", "product_analytics_event_data"] as const

/**
 * Creates the partitions of the moment's month, each in its own transaction. Creates none where the default partition already has
 * rows of the month: `PartitionJob` moves those.
 */
export const ensureMonth = (sql: SqlClient.SqlClient, moment: number): Effect.Effect<void, SqlError.SqlError> =>
  Effect.forEach(
    PARTITIONED,
    (table) =>
      sql.unsafe("SELECT product_analytics_ensure_month($1, to_timestamp($2::float8 / 1000))", [table, moment]),
    { discard: true }
  )

/** A failed attempt is repeated after this time. Until then, rows go to the default partition. */
const RETRY_MS = 60_000

/**
 * Creates the partitions of this and the next month before the first record of a month is written. Every writer does, so that a
 * collector keeps working past the end of a month without `bun run full`. Never fails: without a partition, rows go to the default one.
 */
export const makeMonths = (sql: SqlClient.SqlClient) => {
  /** The period, in ms since 1970, in which there is nothing to do. Before it is a clock that was ahead and was corrected. */
  let idle = { from: 0, to: 0 }
  const ensure = (now: number): Effect.Effect<void> => {
    const idleUntil = (to: number) =>
      Effect.sync(() => {
        idle = { from: monthStart(now), to }
      })
    return Effect.andThen(ensureMonth(sql, now), ensureMonth(sql, monthStart(now, 1))).pipe(
      Effect.andThen(idleUntil(monthStart(now, 1))),
      Effect.catch((error) =>
        Effect.andThen(
          idleUntil(now + RETRY_MS),
          Effect.logWarning(`Can't create this month's partitions; will retry: ${sqlMessage(error)}.`)
        )
      ),
      // A write's deadline may be shorter than the wait for a lock, and the next write must not wait for the same lock.
      Effect.onInterrupt(() => idleUntil(now + RETRY_MS))
    )
  }
  return {
    /** What to do before a write at this time; null almost always. */
    before: (now: number): Effect.Effect<void> | null => (idle.from <= now && now < idle.to ? null : ensure(now))
  }
}
