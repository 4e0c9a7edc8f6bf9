import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { UserId } from "../../../../src/domain/people.ts"
import { PeopleError, userNotFound } from "../../../../src/ports/PeopleError.ts"
import type { LinkOwner, UserLink } from "../../../../src/ports/Users.ts"
import { writeAudit } from "../audit.ts"
import { hashToken, MAX_TOKEN_LENGTH, newToken } from "../secretTokens.ts"
import { userTarget } from "./userRows.ts"

/** How long a link works: an invitation may wait for somebody's vacation to end, a reset was asked for just now. */
const VALID_DAYS = { invitation: 7, reset: 1 } as const

const STATE = `SELECT u.id, u.name, u.disabled_at IS NULL AS is_active,
    u.password_hash IS NOT NULL OR u.last_login_at IS NOT NULL AS is_known
  FROM product_analytics_user u WHERE u.id = $1::int`
const CREATE = `INSERT INTO product_analytics_user_link (hash, user_id, kind, expires_at)
  VALUES (decode($1, 'hex'), $2::int, $3, now() + make_interval(days => $4::int))
  RETURNING floor(extract(epoch FROM expires_at) * 1000)::float8 AS expires_ms`
const FIND = `SELECT l.kind, u.id, u.email, u.name FROM product_analytics_user_link l JOIN product_analytics_user u ON u.id = l.user_id
  WHERE l.hash = decode($1, 'hex') AND l.expires_at > now() AND u.disabled_at IS NULL`

/** Deletes every link of a user. */
export const deleteLinks = (sql: SqlClient.SqlClient, user: UserId): Effect.Effect<void, SqlError.SqlError> =>
  Effect.asVoid(sql.unsafe("DELETE FROM product_analytics_user_link WHERE user_id = $1::int", [user]))

interface State {
  readonly id: UserId
  readonly name: string
  readonly is_active: boolean
  readonly is_known: boolean
}

/** Creates a link in place of the user's earlier ones, in the caller's transaction. */
export const createLink = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  id: UserId
): Effect.fn.Return<UserLink, PeopleError | SqlError.SqlError> {
  const [user] = yield* sql.unsafe<State>(STATE, [id])
  if (user === undefined) return yield* userNotFound(id)
  if (!user.is_active) {
    return yield* new PeopleError({ reason: "Conflict", message: "The user is disabled; enable them first." })
  }
  const kind = user.is_known ? "reset" : "invitation"
  const token = newToken()
  yield* deleteLinks(sql, id)
  const values = [hashToken(token), id, kind, VALID_DAYS[kind]]
  const [created] = yield* sql.unsafe<{ readonly expires_ms: number }>(CREATE, values)
  yield* writeAudit(sql, { action: `user.${kind}-link`, ...userTarget(user) })
  return { kind, token, expiresAt: new Date(created!.expires_ms) }
})

/** Whom a link that still works is for. */
export const findLink = (
  sql: SqlClient.SqlClient,
  token: string
): Effect.Effect<(LinkOwner & { readonly id: UserId }) | null, SqlError.SqlError> =>
  token.length > MAX_TOKEN_LENGTH
    ? Effect.succeed(null)
    : Effect.map(sql.unsafe<LinkOwner & { readonly id: UserId }>(FIND, [hashToken(token)]), ([owner = null]) => owner)

/** Uses up a link. False if another request did so first. */
export const useLink = (sql: SqlClient.SqlClient, token: string): Effect.Effect<boolean, SqlError.SqlError> =>
  Effect.map(
    sql.unsafe(
      "DELETE FROM product_analytics_user_link WHERE hash = decode($1, 'hex') AND expires_at > now() RETURNING 1",
      [hashToken(token)]
    ),
    (rows) => rows.length > 0
  )

export const linkDenied = new PeopleError({
  reason: "Denied",
  message: "This link was used already, has expired or is incomplete. Ask an administrator for a new one."
})
