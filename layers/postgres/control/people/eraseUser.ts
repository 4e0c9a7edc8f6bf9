import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"

/** What stands in place of a deleted user's name. Their id remains, which is never given to anybody else. */
const DELETED = "Deleted user"

/** Tables that say who made or changed something. */
const AUTHORED = [
  "product_analytics_content",
  "product_analytics_content_revision",
  "product_analytics_timeline_event",
  "product_analytics_content_link"
]
/** `$1`: the id as a string, `$2`: the new name. */
const ERASE = [
  ...AUTHORED.map(
    (table) =>
      `UPDATE ${table} SET author_name = $2 WHERE author_kind = 'user' AND author_id = $1::text AND author_name <> $2`
  ),
  `UPDATE product_analytics_audit SET actor_name = $2
    WHERE actor_kind = 'user' AND actor_id = $1::text AND actor_name <> $2`,
  // A change of the name has the new one.
  `UPDATE product_analytics_audit SET target_name = $2, details = details - 'name'
    WHERE target_kind = 'user' AND target_id = $1::text AND (target_name <> $2 OR details ? 'name')`,
  `UPDATE product_analytics_audit SET details = jsonb_set(details, '{user_name}', to_jsonb($2::text))
    WHERE target_kind = 'group' AND details ->> 'user_id' = $1::text AND details ->> 'user_name' <> $2`
]

/** Users who were deleted on the last day. */
const RECENT = `SELECT DISTINCT target_id FROM product_analytics_audit
  WHERE action = 'user.delete' AND at > now() - interval '1 day'`

/** Removes the name of a deleted user from everything that they made and from the audit log. Their email is in neither. */
export const eraseUser = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  id: string
): Effect.fn.Return<void, SqlError.SqlError> {
  for (const statement of ERASE) yield* sql.unsafe(statement, [id, DELETED])
})

/** The same for all who were deleted recently: a process that still knew a user for some seconds may have written their name again. */
export const eraseRecentlyDeleted = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient
): Effect.fn.Return<void, SqlError.SqlError> {
  const deleted = yield* sql.unsafe<{ readonly target_id: string }>(RECENT)
  for (const { target_id } of deleted) yield* eraseUser(sql, target_id)
})
