import { Clock, Effect, Layer } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { Settings } from "../../../src/ports/Settings.ts"
import { PARTITION_MIN_EVENTS } from "../../../src/settings/settings.ts"
import { PARTITION_JOB_LOCK, PARTITION_LOCK } from "../client/advisoryLocks.ts"
import { AppDatabase } from "../client/Database.ts"
import { jobPause, makeJobRunner } from "../client/jobLock.ts"
import { sqlMessage } from "../client/sqlErrors.ts"
import { ensureMonth, monthStart } from "./months.ts"
import { cleanReplicaNotes } from "./replicaNotes.ts"

/** Soon after the start, so that a restart after a long pause catches up quickly. */
const FIRST_RUN_MS = 5_000
const INTERVAL_MS = 600_000
/** A job that fails for three months is noticed. */
const MONTHS_AHEAD = 3
/** Rows with earlier or much later times come from a wrong clock. They stay in the default partition. */
const OLDEST = Date.UTC(2000, 0)
const YEAR_MS = 365 * 86_400_000
/** How many past or far months get tables of their own in one run. */
const NEW_MONTHS = 6
/** Rows that one statement copies: tens of milliseconds, and a few megabytes of WAL. */
const CHUNK_ROWS = 5_000
/** Longest wait for a lock that blocks readers or writers of the default partition. */
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

/** A month of a table whose rows are to move from the default partition to their own. */
interface Move {
  readonly parent: Parent
  /** The default partition. */
  readonly source: string
  readonly partition: string
  /** The month's start and the next month's, as SQL. */
  readonly from: string
  readonly until: string
}

const moveOf = (parent: Parent, month: number): Move => {
  const start = timestamp(month)
  return {
    parent,
    source: `${parent.table}_default`,
    partition: `${parent.table}_${start.slice(0, 4)}_${start.slice(5, 7)}`,
    from: `'${start}'`,
    until: `'${timestamp(monthStart(month, 1))}'`
  }
}

const inMonth = ({ from, until }: Move): string => `created_at >= ${from} AND created_at < ${until}`

/**
 * The months of a table that get a partition of their own: the current and coming ones with any row in the default partition, those that
 * `moved` names, and the fullest of the others that have at least `minRows` rows. Clients choose the time of an event, and each
 * partition makes planning every query slower, so clients must not be able to create many of them.
 */
const movesOf = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, parent: Parent, options: MoveOptions) {
  const { minRows, moved, newMonths, now } = options
  const rows = yield* sql.unsafe<{ month: Date; count: number }>(
    `SELECT date_trunc('month', created_at, 'UTC') AS month, count(*)::float8 AS count FROM ${parent.table}_default
    WHERE created_at >= $1::timestamptz AND created_at < $2::timestamptz GROUP BY 1 ORDER BY count DESC, month`,
    [timestamp(OLDEST), timestamp(now + YEAR_MS)]
  )
  const months = rows.map(({ count, month }) => ({ month: month.getTime(), count }))
  const isExpected = (month: number) =>
    (month >= monthStart(now) && month <= monthStart(now, MONTHS_AHEAD)) || moved.has(month)
  const chosen = [
    ...months.filter(({ month }) => isExpected(month)),
    ...months.filter(({ count, month }) => !isExpected(month) && count >= minRows).slice(0, newMonths)
  ]
  return chosen.map(({ month }) => month).sort((a, b) => a - b)
})

interface MoveOptions {
  readonly now: number
  readonly minRows: number
  /** How many months outside the expected ones may be returned. */
  readonly newMonths: number
  /** Months whose events have a partition, so that their properties get one too. */
  readonly moved: ReadonlySet<number>
}

/** The months, in ms since 1970, that have a partition of the table. */
const monthsOf = (sql: SqlClient.SqlClient, table: string) =>
  Effect.map(
    sql.unsafe<{ month: string }>(
      `SELECT right(relname, 7) AS month FROM pg_inherits JOIN pg_class ON oid = inhrelid
      WHERE inhparent = $1::text::regclass AND relname ~ '_\\d{4}_\\d{2}$' ORDER BY month`,
      [table]
    ),
    (rows) => rows.map(({ month }) => Date.parse(`${month.replace("_", "-")}-01T00:00:00Z`))
  )

