import { Effect, Layer } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { Settings } from "../../../../src/ports/Settings.ts"
import { AUDIT_RETENTION_DAYS } from "../../../../src/settings/settings.ts"
import { PEOPLE_JOB_LOCK } from "../../client/advisoryLocks.ts"
import { AppDatabase } from "../../client/Database.ts"
import { jobPause, makeJobRunner } from "../../client/jobLock.ts"
import { sqlMessage } from "../../client/sqlErrors.ts"
import { eraseRecentlyDeleted } from "./eraseUser.ts"

const INTERVAL_MS = 3_600_000
/** Long after the start, which has more important work. */
const FIRST_RUN_MS = 60_000
/** Rows that one statement deletes, so that none takes long. */
const BATCH = 10_000

const EXPIRED = [
  `DELETE FROM product_analytics_user_session WHERE id IN (
    SELECT id FROM product_analytics_user_session WHERE expires_at < now() LIMIT ${BATCH})
    RETURNING 1`,
  `DELETE FROM product_analytics_user_link WHERE hash IN (
    SELECT hash FROM product_analytics_user_link WHERE expires_at < now() LIMIT ${BATCH})
    RETURNING 1`
]
const OLD_ENTRIES = `DELETE FROM product_analytics_audit WHERE id IN (
    SELECT id FROM product_analytics_audit WHERE at < now() - make_interval(days => $1::int) ORDER BY at LIMIT ${BATCH})
  RETURNING 1`

const deleteAll = (
  sql: SqlClient.SqlClient,
  statement: string,
  values: ReadonlyArray<unknown>
): Effect.Effect<void, SqlError.SqlError> =>
  sql.unsafe(statement, values).pipe(Effect.repeat({ while: (deleted) => deleted.length === BATCH }), Effect.asVoid)

/** Deletes expired sessions and links, and entries of the audit log that are older than `retentionDays`. */
export const deleteExpired = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  retentionDays: number
): Effect.fn.Return<void, SqlError.SqlError> {
  for (const statement of EXPIRED) yield* deleteAll(sql, statement, [])
  yield* deleteAll(sql, OLD_ENTRIES, [retentionDays])
})

/** Deletes what has expired, and the names of deleted users, every hour, in one process at a time of those that share the database. */
export const layer: Layer.Layer<never, never, AppDatabase | Settings> = Layer.effectDiscard(
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const { get } = yield* Settings
    const runJob = makeJobRunner(sql, PEOPLE_JOB_LOCK, "Deleting expired sessions")
    const run = Effect.suspend(() =>
      runJob(Effect.andThen(deleteExpired(sql, get(AUDIT_RETENTION_DAYS)), eraseRecentlyDeleted(sql)))
    ).pipe(
      Effect.catch((error) => Effect.logWarning(`Deleting expired sessions failed: ${sqlMessage(error)}; will retry.`))
    )
    yield* jobPause(FIRST_RUN_MS).pipe(
      Effect.andThen(Effect.forever(Effect.andThen(run, jobPause(INTERVAL_MS)))),
      Effect.forkScoped
    )
  })
)
