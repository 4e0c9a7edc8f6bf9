import { Effect, Layer, Result } from "effect"
import { parseName, parseTimezone } from "../../../../src/domain/fieldIssues.ts"
import { ADMINISTRATORS, type UserId } from "../../../../src/domain/people.ts"
import { Passwords } from "../../../../src/ports/Passwords.ts"
import { invalidValues, PeopleError, peopleUnavailable } from "../../../../src/ports/PeopleError.ts"
import { Setup, type SetupValues } from "../../../../src/ports/Setup.ts"
import { INSTANCE_NAME, INSTANCE_TIMEZONE } from "../../../../src/settings/settings.ts"
import { AppDatabase } from "../../client/Database.ts"
import { runChange } from "../../client/runStatement.ts"
import { writeAudit } from "../audit.ts"
import { hashToken, MAX_TOKEN_LENGTH, newToken } from "../secretTokens.ts"
import { IS_SETUP_OPEN } from "./administrators.ts"
import { addToGroups } from "./memberships.ts"
import { actorOf, toUser, USER_COLUMNS, type UserRow, userTarget } from "./userRows.ts"
import { acceptNewUser } from "./values.ts"

/** Tokens that work at the same time: each start of a process creates one. */
const MAX_TOKENS = 20

const CREATE_TOKEN = "INSERT INTO product_analytics_setup_link (hash) VALUES (decode($1, 'hex'))"
const DELETE_OLDEST = `DELETE FROM product_analytics_setup_link WHERE hash IN (
    SELECT hash FROM product_analytics_setup_link ORDER BY created_at DESC, hash OFFSET ${MAX_TOKENS}
  )`
const IS_VALID = "SELECT 1 FROM product_analytics_setup_link WHERE hash = decode($1, 'hex')"
const CLOSE = "UPDATE product_analytics_setup SET completed_at = now() WHERE completed_at IS NULL RETURNING 1"
const CREATE_USER = `INSERT INTO product_analytics_user (email, name, password_hash) VALUES ($1, $2, $3)
  ON CONFLICT (lower(email)) DO UPDATE SET name = excluded.name, password_hash = excluded.password_hash, disabled_at = NULL
  RETURNING id`
const GET_USER = `SELECT ${USER_COLUMNS} FROM product_analytics_user u WHERE u.id = $1::int`
const SET = `INSERT INTO product_analytics_setting (name, value) VALUES ($1, $2)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = now()`

const denied = new PeopleError({
  reason: "Denied",
  message:
    "This setup link is incomplete, was replaced by newer ones, or setup is done already. Restart `bun run full` for a new link, or sign in."
})

/** The settings that setup writes, in their normal form. */
const acceptSettings = Effect.fnUntraced(function* ({ instanceName, timezone }: SetupValues) {
  const name = instanceName === undefined ? null : parseName(instanceName, "The instance's name")
  const zone = timezone === undefined ? null : parseTimezone(timezone)
  const issues = [
    ...(name !== null && Result.isFailure(name)
      ? name.failure.map((issue) => ({ ...issue, field: "instanceName" }))
      : []),
    ...(zone !== null && Result.isFailure(zone) ? zone.failure : [])
  ]
  if (issues.length > 0) return yield* invalidValues(issues)
  return [
    ...(name !== null && Result.isSuccess(name) ? [[INSTANCE_NAME.name, name.success] as const] : []),
    ...(zone !== null && Result.isSuccess(zone) ? [[INSTANCE_TIMEZONE.name, zone.success] as const] : [])
  ]
})

/** Setup in the app database: one row says whether it is done, and its lock decides who comes first. */
export const layer: Layer.Layer<Setup, never, AppDatabase | Passwords> = Layer.effect(
  Setup,
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const passwords = yield* Passwords
    const run = <A, X>(statements: Effect.Effect<A, X>) => runChange(statements, peopleUnavailable)
    const exists = (statement: string, values: ReadonlyArray<unknown> = []) =>
      Effect.map(sql.unsafe(statement, values), (rows) => rows.length > 0)
    let isClosed = false

    const isValid = (token: string) =>
      token.length > MAX_TOKEN_LENGTH ? Effect.succeed(false) : exists(IS_VALID, [hashToken(token)])

    const createToken = Effect.gen(function* () {
      if (!(yield* exists(`${IS_SETUP_OPEN} FOR SHARE`))) return null
      const token = newToken()
      yield* sql.unsafe(CREATE_TOKEN, [hashToken(token)])
      yield* sql.unsafe(DELETE_OLDEST)
      return token
    })

    interface Accepted {
      readonly email: string
      readonly name: string
      readonly hash: string
      readonly settings: ReadonlyArray<readonly [name: string, value: string]>
    }

    const complete = Effect.fnUntraced(function* (token: string, { email, hash, name, settings }: Accepted) {
      if (!(yield* exists(CLOSE)) || !(yield* isValid(token))) return yield* denied
      yield* sql.unsafe("DELETE FROM product_analytics_setup_link")
      const [created] = yield* sql.unsafe<{ readonly id: UserId }>(CREATE_USER, [email, name, hash])
      yield* addToGroups(sql, created!.id, [ADMINISTRATORS])
      for (const setting of settings) yield* sql.unsafe(SET, setting)
      const [row] = yield* sql.unsafe<UserRow>(GET_USER, [created!.id])
      const user = toUser(row!)
      yield* writeAudit(sql, { action: "setup.complete", ...userTarget(user) }, actorOf(user))
      return user
    })

    return Setup.of({
      isOpen: Effect.suspend(() =>
        isClosed
          ? Effect.succeed(false)
          : Effect.tap(run(exists(IS_SETUP_OPEN)), (isOpen) =>
              Effect.sync(() => {
                isClosed = !isOpen
              })
            )
      ),
      createToken: run(sql.withTransaction(createToken)),
      isValid: (token) => run(isValid(token)),
      complete: Effect.fn("Setup.complete")(function* (token, values) {
        // Before the slow hash, which an unknown caller must not cause.
        if (!(yield* run(isValid(token)))) return yield* denied
        const [user, settings] = yield* Effect.all([
          Effect.result(acceptNewUser({ email: values.email, name: values.name }, values.password)),
          Effect.result(acceptSettings(values))
        ])
        if (Result.isFailure(user) || Result.isFailure(settings)) {
          return yield* invalidValues([
            ...(Result.isFailure(user) ? (user.failure.issues ?? []) : []),
            ...(Result.isFailure(settings) ? (settings.failure.issues ?? []) : [])
          ])
        }
        const { email, name } = user.success
        const hash = yield* passwords.hash(values.password)
        return yield* run(sql.withTransaction(complete(token, { email, name, hash, settings: settings.success })))
      })
    })
  })
)
