import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"

/*
 * Collectors that forward a spool report to the app database every few seconds: how much they have not flushed yet, and whether
 * flushing fails. An operator sees them there and asks them to flush. The table's name is that of the first destination.
 */

/** A collector that has not reported for this long is considered gone. */
export const GONE_AFTER_SECONDS = 20
/** Rows of collectors that are gone and left nothing unflushed are kept for this long. */
const KEPT_FOR = "7 days"

/** A collector that forwards a spool, as it last reported. */
export interface Writer {
  readonly spoolId: string
  readonly host: string
  readonly folder: string
  readonly seenAt: Date
  readonly isRunning: boolean
  /** Bytes in its spool that are not at the destination yet. */
  readonly backlogBytes: number
  readonly lastSuccessAt: Date | null
  readonly failure: string | null
}

export interface Report {
  readonly spoolId: string
  readonly host: string
  readonly folder: string
  readonly backlogBytes: number
  /** Ms since the epoch. */
  readonly lastSuccessAt: number | null
  readonly failure: string | null
  /** The token of the process that owns the spool; by default any. */
  readonly owner?: string
}

/** The host whose process has taken a spool over, because the owner with this token did not report for too long; null if none has. */
export const displacedBy = (
  sql: SqlClient.SqlClient,
  spoolId: string,
  owner: string
): Effect.Effect<string | null, SqlError.SqlError> =>
  Effect.map(
    sql.unsafe<{ readonly host: string }>(
      "SELECT host FROM product_analytics_lake_writer WHERE log_id = $1 AND owner <> $2",
      [spoolId, owner]
    ),
    (rows) => rows[0]?.host ?? null
  )

/** Reports the state of a collector. Returns whether a flush was requested that it has not reported yet. */
export const report = (
  sql: SqlClient.SqlClient,
  { backlogBytes, failure, folder, host, lastSuccessAt, owner, spoolId }: Report
): Effect.Effect<boolean, SqlError.SqlError> =>
  Effect.map(
    sql.unsafe<{ readonly asked: boolean }>(
      `INSERT INTO product_analytics_lake_writer AS writer
        (log_id, host, folder, backlog_bytes, last_success_at, failure, owner)
      VALUES ($1, $2, $3, $4, to_timestamp($5::float8 / 1000), $6, $7::uuid)
      ON CONFLICT (log_id) DO UPDATE SET host = EXCLUDED.host, folder = EXCLUDED.folder, seen_at = now(),
        backlog_bytes = EXCLUDED.backlog_bytes, last_success_at = EXCLUDED.last_success_at, failure = EXCLUDED.failure
      WHERE EXCLUDED.owner IS NULL OR writer.owner IS NULL OR writer.owner = EXCLUDED.owner
      RETURNING flush_asked_at IS NOT NULL AND (flushed_at IS NULL OR flushed_at < flush_asked_at) AS asked`,
      [spoolId, host, folder, backlogBytes, lastSuccessAt, failure, owner ?? null]
    ),
    (rows) => rows[0]?.asked === true
  )

/** Reports that everything a collector had accepted when the flush was requested has been flushed. */
export const reportFlushed = (
  sql: SqlClient.SqlClient,
  { backlogBytes, lastSuccessAt, spoolId }: Report
): Effect.Effect<void, SqlError.SqlError> =>
  Effect.asVoid(
    sql.unsafe(
      `UPDATE product_analytics_lake_writer
      SET flushed_at = flush_asked_at, backlog_bytes = $2, last_success_at = to_timestamp($3::float8 / 1000), failure = NULL
      WHERE log_id = $1`,
      [spoolId, backlogBytes, lastSuccessAt]
    )
  )

/** Reports that a collector has stopped and how much it left unflushed. If nothing, its row is deleted. */
export const reportStopped = (
  sql: SqlClient.SqlClient,
  spoolId: string,
  backlogBytes: number,
  /** The token of the process that stops; by default any. */
  owner: string | null = null
): Effect.Effect<void, SqlError.SqlError> =>
  Effect.asVoid(
    backlogBytes === 0
      ? sql.unsafe(
          "DELETE FROM product_analytics_lake_writer WHERE log_id = $1 AND ($2::uuid IS NULL OR owner IS NULL OR owner = $2::uuid)",
          [spoolId, owner]
        )
      : sql.unsafe(
          `UPDATE product_analytics_lake_writer SET backlog_bytes = $2, seen_at = seen_at - make_interval(secs => $3)
          WHERE log_id = $1 AND ($4::uuid IS NULL OR owner IS NULL OR owner = $4::uuid)`,
          [spoolId, backlogBytes, GONE_AFTER_SECONDS, owner]
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

/** Every collector that is running or left something unflushed, the most recently seen first. */
export const list = (sql: SqlClient.SqlClient): Effect.Effect<ReadonlyArray<Writer>, SqlError.SqlError> =>
  Effect.map(
    sql.unsafe<Row>(
      `SELECT log_id, host, folder, seen_at, seen_at > now() - make_interval(secs => $1) AS running, backlog_bytes,
        last_success_at, failure
      FROM product_analytics_lake_writer
      WHERE seen_at > now() - interval '${KEPT_FOR}' OR backlog_bytes > 0
      ORDER BY seen_at DESC`,
      [GONE_AFTER_SECONDS]
    ),
    (rows) =>
      rows.map((row) => ({
        spoolId: row.log_id,
        host: row.host,
        folder: row.folder,
        seenAt: new Date(row.seen_at),
        isRunning: row.running,
        backlogBytes: Number(row.backlog_bytes),
        lastSuccessAt: row.last_success_at === null ? null : new Date(row.last_success_at),
        failure: row.failure
      }))
  )

/** Requests a flush from all running collectors. Returns the ids of their spools. */
export const requestFlush = (sql: SqlClient.SqlClient): Effect.Effect<ReadonlyArray<string>, SqlError.SqlError> =>
  Effect.map(
    sql.unsafe<{ readonly log_id: string }>(
      `UPDATE product_analytics_lake_writer SET flush_asked_at = clock_timestamp()
      WHERE seen_at > now() - make_interval(secs => $1) RETURNING log_id`,
      [GONE_AFTER_SECONDS]
    ),
    (rows) => rows.map((row) => row.log_id)
  )

/** Which of these spools have been flushed since the last request. */
export const flushedSince = (
  sql: SqlClient.SqlClient,
  spoolIds: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<string>, SqlError.SqlError> =>
  Effect.map(
    sql.unsafe<{ readonly log_id: string }>(
      `SELECT log_id FROM product_analytics_lake_writer
      WHERE flushed_at >= flush_asked_at AND log_id = ANY(string_to_array($1, ',')::uuid[])`,
      [spoolIds.join(",")]
    ),
    (rows) => rows.map((row) => row.log_id)
  )

/** Deletes the rows of collectors that are long gone and left nothing unflushed. */
export const deleteGone = (sql: SqlClient.SqlClient): Effect.Effect<void, SqlError.SqlError> =>
  Effect.asVoid(
    sql.unsafe(
      `DELETE FROM product_analytics_lake_writer WHERE seen_at < now() - interval '${KEPT_FOR}' AND backlog_bytes = 0`
    )
  )
