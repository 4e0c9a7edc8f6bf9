import type { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { sqlMessage } from "../client/sqlErrors.ts"

/** The start of the month (UTC), `ahead` months from the one that holds the moment. Both in ms since the epoch. */
export const monthStart = (moment: number, ahead = 0): number => {
  const date = new Date(moment)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + ahead)
}

const PARTITIONED = ["product_analytics_event", "product_analytics_event_data"]

/** Makes the partitions of the month that holds the moment where they can be made now, each in a transaction of its own. */
export const ensureMonth = (sql: PgClient.PgClient, moment: number): Effect.Effect<void, SqlError.SqlError> =>
  Effect.forEach(
    PARTITIONED,
    (table) =>
      sql.unsafe("SELECT product_analytics_ensure_month($1, to_timestamp($2::float8 / 1000))", [table, moment]),
    { discard: true }
  )

/** A failed attempt is made again after this time; until then rows go to the default partition. */
const RETRY_MS = 60_000

/**
 * Partitions of the present and the next month, made before the first record of a month is written. Each writer sees to it,
 * so that a collector alone goes on past the end of a month. Never fails: rows outside all months have a place too.
 */
export const makeMonths = (sql: PgClient.PgClient) => {
  /** The time, ms since the epoch, in which nothing is to be done. A clock that ran ahead and was set right is before it. */
  let quiet = { from: 0, to: 0 }
  const ensure = (now: number): Effect.Effect<void> => {
    const rest = (to: number) =>
      Effect.sync(() => {
        quiet = { from: monthStart(now), to }
      })
    return Effect.andThen(ensureMonth(sql, now), ensureMonth(sql, monthStart(now, 1))).pipe(
      Effect.andThen(rest(monthStart(now, 1))),
      Effect.catch((error) =>
        Effect.andThen(
          rest(now + RETRY_MS),
          Effect.logWarning(`This month's partitions could not be made: ${sqlMessage(error)}.`)
        )
      ),
      // A write's deadline may be shorter than the wait for a lock: the next write must not wait for the same lock again.
      Effect.onInterrupt(() => rest(now + RETRY_MS))
    )
  }
  return {
    /** What is to be done before a write at this time; null nearly always. */
    before: (now: number): Effect.Effect<void> | null => (quiet.from <= now && now < quiet.to ? null : ensure(now))
  }
}
