import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { ADMINISTRATORS, ALL_USERS, type GroupId, type UserId } from "../../../../src/domain/people.ts"
import { PeopleError } from "../../../../src/ports/PeopleError.ts"
import type { Identity } from "../../../../src/ports/Users.ts"
import { missingGroup } from "../../../../src/settings/singleSignOn.ts"
import { textArray } from "../../client/arrays.ts"
import { writeAudit } from "../audit.ts"
import { watchAdministrators } from "./administrators.ts"
import { addToGroups } from "./memberships.ts"
import { actorOf, userTarget } from "./userRows.ts"
import { acceptUser } from "./values.ts"

interface Found {
  readonly id: UserId
  readonly name: string
  readonly is_active: boolean
}

const FOUND = "u.id, u.name, u.disabled_at IS NULL AS is_active"
const BY_IDENTITY = `SELECT ${FOUND} FROM product_analytics_user_identity i JOIN product_analytics_user u ON u.id = i.user_id
  WHERE i.issuer = $1 AND i.subject = $2`
const BY_EMAIL = `SELECT ${FOUND} FROM product_analytics_user u WHERE lower(u.email) = lower($1)`
const LINK = `INSERT INTO product_analytics_user_identity (issuer, subject, user_id) VALUES ($1, $2, $3::int)
  ON CONFLICT (issuer, subject) DO NOTHING`
const PROVISION = `INSERT INTO product_analytics_user (email, name) VALUES ($1, $2)
  ON CONFLICT (lower(email)) DO NOTHING RETURNING id, name, true AS is_active`
const GROUPS = `SELECT g.id, lower(g.name) AS name, EXISTS (
    SELECT FROM product_analytics_membership m WHERE m.group_id = g.id AND m.user_id = $2::int
  ) AS is_member
  FROM product_analytics_group g WHERE lower(g.name) = ANY($1::text[])`

const denied = (message: string) => new PeopleError({ reason: "Denied", message })

const UNVERIFIED = denied(
  "The identity provider has not verified this email address. Verify it there, or ask an administrator for an invitation."
)

/** The user with the identity's email, which is from now on theirs. */
const adopt = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  { email, isEmailVerified, issuer, subject }: Identity
) {
  const [user] = email === null ? [] : yield* sql.unsafe<Found>(BY_EMAIL, [email])
  if (user === undefined) return null
  // Otherwise anyone could sign in as somebody else, at a provider that lets people claim any address.
  if (!isEmailVerified) return yield* UNVERIFIED
  yield* sql.unsafe(LINK, [issuer, subject, user.id])
  yield* writeAudit(sql, { action: "user.link-identity", ...userTarget(user), details: { issuer } }, actorOf(user))
  return user
})

const provisioned = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, identity: Identity) {
  const { email, issuer, name, subject } = identity
  if (email === null)
    return yield* denied("The identity provider gave no email address. Allow the scope `email` there.")
  if (!identity.isEmailVerified) return yield* UNVERIFIED
  const fallback = email.split("@", 1)[0]!
  const values = yield* acceptUser({ email, name: (name ?? "").trim().slice(0, 100) || fallback })
  const [user] = yield* sql.unsafe<Found>(PROVISION, [values.email, values.name])
  // Another process created the same user at the same time.
  if (user === undefined) return yield* adopt(sql, identity)
  yield* sql.unsafe(LINK, [issuer, subject, user.id])
  yield* writeAudit(sql, { action: "user.create", ...userTarget(user), details: { issuer } }, actorOf(user))
  return user
})

/** Adds the user to the groups that the provider says they belong to, and removes them from the others that it manages. */
const syncGroups = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  user: Found,
  managed: ReadonlyMap<string, boolean>
) {
  const byName = new Map([...managed].map(([name, belongs]) => [name.toLowerCase(), belongs]))
  const { refusal } = yield* watchAdministrators(sql)
  const groups = yield* sql.unsafe<{ readonly id: GroupId; readonly name: string; readonly is_member: boolean }>(
    GROUPS,
    [textArray([...byName.keys()]), user.id]
  )
  const known = new Set(groups.map(({ name }) => name))
  for (const name of byName.keys()) {
    if (!known.has(name)) yield* Effect.logWarning(missingGroup(name))
  }
  const changes = groups.filter(({ id, is_member, name }) => id !== ALL_USERS && is_member !== byName.get(name))
  const added = changes.filter(({ is_member }) => !is_member).map(({ id }) => id)
  const removed = changes.filter(({ is_member }) => is_member).map(({ id }) => id)
  yield* addToGroups(sql, user.id, added)
  const kept: Array<GroupId> = []
  for (const group of removed) {
    yield* sql.unsafe("DELETE FROM product_analytics_membership WHERE user_id = $1::int AND group_id = $2::int", [
      user.id,
      group
    ])
    if (group !== ADMINISTRATORS || (yield* refusal) === null) continue
    yield* addToGroups(sql, user.id, [group])
    kept.push(group)
    yield* Effect.logWarning("The identity provider removes the last administrator from their group; they stay in it.")
  }
  const actual = removed.filter((group) => !kept.includes(group))
  if (added.length === 0 && actual.length === 0) return
  const details = { added, removed: actual, by: "identity provider" }
  yield* writeAudit(sql, { action: "user.update", ...userTarget(user), details }, actorOf(user))
})

/** The user of an identity, in the caller's transaction. */
export const identityUser = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  identity: Identity,
  provision: boolean
): Effect.fn.Return<UserId, PeopleError | SqlError.SqlError> {
  const [known] = yield* sql.unsafe<Found>(BY_IDENTITY, [identity.issuer, identity.subject])
  const user = known ?? (yield* adopt(sql, identity)) ?? (provision ? yield* provisioned(sql, identity) : null)
  if (user === null) return yield* denied("You have no account here yet. Ask an administrator for an invitation.")
  if (!user.is_active) return yield* denied("Your account is disabled. Ask an administrator to enable it.")
  if (identity.groups !== null) yield* syncGroups(sql, user, identity.groups)
  return user.id
})
