import { Effect, Layer, Result } from "effect"
import type { User, UserId } from "../../../../src/domain/people.ts"
import { parseEmail } from "../../../../src/domain/userValues.ts"
import { Passwords } from "../../../../src/ports/Passwords.ts"
import { PeopleError, peopleUnavailable, userNotFound } from "../../../../src/ports/PeopleError.ts"
import { Settings } from "../../../../src/ports/Settings.ts"
import { type Credentials, type UserListOptions, Users, type UserUpdate } from "../../../../src/ports/Users.ts"
import { isPasswordLoginOn } from "../../../../src/settings/passwordLogin.ts"
import { ENABLE_PASSWORD_LOGIN } from "../../../../src/settings/settings.ts"
import { containing } from "../../client/containing.ts"
import { AppDatabase } from "../../client/Database.ts"
import { runChange } from "../../client/runStatement.ts"
import { isUniqueViolation } from "../../client/sqlErrors.ts"
import { audited, writeAudit } from "../audit.ts"
import { keepingAdministrator } from "./administrators.ts"
import { eraseUser } from "./eraseUser.ts"
import { identityUser } from "./identities.ts"
import { createLink, deleteLinks, findLink, linkDenied, useLink } from "./links.ts"
import { addToGroups, replaceGroups } from "./memberships.ts"
import { actorOf, toUser, USER_COLUMNS, type UserRow, userTarget } from "./userRows.ts"
import { acceptNewUser, acceptUser, hashOf } from "./values.ts"

const MATCHING = `FROM product_analytics_user u
  WHERE ($1 = 'all' OR (u.disabled_at IS NULL) = ($1 = 'active'))
    AND ($2::text IS NULL OR u.name ILIKE $2 OR u.email ILIKE $2)
    AND ($3::int IS NULL OR $3 = 1 OR EXISTS (
      SELECT FROM product_analytics_membership m WHERE m.user_id = u.id AND m.group_id = $3
    ))`
const LIST = `SELECT ${USER_COLUMNS} ${MATCHING} ORDER BY lower(u.name), u.id LIMIT $4::int OFFSET $5::int`
const COUNT = `SELECT count(*)::int AS total ${MATCHING}`
const GET = `SELECT ${USER_COLUMNS} FROM product_analytics_user u WHERE u.id = $1::int`
const CREATE = `INSERT INTO product_analytics_user (email, name, password_hash, language, timezone, theme)
  VALUES ($1, $2, $3, $4, $5, coalesce($6::text, 'system'))
  ON CONFLICT (lower(email)) DO NOTHING RETURNING id`
// Null leaves a column unchanged. For those where null is a value, a flag says whether they change.
const UPDATE = `UPDATE product_analytics_user SET
    email = coalesce($2::text, email),
    name = coalesce($3::text, name),
    language = CASE WHEN $4::bool THEN $5::text ELSE language END,
    timezone = CASE WHEN $6::bool THEN $7::text ELSE timezone END,
    theme = coalesce($8::text, theme),
    updated_at = now()
  WHERE id = $1::int RETURNING id`
const DISABLE = `UPDATE product_analytics_user SET disabled_at = now(), updated_at = now()
  WHERE id = $1::int AND disabled_at IS NULL RETURNING id`
const ENABLE = `UPDATE product_analytics_user SET disabled_at = NULL, updated_at = now()
  WHERE id = $1::int AND disabled_at IS NOT NULL RETURNING id`
const DELETE = "DELETE FROM product_analytics_user WHERE id = $1::int RETURNING id"
const SET_PASSWORD = `UPDATE product_analytics_user SET password_hash = $2, updated_at = now()
  WHERE id = $1::int AND disabled_at IS NULL RETURNING id`
const END_SESSIONS = `DELETE FROM product_analytics_user_session
  WHERE user_id = $1::int AND ($2::uuid IS NULL OR id <> $2::uuid)`
const CREDENTIALS = "SELECT id, name, disabled_at IS NULL AS is_active, password_hash FROM product_analytics_user"

