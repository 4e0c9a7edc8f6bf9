import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { PeopleError } from "../../../../src/ports/PeopleError.ts"
import { AppDatabase } from "../../client/Database.ts"

// What changes who is an administrator does so one after the other, so that two of them cannot remove each other.
const LOCK = "SELECT 1 FROM product_analytics_group WHERE id = 2 FOR NO KEY UPDATE"

/** Has a row while setup may make the first administrator. */
export const IS_SETUP_OPEN = "SELECT 1 FROM product_analytics_setup WHERE completed_at IS NULL"

/** Whether there are administrators, and some who can sign in: with a password, or through an identity provider. */
const ADMINISTRATORS_LEFT = `SELECT count(*) > 0 AS "isAny", coalesce(bool_or(
    u.password_hash IS NOT NULL OR EXISTS (SELECT FROM product_analytics_user_identity i WHERE i.user_id = u.id)
  ), false) AS "canSignIn"
  FROM product_analytics_membership m JOIN product_analytics_user u ON u.id = m.user_id
  WHERE m.group_id = 2 AND u.disabled_at IS NULL`

interface Administrators {
  readonly isAny: boolean
  readonly canSignIn: boolean
}

const administrators = (sql: SqlClient.SqlClient): Effect.Effect<Administrators, SqlError.SqlError> =>
  Effect.map(sql.unsafe<Administrators>(ADMINISTRATORS_LEFT), ([row]) => row!)

const LAST_WHO_CAN_SIGN_IN = new PeopleError({
  reason: "LastAdmin",
  message:
    "This is the last administrator who can sign in. Add another user to the group Administrators first, who then sets a password."
})
const ONLY_ADMIN = new PeopleError({
  reason: "LastAdmin",
  message:
    "This is the only administrator. Add another user to the group Administrators first, or run `bun run footfall users create --admin`."
})

/**
 * Why a change must not happen: it took away the last administrator who can sign in, or the only one; null if it did not. Called before the
 * change, in its transaction.
 */
export const watchAdministrators = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql.unsafe(LOCK)
  const before = yield* administrators(sql)
  return {
    refusal: Effect.map(administrators(sql), (after): PeopleError | null => {
      if (before.canSignIn && !after.canSignIn) return LAST_WHO_CAN_SIGN_IN
      return before.isAny && !after.isAny ? ONLY_ADMIN : null
    })
  }
})

/** Whether the instance has no administrator, and setup makes none any more. */
export const lacksAdministrator: Effect.Effect<boolean, SqlError.SqlError, AppDatabase> = Effect.gen(function* () {
  const sql = yield* AppDatabase
  const { isAny } = yield* administrators(sql)
  if (isAny) return false
  return (yield* sql.unsafe(IS_SETUP_OPEN)).length === 0
})

/** Makes a change in the caller's transaction, and fails if it took away the last administrator who can sign in, or the only one. */
export const keepingAdministrator = <A, E>(
  sql: SqlClient.SqlClient,
  change: Effect.Effect<A, E>
): Effect.Effect<A, E | PeopleError | SqlError.SqlError> =>
  Effect.gen(function* () {
    const { refusal } = yield* watchAdministrators(sql)
    const result = yield* change
    const refused = yield* refusal
    return refused === null ? result : yield* refused
  })

/** Once there is an administrator, no one else can become one through setup. */
export const closeSetup = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient
): Effect.fn.Return<void, SqlError.SqlError> {
  yield* sql.unsafe("UPDATE product_analytics_setup SET completed_at = now() WHERE completed_at IS NULL")
  yield* sql.unsafe("DELETE FROM product_analytics_setup_link")
})
