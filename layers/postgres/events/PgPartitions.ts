import { Clock, Effect, Layer, Option, Schedule } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { type MergedMonth, Partitions, PartitionsError } from "../../../src/ports/Partitions.ts"
import { PARTITION_JOB_LOCK, PARTITION_LOCK } from "../client/advisoryLocks.ts"
import { AppDatabase } from "../client/Database.ts"
import { withJobLock } from "../client/jobLock.ts"
import { sqlMessage } from "../client/sqlErrors.ts"
import { monthStart, PARTITIONED } from "./months.ts"

/** Longest wait for a lock that blocks readers and writers of the whole table. */
const LOCK_TIMEOUT = "2s"
/** Attempts for each table, so that a long query does not end the merge. */
const RETRIES = Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 10 }))

const FIND = `SELECT right(relname, 7) AS suffix FROM pg_inherits JOIN pg_class ON oid = inhrelid
  WHERE inhparent = $1::text::regclass AND relname ~ '_\\d{4}_\\d{2}$'`

/** The suffixes (`2004_03`) of all partitions of both tables, oldest first. */
const suffixes = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const found = new Set<string>()
  for (const table of PARTITIONED) {
    for (const { suffix } of yield* sql.unsafe<{ suffix: string }>(FIND, [table])) found.add(suffix)
  }
  return [...found].sort()
})

const startOf = (suffix: string): number => Date.parse(`${suffix.replace("_", "-")}-01T00:00:00Z`)

/** The rows of a partition, counted up to `limit`; 0 if there is no such partition. */
const countRows = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, partition: string, limit: number) {
  const [exists] = yield* sql.unsafe<{ yes: boolean }>("SELECT to_regclass($1) IS NOT NULL AS yes", [partition])
  if (exists?.yes !== true) return 0
  const [row] = yield* sql.unsafe<{ count: number }>(
    `SELECT count(*)::int AS count FROM (SELECT FROM ${partition} LIMIT ${limit}) AS found`
  )
  return row?.count ?? 0
})

/** Moves a partition's rows to the default one, in a transaction in which readers see all rows or wait. */
const mergeTable = (sql: SqlClient.SqlClient, table: string, suffix: string) =>
  sql
    .withTransaction(
      Effect.gen(function* () {
        yield* sql.unsafe(`SELECT set_config('lock_timeout', '${LOCK_TIMEOUT}', true)`)
        yield* sql.unsafe(`SELECT pg_advisory_xact_lock(${PARTITION_LOCK})`)
        const [attached] = yield* sql.unsafe<{ yes: boolean }>(
          "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = $1::text::regclass AND inhrelid = to_regclass($2)) AS yes",
          [table, `${table}_${suffix}`]
        )
        if (attached?.yes !== true) return
        yield* sql.unsafe(`ALTER TABLE ${table} DETACH PARTITION ${table}_${suffix}`)
        yield* sql.unsafe(`INSERT INTO ${table} SELECT * FROM ${table}_${suffix}`)
        yield* sql.unsafe(`DROP TABLE ${table}_${suffix}`)
      })
    )
    .pipe(Effect.retry({ while: (error) => error.reason._tag === "LockTimeoutError", schedule: RETRIES }))

const merge = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  { dryRun, maxEvents }: { readonly dryRun: boolean; readonly maxEvents: number }
): Effect.fn.Return<ReadonlyArray<MergedMonth>, SqlError.SqlError> {
  const now = yield* Clock.currentTimeMillis
  const kept = { from: monthStart(now, -1), to: monthStart(now, 3) }
  const merged: Array<MergedMonth> = []
  for (const suffix of yield* suffixes(sql)) {
    const start = startOf(suffix)
    if (start >= kept.from && start <= kept.to) continue
    const events = yield* countRows(sql, `${PARTITIONED[0]}_${suffix}`, maxEvents)
    if (events >= maxEvents) continue
    if (!dryRun) for (const table of PARTITIONED) yield* mergeTable(sql, table, suffix)
    merged.push({ month: suffix.replace("_", "-"), events })
  }
  return merged
})

/** The partitions of the app database. One process at a time changes them. */
export const layer: Layer.Layer<Partitions, never, AppDatabase> = Layer.effect(
  Partitions,
  Effect.map(AppDatabase, (sql) =>
    Partitions.of({
      merge: (options) =>
        withJobLock(sql, PARTITION_JOB_LOCK, merge(sql, options)).pipe(
          Effect.mapError(
            (error) => new PartitionsError({ message: `The partitions can't be merged: ${sqlMessage(error)}.` })
          ),
          Effect.flatMap(
            Option.match({
              onSome: Effect.succeed,
              onNone: () =>
                Effect.fail(
                  new PartitionsError({
                    message: "Another process is maintaining the partitions. Try again in a minute."
                  })
                )
            })
          )
        )
    })
  )
)
