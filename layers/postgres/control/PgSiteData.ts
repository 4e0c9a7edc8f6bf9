import { Clock, Effect, Layer, Option } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { SiteId } from "../../../src/domain/ids.ts"
import { type DeletedData, type ResetData, SiteData, SiteDataError } from "../../../src/ports/SiteData.ts"
import { SITE_DATA_LOCK } from "../client/advisoryLocks.ts"
import { uuidArray } from "../client/arrays.ts"
import { AppDatabase } from "../client/Database.ts"
import { withJobLock } from "../client/jobLock.ts"
import { sqlMessage } from "../client/sqlErrors.ts"
import { writeAudit } from "./audit.ts"

/**
 * A browser may send the token of its session for a day, and its events then come without the session's row; collectors remember stored
 * sessions for some minutes more. In ms.
 */
const TOKEN_MS = 25 * 3_600_000
/** Sessions deleted or changed at a time: for so long, some milliseconds, collectors wait. */
const SESSION_BATCH = 5_000
const LOCK_TIMEOUT = "2s"

/** A month's end, in UTC. */
const nextMonth = (at: number): number => {
  const date = new Date(at)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1)
}

const SPAN = `SELECT floor(extract(epoch FROM min(created_at)) * 1000)::float8 AS first, floor(extract(epoch FROM max(created_at)) * 1000)::float8 AS last
  FROM product_analytics_event WHERE site_id = $1::uuid`

const DELETE_EVENT_DATA =
  "DELETE FROM product_analytics_event_data WHERE site_id = $1::uuid AND created_at >= $2::timestamptz AND created_at < $3::timestamptz"
const DELETE_EVENTS = `WITH deleted AS (
  DELETE FROM product_analytics_event WHERE site_id = $1::uuid AND created_at >= $2::timestamptz AND created_at < $3::timestamptz RETURNING 1
) SELECT count(*)::float8 AS count FROM deleted`
const NOTE = "SELECT product_analytics_replica_resync($1::uuid, $2::timestamptz, $3::timestamptz, true)"

/** Sessions that began before $2 and have had no event since. */
const IS_OLD = `site_id = $1::uuid AND created_at < $2::timestamptz AND NOT EXISTS (
    SELECT FROM product_analytics_event AS event WHERE event.session_id = session.session_id AND event.created_at >= $2::timestamptz)`
const FIND_SESSIONS = `SELECT session_id FROM product_analytics_session AS session WHERE ${IS_OLD} LIMIT ${SESSION_BATCH}`
const DELETE_SESSIONS = `WITH deleted AS (
  DELETE FROM product_analytics_session AS session WHERE session_id = ANY ($3::uuid[]) AND ${IS_OLD} RETURNING session_id
), data AS (
  DELETE FROM product_analytics_session_data WHERE session_id IN (SELECT session_id FROM deleted)
) SELECT count(*)::float8 AS count FROM deleted`

/** The newest session. What begins later is not of the past. */
const LAST_SESSION = "SELECT max(created_at)::text AS last FROM product_analytics_session WHERE site_id = $1::uuid"
/** Sessions that began after the session $3 of the time $2, up to the time $4. */
const FIND_KEPT = `SELECT session_id, created_at::text AS created_at FROM product_analytics_session
  WHERE site_id = $1::uuid AND (created_at, session_id) > ($2::timestamptz, $3::uuid) AND created_at <= $4::timestamptz
  ORDER BY created_at, session_id LIMIT ${SESSION_BATCH}`
const IDENTIFYING = [
  "distinct_id",
  "first_path",
  "first_referrer_domain",
  "first_utm_source",
  "first_utm_medium",
  "first_utm_campaign"
]
const ANONYMIZE_SESSIONS = `UPDATE product_analytics_session SET ${IDENTIFYING.map((column) => `${column} = NULL`).join(", ")}
  WHERE session_id = ANY ($1::uuid[]) AND num_nonnulls(${IDENTIFYING.join(", ")}) > 0`
const FIND_ATTRIBUTES = `SELECT DISTINCT session_id FROM (
    SELECT session_id FROM product_analytics_session_data WHERE site_id = $1::uuid LIMIT ${SESSION_BATCH}
  ) AS attribute`
const DELETE_ATTRIBUTES = "DELETE FROM product_analytics_session_data WHERE session_id = ANY ($1::uuid[])"

const countOf = (rows: ReadonlyArray<{ readonly count: number }>): number => rows[0]?.count ?? 0

const iso = (at: number): string => new Date(at).toISOString()

/** Changes sessions while no collector writes any, so that they don't wait for each other's rows in a circle. */
const whileNobodyWrites = <A>(sql: SqlClient.SqlClient, change: Effect.Effect<A, SqlError.SqlError>) =>
  sql.withTransaction(
    Effect.gen(function* () {
      yield* sql.unsafe(`SELECT set_config('lock_timeout', '${LOCK_TIMEOUT}', true)`)
      yield* sql.unsafe("LOCK TABLE product_analytics_session IN SHARE ROW EXCLUSIVE MODE")
      return yield* change
    })
  )

const idsOf = (sessions: ReadonlyArray<{ readonly session_id: string }>) =>
  uuidArray(sessions.map(({ session_id }) => session_id))

/** Deletes the sessions that were last seen before `before`. New events of a session wait meanwhile, and then store its row again. */
const deleteSessions = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, id: SiteId, before: number) {
  let total = 0
  for (;;) {
    const found = yield* sql.unsafe<{ session_id: string }>(FIND_SESSIONS, [id, iso(before)])
    if (found.length === 0) return total
    const deleted = countOf(
      yield* whileNobodyWrites(sql, sql.unsafe<{ count: number }>(DELETE_SESSIONS, [id, iso(before), idsOf(found)]))
    )
    total += deleted
    // All of them have come back meanwhile.
    if (deleted === 0) return total
  }
})

