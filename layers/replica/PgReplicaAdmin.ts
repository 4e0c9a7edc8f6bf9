import { existsSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import type { ReplicaStatus } from "../../src/ports/Replica.ts"
import { ReplicaAdmin, ReplicaAdminError, type ReportedReplica } from "../../src/ports/ReplicaAdmin.ts"
import { tryLock } from "../inprocess/FileLock.ts"
import { uuidArray } from "../postgres/client/arrays.ts"
import { AppDatabase } from "../postgres/client/Database.ts"
import { sqlMessage } from "../postgres/client/sqlErrors.ts"

/** A running replica reports at least every minute. */
const RUNNING = "reported_at > now() - interval '3 minutes'"
/** A running replica reports within seconds that it begins a check, unless its disk or Postgres is very busy. */
const SILENT_MS = 30_000
const POLL = "250 millis"

interface Row {
  readonly replicaId: string
  readonly host: string
  readonly folder: string
  readonly reportedAt: number | null
  readonly isRunning: boolean
  readonly status: ReplicaStatus | null
  readonly isDone: boolean
  /** Whether it reported since it was asked for a check. */
  readonly hasReacted: boolean
}

const LIST = `SELECT replica_id::text AS "replicaId", host, folder, (extract(epoch FROM reported_at) * 1000)::float8 AS "reportedAt", coalesce(${RUNNING}, false) AS "isRunning",
  status, coalesce(checked_at >= check_asked_at, false) AS "isDone",
  coalesce(reported_at > check_asked_at, false) AS "hasReacted"
  FROM product_analytics_replica ORDER BY host, folder`

/** Whether no replica may still have to apply the note $1. One that is gone for days is rebuilt when it returns. */
const IS_APPLIED = `SELECT NOT EXISTS (
    SELECT FROM product_analytics_replica_note AS note, product_analytics_replica AS replica
    WHERE note_id = $1::int8 AND coalesce(replica.position, '0') <= note.xid AND replica.seen_at > now() - interval '3 days'
  ) AS applied`

/** A note that changes nothing: no site has this id. Replicas report at once that they have seen a note of a range. */
const NOTE = `SELECT product_analytics_replica_resync('00000000-0000-0000-0000-000000000000', 'epoch', 'epoch')::text AS id`
const BEHIND = `SELECT replica_id::text AS "replicaId" FROM product_analytics_replica AS replica
  JOIN product_analytics_replica_note AS note ON coalesce(replica.position, '0') <= note.xid WHERE note_id = $1::int8`

/** Whether a replica's folder is on this machine and no process has it. */
const isStopped = ({ folder, host }: Row): boolean => {
  const path = join(folder, "lock")
  if (host !== hostname() || !existsSync(path)) return false
  try {
    const lock = tryLock(path, "shared")
    lock?.release()
    return lock !== undefined
  } catch {
    // Somebody else's folder.
    return false
  }
}

const reported = ({ folder, host, isRunning, reportedAt, status }: Row): ReportedReplica => ({
  host,
  folder,
  reportedAt,
  isRunning,
  status
})

const failure = (error: SqlError.SqlError) =>
  new ReplicaAdminError({ message: `The app database can't be reached: ${sqlMessage(error)}.` })

const noneRuns = (rows: ReadonlyArray<Row>): ReplicaAdminError => {
  const last = Math.max(...rows.map(({ reportedAt }) => reportedAt ?? 0))
  const report = last > 0 ? `; the last report of one is from ${new Date(last).toISOString()}` : ""
  return new ReplicaAdminError({
    message: `No running \`full\` keeps a replica${report}. Start \`bun run full\` with WAREHOUSE=replica, which is the default, and try again.`
  })
}

/** Reaches the replicas through the app database. */
export const layer: Layer.Layer<ReplicaAdmin, never, AppDatabase> = Layer.effect(
  ReplicaAdmin,
  Effect.map(AppDatabase, (sql) => {
    const rows = Effect.map(
      Effect.mapError(sql.unsafe<Row>(LIST), failure),
      (found): ReadonlyArray<Row> => found.map((row) => ({ ...row, isRunning: row.isRunning && !isStopped(row) }))
    )
    const list = Effect.map(rows, (found) => found.map(reported))
    /** The ids of the replicas that were asked. */
    const ask = Effect.fnUntraced(function* (change: string) {
      const found = yield* rows
      const ids = found.filter(({ isRunning }) => isRunning).map(({ replicaId }) => replicaId)
      if (ids.length === 0) return yield* noneRuns(found)
      const update = `UPDATE product_analytics_replica SET ${change} WHERE replica_id = ANY ($1::uuid[])`
      yield* Effect.mapError(sql.unsafe(update, [uuidArray(ids)]), failure)
      return new Set(ids)
    })
    const check = Effect.fnUntraced(function* (
      onProgress: (waiting: ReadonlyArray<ReportedReplica>) => Effect.Effect<void>
    ) {
      const asked = yield* ask("check_asked_at = now()")
      const begun = performance.now()
      for (;;) {
        const all = yield* rows
        const found = all.filter(({ replicaId }) => asked.has(replicaId))
        const mayReact = performance.now() - begun < SILENT_MS
        const waiting = found.filter(
          ({ hasReacted, isDone, isRunning }) => !isDone && isRunning && (hasReacted || mayReact)
        )
        if (waiting.length === 0) {
          const checked = found.filter(({ isDone }) => isDone)
          return checked.length === 0 ? yield* noneRuns(all) : checked.map(reported)
        }
        yield* onProgress(waiting.map(reported))
        yield* Effect.sleep(POLL)
      }
    })
    return ReplicaAdmin.of({
      list,
      check: ({ onProgress, timeoutSeconds }) =>
        Effect.timeoutOrElse(check(onProgress), {
          duration: timeoutSeconds * 1_000,
          orElse: () =>
            Effect.fail(
              new ReplicaAdminError({
                message: `The check did not end within ${timeoutSeconds} seconds; it goes on.`
              })
            )
        }),
      awaitCommitted: Effect.fnUntraced(function* ({ onProgress, timeoutSeconds }) {
        if (!(yield* rows).some(({ isRunning }) => isRunning)) return "none" as const
        const [note] = yield* Effect.mapError(sql.unsafe<{ id: string | null }>(NOTE), failure)
        const begun = performance.now()
        for (;;) {
          const behind = yield* Effect.mapError(sql.unsafe<{ replicaId: string }>(BEHIND, [note?.id ?? null]), failure)
          const ids = new Set(behind.map(({ replicaId }) => replicaId))
          const isBehind = (yield* rows).some(({ isRunning, replicaId }) => isRunning && ids.has(replicaId))
          if (!isBehind) return "complete" as const
          if (performance.now() - begun > timeoutSeconds * 1_000) return "late" as const
          yield* onProgress
          yield* Effect.sleep(POLL)
        }
      }),
      awaitApplied: ({ noteId, timeoutSeconds }) =>
        Effect.gen(function* () {
          while (noteId !== null) {
            const [row] = yield* Effect.mapError(
              sql.unsafe<{ applied: boolean }>(IS_APPLIED, [String(noteId)]),
              failure
            )
            if (row?.applied === true) return
            yield* Effect.sleep(POLL)
          }
        }).pipe(
          Effect.timeoutOrElse({
            duration: timeoutSeconds * 1_000,
            orElse: () =>
              Effect.fail(
                new ReplicaAdminError({
                  message: `A replica has not applied the change within ${timeoutSeconds} seconds. \`bun run footfall replica status\` shows which are running.`
                })
              )
          })
        ),
      rebuild: Effect.map(ask("rebuild_asked_at = now()"), ({ size }) => size)
    })
  })
)
