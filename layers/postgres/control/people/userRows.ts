import type { Theme } from "../../../../src/domain/people.ts"
import { ALL_USERS, type GroupId, User, type UserId } from "../../../../src/domain/people.ts"

export interface UserRow {
  readonly id: UserId
  readonly email: string
  readonly name: string
  readonly has_password: boolean
  readonly is_active: boolean
  readonly is_admin: boolean
  readonly language: string | null
  readonly timezone: string | null
  readonly theme: Theme
  readonly groups: ReadonlyArray<GroupId>
  readonly created_ms: number
  readonly login_ms: number | null
}

/** Selects a {@link UserRow} of `product_analytics_user AS u`. */
export const USER_COLUMNS = `u.id, u.email, u.name, u.language, u.timezone, u.theme,
  u.password_hash IS NOT NULL AS has_password,
  u.disabled_at IS NULL AS is_active,
  EXISTS (SELECT FROM product_analytics_membership m WHERE m.user_id = u.id AND m.group_id = 2) AS is_admin,
  ARRAY(SELECT m.group_id FROM product_analytics_membership m WHERE m.user_id = u.id ORDER BY m.group_id) AS groups,
  floor(extract(epoch FROM u.created_at) * 1000)::float8 AS created_ms,
  floor(extract(epoch FROM u.last_login_at) * 1000)::float8 AS login_ms`

export const toUser = (row: UserRow): User =>
  new User({
    id: row.id,
    email: row.email,
    name: row.name,
    isAdmin: row.is_admin,
    isActive: row.is_active,
    hasPassword: row.has_password,
    language: row.language,
    timezone: row.timezone,
    theme: row.theme,
    groups: [ALL_USERS, ...row.groups],
    createdAt: new Date(row.created_ms),
    lastLoginAt: row.login_ms === null ? null : new Date(row.login_ms)
  })

/** What the audit log says about a user. Their email is not among it, so that deleting a user leaves none. */
export const userTarget = ({ id, name }: Pick<User, "id" | "name">) => ({
  targetKind: "user",
  targetId: String(id),
  targetName: name
})

/** The user as the actor of what they do before they have a session. */
export const actorOf = ({ id, name }: Pick<User, "id" | "name">) => ({ kind: "user" as const, id: String(id), name })