/** Clears what identifies the visitors of sessions that stay, and returns how many these are. */
const anonymizeSessions = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, id: SiteId) {
  const [newest] = yield* sql.unsafe<{ last: string | null }>(LAST_SESSION, [id])
  let kept = 0
  let after = ["-infinity", "00000000-0000-0000-0000-000000000000"]
  while (newest?.last != null) {
    const found = yield* sql.unsafe<{ session_id: string; created_at: string }>(FIND_KEPT, [id, ...after, newest.last])
    const last = found.at(-1)
    if (last === undefined) break
    yield* whileNobodyWrites(sql, sql.unsafe(ANONYMIZE_SESSIONS, [idsOf(found)]))
    kept += found.length
    after = [last.created_at, last.session_id]
  }
  return kept
})

const deleteAttributes = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, id: SiteId) {
  for (;;) {
    const found = yield* sql.unsafe<{ session_id: string }>(FIND_ATTRIBUTES, [id])
    if (found.length === 0) return
    yield* whileNobodyWrites(sql, sql.unsafe(DELETE_ATTRIBUTES, [idsOf(found)]))
  }
})

/** Deletes the events of a span of time, so that replicas forget them, too. */
const deleteEvents = (sql: SqlClient.SqlClient, id: SiteId, from: number, until: number) =>
  sql.withTransaction(
    Effect.gen(function* () {
      const range = [id, iso(from), iso(until)]
      yield* sql.unsafe(DELETE_EVENT_DATA, range)
      const count = countOf(yield* sql.unsafe<{ count: number }>(DELETE_EVENTS, range))
      yield* sql.unsafe(NOTE, range)
      return count
    })
  )

const FORGET = [
  "DELETE FROM product_analytics_property WHERE site_id = $1::uuid",
  "DELETE FROM product_analytics_field_scan WHERE site_id = $1::uuid"
]

interface Reset {
  readonly id: SiteId
  /** Sessions that were last seen before this go. */
  readonly sessionsBefore: number
  readonly onProgress: (deleted: DeletedData) => Effect.Effect<void>
}

const deleteAll = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  { id, onProgress, sessionsBefore }: Reset
): Effect.fn.Return<ResetData, SqlError.SqlError> {
  let events = 0
  // Sessions first: whether one was seen lately is known only from its events.
  const visitors = yield* deleteSessions(sql, id, sessionsBefore)
  const keptVisitors = yield* anonymizeSessions(sql, id)
  yield* deleteAttributes(sql, id)
  const [span] = yield* sql.unsafe<{ first: number | null; last: number | null }>(SPAN, [id])
  if (span?.first != null && span.last !== null) {
    for (let from = span.first; from <= span.last; from = nextMonth(from)) {
      events += yield* deleteEvents(sql, id, from, nextMonth(from))
      yield* onProgress({ events, visitors })
    }
  }
  // Replicas read what is left of the site once more: sessions and attributes have times of their own.
  const forget = [...FORGET, "SELECT product_analytics_replica_resync($1::uuid, NULL, NULL, true)"]
  yield* sql.withTransaction(Effect.forEach(forget, (statement) => sql.unsafe(statement, [id]), { discard: true }))
  return { events, visitors, keptVisitors }
})

/** What is deleted of a site, in the app database. */
export const layer: Layer.Layer<SiteData, never, AppDatabase> = Layer.effect(
  SiteData,
  Effect.map(AppDatabase, (sql) => {
    const alone = <A>(work: Effect.Effect<A, SqlError.SqlError>): Effect.Effect<A, SiteDataError> =>
      withJobLock(sql, SITE_DATA_LOCK, work).pipe(
        Effect.mapError(
          (error) =>
            new SiteDataError({
              reason: "Unavailable",
              message: `The data could not be deleted completely: ${sqlMessage(error)}. Try again.`
            })
        ),
        Effect.flatMap(
          Option.match({
            onSome: Effect.succeed,
            onNone: () =>
              Effect.fail(
                new SiteDataError({
                  reason: "Busy",
                  message: "The data of a site is being deleted already. Try again when that is done."
                })
              )
          })
        )
      )
    const record = (action: string, id: SiteId, details: Readonly<Record<string, number>>) =>
      writeAudit(sql, { action, targetKind: "site", targetId: id, targetName: null, details })
    return SiteData.of({
      reset: (id, onProgress = () => Effect.void) =>
        alone(
          Effect.gen(function* () {
            const now = yield* Clock.currentTimeMillis
            const reset = yield* deleteAll(sql, { id, onProgress, sessionsBefore: now - TOKEN_MS })
            const { events, keptVisitors, visitors } = reset
            yield* record("site.reset", id, { events, visitors, kept_visitors: keptVisitors })
            return reset
          })
        ),
      remove: (id) =>
        alone(
          Effect.gen(function* () {
            const { events, visitors } = yield* deleteAll(sql, {
              id,
              onProgress: () => Effect.void,
              // Later than every event, also those dated ahead.
              sessionsBefore: Date.UTC(3000, 0)
            })
            yield* sql.withTransaction(
              Effect.gen(function* () {
                yield* sql.unsafe(
                  "DELETE FROM product_analytics_site WHERE id = $1::uuid AND archived_at IS NOT NULL",
                  [id]
                )
                yield* record("site.delete", id, { events, visitors })
              })
            )
            return { events, visitors }
          })
        )
    })
  })
)