interface CredentialsRow {
  readonly id: UserId
  readonly name: string
  readonly is_active: boolean
  readonly password_hash: string | null
}

const toCredentials = ([row]: ReadonlyArray<CredentialsRow>): Credentials | null =>
  row === undefined ? null : { id: row.id, name: row.name, isActive: row.is_active, passwordHash: row.password_hash }

/** Postgres' strings have no NUL. */
const withoutNul = (text: string): string => text.replaceAll("\u0000", "")

const emailTaken = (email: string) =>
  new PeopleError({
    reason: "Conflict",
    message: `A user with the email ${JSON.stringify(email)} already exists; it may be disabled.`
  })

const withoutPasswords = new PeopleError({
  reason: "Conflict",
  message: `Users sign in with single sign-on only, so a link to set a password would not work. Turn ${ENABLE_PASSWORD_LOGIN.env} on first.`
})

/** What changed, for the audit log. The email is not kept there. */
const detailsOf = ({ email, groups, ...values }: UserUpdate) => ({
  ...values,
  ...(email !== undefined && { email: "changed" }),
  ...(groups !== undefined && { group_ids: groups })
})

/** Users in the app database. */
export const layer: Layer.Layer<Users, never, AppDatabase | Passwords | Settings> = Layer.effect(
  Users,
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const passwords = yield* Passwords
    const { get } = yield* Settings
    const run = <A, X>(statements: Effect.Effect<A, X>) => runChange(statements, peopleUnavailable)
    const change = <A, X>(statements: Effect.Effect<A, X>) => run(sql.withTransaction(statements))

    const find = (id: UserId) =>
      Effect.flatMap(sql.unsafe<UserRow>(GET, [id]), ([row]) =>
        row === undefined ? Effect.fail(userNotFound(id)) : Effect.succeed(toUser(row))
      )

    const list = Effect.fnUntraced(function* ({ group, limit, offset, query, status }: UserListOptions) {
      const filters = [status, query === undefined ? null : containing(withoutNul(query)), group ?? null]
      const rows = yield* sql.unsafe<UserRow>(LIST, [...filters, limit, offset])
      const [count] = yield* sql.unsafe<{ readonly total: number }>(COUNT, filters)
      return { users: rows.map(toUser), total: count?.total ?? 0 }
    })

    const updateRow = Effect.fnUntraced(function* (id: UserId, given: Omit<UserUpdate, "groups">) {
      const { email, language, name, theme, timezone } = yield* acceptUser(given)
      const updated = yield* sql.unsafe(UPDATE, [
        id,
        email ?? null,
        name ?? null,
        language !== undefined,
        language ?? null,
        timezone !== undefined,
        timezone ?? null,
        theme ?? null
      ])
      if (updated.length === 0) return yield* userNotFound(id)
    })

    const update = Effect.fnUntraced(function* (id: UserId, { groups, ...given }: UserUpdate) {
      const row = updateRow(id, given)
      // The administrators are locked before the user, as in every change of both.
      yield* groups === undefined ? row : keepingAdministrator(sql, Effect.andThen(row, replaceGroups(sql, id, groups)))
      return yield* find(id)
    })

    /** Runs `DISABLE` or `ENABLE`; a user who is in this state already stays as they are. */
    const setActive = Effect.fnUntraced(function* (id: UserId, isActive: boolean) {
      const changed = yield* keepingAdministrator(sql, sql.unsafe(isActive ? ENABLE : DISABLE, [id]))
      const user = yield* find(id)
      if (changed.length === 0) return user
      if (!isActive) {
        yield* sql.unsafe(END_SESSIONS, [id, null])
        yield* deleteLinks(sql, id)
      }
      yield* writeAudit(sql, { action: isActive ? "user.enable" : "user.disable", ...userTarget(user) })
      return user
    })

    /** The other tables about the user follow their row. */
    const remove = Effect.fnUntraced(function* (id: UserId) {
      const removed = yield* keepingAdministrator(sql, sql.unsafe(DELETE, [id]))
      if (removed.length === 0) return yield* userNotFound(id)
      yield* writeAudit(sql, { action: "user.delete", targetKind: "user", targetId: String(id), targetName: null })
      // Also from the entry above, if they deleted themselves.
      yield* eraseUser(sql, String(id))
    })

    /** Sets a password, and ends what somebody who knew the old one may have started. */
    const storePassword = Effect.fnUntraced(function* (id: UserId, hash: string, keptSession: string | null) {
      const updated = yield* sql.unsafe(SET_PASSWORD, [id, hash])
      if (updated.length === 0) return yield* userNotFound(id)
      yield* sql.unsafe(END_SESSIONS, [id, keptSession])
      yield* deleteLinks(sql, id)
      return yield* find(id)
    })

    return Users.of({
      list: (options) => run(list(options)),
      get: (id) => run(find(id)),
      create: Effect.fn("Users.create")(function* ({ groups = [], password, ...given }) {
        const values = yield* acceptNewUser(given, password)
        const hash = password === undefined ? null : yield* passwords.hash(password)
        const { email, language = null, name, theme = null, timezone = null } = values
        const create = Effect.gen(function* () {
          const row = [email, name, hash, language, timezone, theme]
          const [created] = yield* sql.unsafe<{ readonly id: UserId }>(CREATE, row)
          if (created === undefined) return yield* emailTaken(email)
          yield* addToGroups(sql, created.id, groups)
          return yield* find(created.id)
        })
        return yield* run(
          audited(sql, create, (user) => ({
            action: "user.create",
            ...userTarget(user),
            details: { group_ids: user.groups }
          }))
        )
      }),
      update: (id, given) =>
        audited(sql, update(id, given), (user) => ({
          action: "user.update",
          ...userTarget(user),
          details: detailsOf(given)
        })).pipe(
          Effect.catchIf(isUniqueViolation, () => Effect.fail(emailTaken(given.email ?? ""))),
          run
        ),
      disable: (id) => change(setActive(id, false)),
      enable: (id) => change(setActive(id, true)),
      remove: (id) => change(remove(id)),
      createLink: (id) => (isPasswordLoginOn(get) ? change(createLink(sql, id)) : Effect.fail(withoutPasswords)),
      linkOwner: (token) => run(findLink(sql, token)),
      followLink: Effect.fn("Users.followLink")(function* (token, password) {
        const owner = yield* run(findLink(sql, token))
        if (owner === null) return yield* linkDenied
        const hash = yield* hashOf(passwords, password, owner)
        return yield* change(
          Effect.gen(function* () {
            if (!(yield* useLink(sql, token))) return yield* linkDenied
            const user = yield* storePassword(owner.id, hash, null)
            const action = owner.kind === "invitation" ? "user.accept-invitation" : "user.reset-password"
            yield* writeAudit(sql, { action, ...userTarget(user) }, actorOf(user))
            return user
          })
        )
      }),
      credentials: (email) =>
        Result.match(parseEmail(email), {
          onFailure: () => Effect.succeed(null),
          onSuccess: (address) =>
            run(
              Effect.map(sql.unsafe<CredentialsRow>(`${CREDENTIALS} WHERE lower(email) = $1`, [address]), toCredentials)
            )
        }),
      credentialsOf: (id) =>
        run(Effect.map(sql.unsafe<CredentialsRow>(`${CREDENTIALS} WHERE id = $1::int`, [id]), toCredentials)),
      setPassword: Effect.fn("Users.setPassword")(function* (id, password, keptSession) {
        const hash = yield* hashOf(passwords, password, yield* run(find(id)))
        yield* run(
          audited(sql, sql.withTransaction(storePassword(id, hash, keptSession)), (user: User) => ({
            action: "user.change-password",
            ...userTarget(user)
          }))
        )
      }),
      ofIdentity: (identity, provision) =>
        change(Effect.flatMap(identityUser(sql, identity, provision), (id) => find(id)))
    })
  })
)
