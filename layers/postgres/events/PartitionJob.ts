import type { PgClient } from "@effect/sql-pg"
import { Clock, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import { PARTITION_JOB_LOCK, PARTITION_LOCK } from "../client/advisoryLocks.ts"
import { AppDatabase } from "../client/Database.ts"
import { jobPause, withJobLock } from "../client/jobLock.ts"
import { sqlMessage } from "../client/sqlErrors.ts"
import { ensureMonth, monthStart } from "./months.ts"

/** Soon after the start, so that a restart after a long pause needs no waiting; then in turns that no two processes share. */
const FIRST_RUN_MS = 5_000
const INTERVAL_MS = 600_000
/** A job that fails for a quarter of a year is noticed. */
const MONTHS_AHEAD = 3
/** Rows outside are somebody's wrong clock; they stay in the default partition. */
const OLDEST = Date.UTC(2000, 0)
const YEAR_MS = 365 * 86_400_000
/** Rows of one copying statement: some tens of milliseconds, a few megabytes of log. */
const CHUNK_ROWS = 5_000
/** Longest wait for a lock that holds up readers or writers of the default partition. */
const LOCK_TIMEOUT = "2s"

const PARENTS = [
  { table: "product_analytics_event", key: ["event_id"], first: ["00000000-0000-0000-0000-000000000000"] },
  {
    table: "product_analytics_event_data",
    key: ["event_id", "data_key"],
    first: ["00000000-0000-0000-0000-000000000000", ""]
  }
] as const
type Parent = (typeof PARENTS)[number]
type Key = Readonly<Record<string, string>>

const timestamp = (moment: number): string => new Date(moment).toISOString()

/** Months (ms since the epoch) that have rows in the default partition and ought to have a partition of their own. */
const monthsToMove = (sql: PgClient.PgClient, parent: Parent, now: number) =>
  Effect.map(
    sql.unsafe<{ month: Date }>(
      `SELECT DISTINCT date_trunc('month', created_at, 'UTC') AS month FROM ${parent.table}_default
      WHERE created_at >= $1::timestamptz AND created_at < $2::timestamptz ORDER BY month`,
      [timestamp(OLDEST), timestamp(now + YEAR_MS)]
    ),
    (rows) => rows.map(({ month }) => month.getTime())
  )

/**
 * Moves a month's rows out of the default partition into one of their own; nobody ever sees a row missing or twice. The rows
 * are copied in chunks to a table that is not attached yet, beside running writers. Then, with the default partition's writers
 * waiting, what changed meanwhile is made up for, and the table takes the rows' place. Other months are not held up.
 */
const moveMonth = Effect.fnUntraced(function* (sql: PgClient.PgClient, { first, key, table }: Parent, month: number) {
  const month_ = timestamp(month)
  const partition = `${table}_${month_.slice(0, 4)}_${month_.slice(5, 7)}`
  const rest = `${table}_default`
  const from = `'${month_}'`
  const to = `'${timestamp(monthStart(month, 1))}'`
  const within = `created_at >= ${from} AND created_at < ${to}`
  const keys = key.join(", ")
  yield* sql.unsafe(`CREATE TABLE IF NOT EXISTS ${partition} (LIKE ${table} INCLUDING ALL)`)

  let last: ReadonlyArray<string> | undefined = first
  while (last !== undefined) {
    const copied: ReadonlyArray<Key> = yield* sql.unsafe<Key>(
      `WITH chunk AS (
        SELECT * FROM ${rest} WHERE ${within} AND (${keys}) > (${key.map((_, index) => `$${index + 1}`).join(", ")})
        ORDER BY ${keys} LIMIT ${CHUNK_ROWS}
      ), copied AS (
        INSERT INTO ${partition} SELECT * FROM chunk ON CONFLICT DO NOTHING
      )
      SELECT ${keys} FROM chunk ORDER BY ${key.map((column) => `${column} DESC`).join(", ")} LIMIT 1`,
      last
    )
    const row = copied[0]
    last = row === undefined ? undefined : key.map((column) => row[column]!)
  }

  const moved = yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql.unsafe(`SELECT set_config('lock_timeout', '${LOCK_TIMEOUT}', true)`)
      yield* sql.unsafe(`SELECT pg_advisory_xact_lock(${PARTITION_LOCK})`)
      yield* sql.unsafe(`LOCK TABLE ${rest} IN SHARE ROW EXCLUSIVE MODE`)
      const same = ["created_at", ...key].map((column) => `kept.${column} = copy.${column}`).join(" AND ")
      yield* sql.unsafe(`DELETE FROM ${partition} AS copy WHERE NOT EXISTS (SELECT FROM ${rest} AS kept WHERE ${same})`)
      yield* sql.unsafe(`INSERT INTO ${partition} SELECT * FROM ${rest} WHERE ${within} ON CONFLICT DO NOTHING`)
      const rows = yield* sql.unsafe<{ count: number }>(
        `WITH moved AS (DELETE FROM ${rest} WHERE ${within} RETURNING 1) SELECT count(*)::int AS count FROM moved`
      )
      yield* sql.unsafe(`ALTER TABLE ${table} ATTACH PARTITION ${partition} FOR VALUES FROM (${from}) TO (${to})`)
      return rows[0]?.count ?? 0
    })
  )
  yield* Effect.logInfo(`Made ${partition} for ${moved} rows that were in the default partition.`)
})

/** One run: partitions for the months to come, then those for rows that lie in the default one. Nothing when another process is at it. */
export const maintainPartitions = Effect.fnUntraced(function* (
  sql: PgClient.PgClient
): Effect.fn.Return<void, SqlError.SqlError> {
  const job = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    for (let ahead = 0; ahead <= MONTHS_AHEAD; ahead++) yield* ensureMonth(sql, monthStart(now, ahead))
    for (const parent of PARENTS) {
      for (const month of yield* monthsToMove(sql, parent, now)) yield* moveMonth(sql, parent, month)
    }
  })
  yield* withJobLock(sql, PARTITION_JOB_LOCK, job)
})

/** Keeps the months' partitions in order, in the background. */
export const layer: Layer.Layer<never, never, AppDatabase> = Layer.effectDiscard(
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const run = maintainPartitions(sql).pipe(
      Effect.catch((error) =>
        Effect.logWarning(`The partitions could not be kept in order: ${sqlMessage(error)}. It is tried again.`)
      )
    )
    yield* jobPause(FIRST_RUN_MS).pipe(
      Effect.andThen(Effect.forever(Effect.andThen(run, jobPause(INTERVAL_MS)))),
      Effect.forkScoped
    )
  })
)
