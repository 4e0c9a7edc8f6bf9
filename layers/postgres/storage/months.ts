import type { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import { sqlMessage } from "../sqlErrors.ts"

/** The start of the month (UTC), `ahead` months from the one that holds the moment. Both in ms since the epoch. */
export const monthStart = (moment: number, ahead = 0): number => {
  const date = new Date(moment)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + ahead)
}

/** A failed attempt is made again after this time; until then rows go to the default partition. */
const RETRY_MS = 60_000

/**
 * Partitions of the present and the next month, made before the first record of a month is written. Each writer sees to it,
 * so that a collector alone goes on past the end of a month. Never fails: rows outside all months have a place too.
 */
export const makeMonths = (sql: PgClient.PgClient) => {
  let due = 0
  const ensure = (now: number): Effect.Effect<void> =>
    sql
      .unsafe(
        "SELECT product_analytics_ensure_month(to_timestamp($1::float8 / 1000)), product_analytics_ensure_month(to_timestamp($2::float8 / 1000))",
        [now, monthStart(now, 1)]
      )
      .pipe(
        Effect.asVoid,
        Effect.tap(() =>
          Effect.sync(() => {
            due = monthStart(now, 1)
          })
        ),
        Effect.catch((error) => {
          due = now + RETRY_MS
          return Effect.logWarning(`This month's partitions could not be made: ${sqlMessage(error)}.`)
        })
      )
  return {
    /** What is to be done before a write at this time; null nearly always. */
    before: (now: number): Effect.Effect<void> | null => (now < due ? null : ensure(now))
  }
}
