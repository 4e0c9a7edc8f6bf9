import { Effect } from "effect"
import type { DatabaseClient } from "../../../layers/postgres/client/makeClient.ts"

/** Holds an advisory lock, on a connection of its own, until the scope closes. */
export const holdAdvisoryLock = Effect.fnUntraced(function* (sql: DatabaseClient, lock: number) {
  const connection = yield* Effect.orDie(sql.reserve)
  const run = (call: string) => Effect.orDie(connection.execute(`SELECT ${call}(${lock})`, [], undefined))
  yield* Effect.acquireRelease(run("pg_advisory_lock"), () => run("pg_advisory_unlock"))
})

/** The months for which both tables have a partition, oldest first. */
export const months = (sql: DatabaseClient) =>
  Effect.map(
    sql.unsafe<{ month: string }>(`SELECT right(inhrelid::regclass::text, 7) AS month FROM pg_inherits
      WHERE inhparent IN ('product_analytics_event'::regclass, 'product_analytics_event_data'::regclass)
        AND inhrelid::regclass::text NOT LIKE '%default'
      GROUP BY month HAVING count(*) = 2 ORDER BY month`),
    (rows) => rows.map(({ month }) => month)
  )

/** The number of rows in each partition of events (`event_2031_01`) and properties (`event_data_2031_01`). */
export const rowsByPartition = (sql: DatabaseClient) =>
  Effect.map(
    sql.unsafe<{
      partition: string
      count: number
    }>(`SELECT partition::regclass::text AS partition, count(*)::int AS count FROM (
        SELECT tableoid AS partition FROM product_analytics_event
        UNION ALL SELECT tableoid FROM product_analytics_event_data
      ) AS rows GROUP BY partition`),
    (rows): Readonly<Record<string, number>> =>
      Object.fromEntries(rows.map(({ count, partition }) => [partition.replace("product_analytics_", ""), count]))
  )
