import { Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import type { ReplicaStatus } from "../../src/ports/Replica.ts"
import { ReplicaAdmin, ReplicaAdminError, type ReportedReplica } from "../../src/ports/ReplicaAdmin.ts"
import { AppDatabase } from "../postgres/client/Database.ts"
import { sqlMessage } from "../postgres/client/sqlErrors.ts"

/** A running replica reports at least every minute. */
const RUNNING = "reported_at > now() - interval '3 minutes'"
const POLL = "250 millis"

interface Row {
  readonly host: string
  readonly folder: string
  readonly reportedAt: number | null
  readonly isRunning: boolean
  readonly status: ReplicaStatus | null
  readonly isDone: boolean
}

const LIST = `SELECT host, folder, (extract(epoch FROM reported_at) * 1000)::float8 AS "reportedAt", coalesce(${RUNNING}, false) AS "isRunning",
  status, coalesce(checked_at >= check_asked_at, false) AS "isDone"
  FROM product_analytics_replica ORDER BY host, folder`

/** Whether no replica may still have to apply the note $1. One that is gone for days is rebuilt when it returns. */
const IS_APPLIED = `SELECT NOT EXISTS (
    SELECT FROM product_analytics_replica_note AS note, product_analytics_replica AS replica
    WHERE note_id = $1::int8 AND coalesce(replica.position, '0') <= note.xid AND replica.seen_at > now() - interval '3 days'
  ) AS applied`

const failure = (error: SqlError.SqlError) =>
  new ReplicaAdminError({ message: `The app database can't be reached: ${sqlMessage(error)}.` })

const noneRuns = new ReplicaAdminError({
  message:
    "No running `full` keeps a replica: none has reported in the last minutes. Run `bun run footfall replica status`."
})

/** Reaches the replicas through the app database. */
export const layer: Layer.Layer<ReplicaAdmin, never, AppDatabase> = Layer.effect(
  ReplicaAdmin,
  Effect.map(AppDatabase, (sql) => {
    const rows = Effect.mapError(sql.unsafe<Row>(LIST), failure)
    const list = Effect.map(
      rows,
      (found): ReadonlyArray<ReportedReplica> => found.map(({ isDone: _, ...rest }) => rest)
    )
    const ask = (change: string) =>
      sql.unsafe(`UPDATE product_analytics_replica SET ${change} WHERE ${RUNNING} RETURNING 1`).pipe(
        Effect.mapError(failure),
        Effect.flatMap(({ length }) => (length === 0 ? Effect.fail(noneRuns) : Effect.succeed(length)))
      )
    const checked = Effect.gen(function* () {
      for (;;) {
        const running = (yield* rows).filter(({ isRunning }) => isRunning)
        if (running.every(({ isDone }) => isDone)) return running.map(({ isDone: _, ...rest }) => rest)
        yield* Effect.sleep(POLL)
      }
    })
    return ReplicaAdmin.of({
      list,
      check: ({ timeoutSeconds }) =>
        Effect.andThen(
          ask("check_asked_at = now()"),
          Effect.timeoutOrElse(checked, {
            duration: timeoutSeconds * 1_000,
            orElse: () =>
              Effect.fail(
                new ReplicaAdminError({
                  message: `The check did not end within ${timeoutSeconds} seconds; it goes on.`
                })
              )
          })
        ),
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
      rebuild: ask("rebuild_asked_at = now()")
    })
  })
)