/** Copies the rows, in chunks and in the order of their keys, to a table that is not attached yet. Writers continue. */
const copyRows = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, move: Move) {
  const { parent, partition, source } = move
  const keys = parent.key.join(", ")
  const descending = parent.key.map((column) => `${column} DESC`).join(", ")
  const after = parent.key.map((_, index) => `$${index + 1}`).join(", ")
  let last: ReadonlyArray<string> | null = parent.first
  while (last !== null) {
    const copied: ReadonlyArray<Key> = yield* sql.unsafe<Key>(
      `WITH chunk AS (
        SELECT * FROM ${source} WHERE ${inMonth(move)} AND (${keys}) > (${after}) ORDER BY ${keys} LIMIT ${CHUNK_ROWS}
      ), copied AS (
        INSERT INTO ${partition} SELECT * FROM chunk ON CONFLICT DO NOTHING
      )
      SELECT ${keys} FROM chunk ORDER BY ${descending} LIMIT 1`,
      last
    )
    const row = copied[0]
    last = row === undefined ? null : parent.key.map((column) => row[column]!)
  }
})

/** Applies what changed since the copy, and attaches the table in place of the rows, in a transaction that blocks writers of the default partition. */
const attachCopy = (sql: SqlClient.SqlClient, move: Move) =>
  sql.withTransaction(
    Effect.gen(function* () {
      const { from, parent, partition, source, until } = move
      yield* sql.unsafe(`SELECT set_config('lock_timeout', '${LOCK_TIMEOUT}', true)`)
      yield* sql.unsafe(`SELECT pg_advisory_xact_lock(${PARTITION_LOCK})`)
      yield* sql.unsafe(`LOCK TABLE ${source} IN SHARE ROW EXCLUSIVE MODE`)
      const sameRow = ["created_at", ...parent.key].map((column) => `kept.${column} = copy.${column}`).join(" AND ")
      yield* sql.unsafe(
        `DELETE FROM ${partition} AS copy WHERE NOT EXISTS (SELECT FROM ${source} AS kept WHERE ${sameRow})`
      )
      yield* sql.unsafe(
        `INSERT INTO ${partition} SELECT * FROM ${source} WHERE ${inMonth(move)} ON CONFLICT DO NOTHING`
      )
      const rows = yield* sql.unsafe<{ count: number }>(
        `WITH moved AS (DELETE FROM ${source} WHERE ${inMonth(move)} RETURNING 1) SELECT count(*)::int AS count FROM moved`
      )
      yield* sql.unsafe(
        `ALTER TABLE ${parent.table} ATTACH PARTITION ${partition} FOR VALUES FROM (${from}) TO (${until})`
      )
      return rows[0]?.count ?? 0
    })
  )

/**
 * Moves a month's rows from the default partition to their own. Readers never see a row missing or twice, and writers of other months
 * are not blocked. A killed move is resumed by the next run.
 */
const moveMonth = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, move: Move) {
  yield* sql.unsafe(`CREATE TABLE IF NOT EXISTS ${move.partition} (LIKE ${move.parent.table} INCLUDING ALL)`)
  yield* copyRows(sql, move)
  const moved = yield* attachCopy(sql, move)
  yield* Effect.logInfo(`Created ${move.partition} and moved ${moved} rows from the default partition to it.`)
})

const EVENTS = PARENTS[0]
const PROPERTIES = PARENTS[1]

/**
 * Creates the partitions of the coming months, and moves rows from the default partition to their own: at most `NEW_MONTHS` months that
 * are not the current or coming ones, each with at least `minEvents` events.
 */
export const maintainPartitions = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  minEvents: number
): Effect.fn.Return<void, SqlError.SqlError> {
  const now = yield* Clock.currentTimeMillis
  for (let ahead = 0; ahead <= MONTHS_AHEAD; ahead++) yield* ensureMonth(sql, monthStart(now, ahead))
  const none: ReadonlySet<number> = new Set()
  const options = { now, minRows: minEvents, newMonths: NEW_MONTHS, moved: none }
  for (const month of yield* movesOf(sql, EVENTS, options)) yield* moveMonth(sql, moveOf(EVENTS, month))
  const moved = new Set(yield* monthsOf(sql, EVENTS.table))
  for (const month of yield* movesOf(sql, PROPERTIES, { ...options, newMonths: 0, moved })) {
    yield* moveMonth(sql, moveOf(PROPERTIES, month))
  }
})

/** Maintains the monthly partitions and the notes for replicas in the background, in one process at a time of those that share the database. */
export const layer: Layer.Layer<never, never, AppDatabase | Settings> = Layer.effectDiscard(
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const { get } = yield* Settings
    const runJob = makeJobRunner(sql, PARTITION_JOB_LOCK, "Partition maintenance")
    const maintain = Effect.andThen(maintainPartitions(sql, get(PARTITION_MIN_EVENTS)), cleanReplicaNotes(sql))
    const run = runJob(maintain).pipe(
      Effect.catch((error) => Effect.logWarning(`Partition maintenance failed: ${sqlMessage(error)}; will retry.`))
    )
    yield* jobPause(FIRST_RUN_MS).pipe(
      Effect.andThen(Effect.forever(Effect.andThen(run, jobPause(INTERVAL_MS)))),
      Effect.forkScoped
    )
  })
)
