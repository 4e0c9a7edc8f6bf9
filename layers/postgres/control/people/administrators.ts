import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { PeopleError } from "../../../../src/ports/PeopleError.ts"

// What changes who is an administrator does so one after the other, so that two of them cannot remove each other.
const LOCK = "SELECT 1 FROM product_analytics_group WHERE id = 2 FOR NO KEY UPDATE"

/** Whether some administrator can sign in: with a password, or through an identity provider. */
const IS_ANY_LEFT = `SELECT 1 FROM product_analytics_membership m JOIN product_analytics_user u ON u.id = m.user_id
  WHERE m.group_id = 2 AND u.disabled_at IS NULL
    AND (u.password_hash IS NOT NULL OR EXISTS (SELECT FROM product_analytics_user_identity i WHERE i.user_id = u.id))
  LIMIT 1`

/** Whether some administrator can sign in. */
const isAnyLeft = (sql: SqlClient.SqlClient): Effect.Effect<boolean, SqlError.SqlError> =>
  Effect.map(sql.unsafe(IS_ANY_LEFT), (rows) => rows.length > 0)

/** Whether a change took away the last administrator who can sign in. Called before the change, in its transaction. */
export const watchAdministrators = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql.unsafe(LOCK)
  const wasAny = yield* isAnyLeft(sql)
  return { areAllGone: Effect.map(isAnyLeft(sql), (isAny) => wasAny && !isAny) }
})

const LAST_ADMIN = new PeopleError({
  reason: "LastAdmin",
  message:
    "This is the last administrator who can sign in. Add another user to the group Administrators first, who then sets a password."
})

/** Makes a change in the caller's transaction, and fails if it took away the last administrator who can sign in. */
export const keepingAdministrator = <A, E>(
  sql: SqlClient.SqlClient,
  change: Effect.Effect<A, E>
): Effect.Effect<A, E | PeopleError | SqlError.SqlError> =>
  Effect.gen(function* () {
    const { areAllGone } = yield* watchAdministrators(sql)
    const result = yield* change
    return (yield* areAllGone) ? yield* LAST_ADMIN : result
  })

/** Once there is an administrator, no one else can become one through setup. */
export const closeSetup = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient
): Effect.fn.Return<void, SqlError.SqlError> {
  yield* sql.unsafe("UPDATE product_analytics_setup SET completed_at = now() WHERE completed_at IS NULL")
  yield* sql.unsafe("DELETE FROM product_analytics_setup_link")
})
