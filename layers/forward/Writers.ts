import type { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import type { SqlError } from "effect/sql"

/** A collector that was not heard of for so long is taken for gone. */
export const GONE_AFTER_SECONDS = 20
/** The rows of such as are gone and left nothing are kept for so long. */
const FORGOTTEN_AFTER = "7 days"

/** A collector that writes to the lake, as it last told of itself. */
export interface Writer {
  readonly logId: string
  readonly host: string
  readonly folder: string
  readonly seenAt: Date
  readonly isRunning: boolean
  /** Bytes in its log that are not in the lake. */
  readonly backlogBytes: number
  readonly lastSuccessAt: Date | null
  readonly failure: string | null
}

export interface Report {
  readonly logId: string
  readonly host: string
  readonly folder: string
  readonly backlogBytes: number
  /** Ms since the epoch. */
  readonly lastSuccessAt: number | null
  readonly failure: string | null
}

/** Tells of a collector; the answer is whether somebody asked for a flush that it has not told of yet. */
export const report = (sql: PgClient.PgClient, of: Report): Effect.Effect<boolean, SqlError.SqlError> =>
  Effect.map(
    sql.unsafe<{ readonly asked: boolean }>(
      `INSERT INTO product_analytics_lake_writer AS writer
        (log_id, host, folder, backlog_bytes, last_success_at, failure)
      VALUES ($1, $2, $3, $4, to_timestamp($5::float8 / 1000), $6)
      ON CONFLICT (log_id) DO UPDATE SET host = EXCLUDED.host, folder = EXCLUDED.folder, seen_at = now(),
        backlog_bytes = EXCLUDED.backlog_bytes, last_success_at = EXCLUDED.last_success_at, failure = EXCLUDED.failure
      RETURNING flush_asked_at IS NOT NULL AND (flushed_at IS NULL OR flushed_at < flush_asked_at) AS asked`,
      [of.logId, of.host, of.folder, of.backlogBytes, of.lastSuccessAt, of.failure]
    ),
    (rows) => rows[0]?.asked === true
  )

/** Tells that all that a collector had accepted when it was asked is in the lake. */
export const reportFlushed = (
  sql: PgClient.PgClient,
  { backlogBytes, lastSuccessAt, logId }: Report
): Effect.Effect<void, SqlError.SqlError> =>
  Effect.asVoid(
    sql.unsafe(
      `UPDATE product_analytics_lake_writer
      SET flushed_at = flush_asked_at, backlog_bytes = $2, last_success_at = to_timestamp($3::float8 / 1000), failure = NULL
      WHERE log_id = $1`,
      [logId, backlogBytes, lastSuccessAt]
    )
  )

/** Tells that a collector has stopped, and what it left in its log; one that left nothing is forgotten. */
export const reportGone = (
  sql: PgClient.PgClient,
  logId: string,
  backlogBytes: number
): Effect.Effect<void, SqlError.SqlError> =>
  Effect.asVoid(
    backlogBytes === 0
      ? sql.unsafe("DELETE FROM product_analytics_lake_writer WHERE log_id = $1", [logId])
      : sql.unsafe(
          `UPDATE product_analytics_lake_writer SET backlog_bytes = $2, seen_at = seen_at - make_interval(secs => $3)
          WHERE log_id = $1`,
          [logId, backlogBytes, GONE_AFTER_SECONDS]
        )
  )

interface Row {
  readonly log_id: string
  readonly host: string
  readonly folder: string
  readonly seen_at: Date
  readonly running: boolean
  readonly backlog_bytes: string | number
  readonly last_success_at: Date | null
  readonly failure: string | null
}

/** Every collector that is running or left something, the latest heard of first. */
export const list = (sql: PgClient.PgClient): Effect.Effect<ReadonlyArray<Writer>, SqlError.SqlError> =>
  Effect.map(
    sql.unsafe<Row>(
      `SELECT log_id, host, folder, seen_at, seen_at > now() - make_interval(secs => $1) AS running, backlog_bytes,
        last_success_at, failure
      FROM product_analytics_lake_writer
      WHERE seen_at > now() - interval '${FORGOTTEN_AFTER}' OR backlog_bytes > 0
      ORDER BY seen_at DESC`,
      [GONE_AFTER_SECONDS]
    ),
    (rows) =>
      rows.map((row) => ({
        logId: row.log_id,
        host: row.host,
        folder: row.folder,
        seenAt: new Date(row.seen_at),
        isRunning: row.running,
        backlogBytes: Number(row.backlog_bytes),
        lastSuccessAt: row.last_success_at === null ? null : new Date(row.last_success_at),
        failure: row.failure
      }))
  )

/** Asks all running collectors for a flush; the answer is their logs. */
export const askForFlush = (sql: PgClient.PgClient): Effect.Effect<ReadonlyArray<string>, SqlError.SqlError> =>
  Effect.map(
    sql.unsafe<{ readonly log_id: string }>(
      `UPDATE product_analytics_lake_writer SET flush_asked_at = clock_timestamp()
      WHERE seen_at > now() - make_interval(secs => $1) RETURNING log_id`,
      [GONE_AFTER_SECONDS]
    ),
    (rows) => rows.map((row) => row.log_id)
  )

/** Which of these logs have told of a flush since they were last asked. */
export const flushed = (
  sql: PgClient.PgClient,
  logIds: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<string>, SqlError.SqlError> =>
  Effect.map(
    sql.unsafe<{ readonly log_id: string }>(
      `SELECT log_id FROM product_analytics_lake_writer
      WHERE flushed_at >= flush_asked_at AND log_id = ANY(string_to_array($1, ',')::uuid[])`,
      [logIds.join(",")]
    ),
    (rows) => rows.map((row) => row.log_id)
  )

/** Forgets collectors that are long gone and left nothing. */
export const forgetGone = (sql: PgClient.PgClient): Effect.Effect<void, SqlError.SqlError> =>
  Effect.asVoid(
    sql.unsafe(
      `DELETE FROM product_analytics_lake_writer WHERE seen_at < now() - interval '${FORGOTTEN_AFTER}' AND backlog_bytes = 0`
    )
  )
