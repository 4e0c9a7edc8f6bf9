import { Cache, Clock, Effect, Exit, Layer } from "effect"
import { UUID_PATTERN } from "../../../../src/domain/ids.ts"
import { ALL_USERS, type GroupId, type UserId } from "../../../../src/domain/people.ts"
import { PeopleError, peopleUnavailable, userNotFound } from "../../../../src/ports/PeopleError.ts"
import { Settings } from "../../../../src/ports/Settings.ts"
import {
  type SessionOpen,
  type SessionUser,
  type UserSession,
  UserSessions
} from "../../../../src/ports/UserSessions.ts"
import { SESSION_IDLE_MINUTES, SESSION_MAX_MINUTES } from "../../../../src/settings/settings.ts"
import { floatArray, uuidArray } from "../../client/arrays.ts"
import { AppDatabase } from "../../client/Database.ts"
import { runChange } from "../../client/runStatement.ts"
import { audited, writeAudit } from "../audit.ts"
import { Changes } from "../Changes.ts"
import { LastUses } from "../LastUses.ts"
import { hashToken, MAX_TOKEN_LENGTH, newToken } from "../secretTokens.ts"
import { actorOf, userTarget } from "./userRows.ts"

/** How long a looked-up session is cached. A change that is noticed clears the cache sooner. */
const CACHE_TTL = "4 seconds"
/** How many sessions are cached, including unknown ones. */
const CACHE_CAPACITY = 5_000
/** A session that was seen within this time is not written again. */
const TOUCH_AFTER_MS = 60_000
/** Sessions that one user may have: more than anybody has browsers. */
const MAX_SESSIONS = 50
/** In characters. */
const MAX_USER_AGENT_LENGTH = 300

const LISTED = `s.id, s.user_id, s.user_agent,
  floor(extract(epoch FROM s.created_at) * 1000)::float8 AS created_ms,
  floor(extract(epoch FROM s.last_seen_at) * 1000)::float8 AS seen_ms,
  floor(extract(epoch FROM s.expires_at) * 1000)::float8 AS expires_ms`
// Names the columns as the statement's alias has them.
const OPEN = `INSERT INTO product_analytics_user_session AS s (id, user_id, hash, user_agent, provider_session, expires_at)
  VALUES ($1::uuid, $2::int, decode($3, 'hex'), $4, $5, now() + make_interval(mins => least($6::int, $7::int)))
  RETURNING ${LISTED}`
const SIGNED_IN = `UPDATE product_analytics_user SET last_login_at = now()
  WHERE id = $1::int AND disabled_at IS NULL RETURNING id, name`
const END_OLDEST = `DELETE FROM product_analytics_user_session WHERE id IN (
    SELECT id FROM product_analytics_user_session WHERE user_id = $1::int ORDER BY last_seen_at DESC, id OFFSET ${MAX_SESSIONS}
  )`
const FIND = `SELECT s.id, s.user_id, u.name,
    floor(extract(epoch FROM s.last_seen_at) * 1000)::float8 AS seen_ms,
    floor(extract(epoch FROM s.expires_at) * 1000)::float8 AS expires_ms,
    ARRAY(SELECT m.group_id FROM product_analytics_membership m WHERE m.user_id = s.user_id) AS groups
  FROM product_analytics_user_session s JOIN product_analytics_user u ON u.id = s.user_id
  WHERE s.hash = decode($1, 'hex') AND s.expires_at > now() AND u.disabled_at IS NULL`
const LIST = `SELECT ${LISTED} FROM product_analytics_user_session s
  WHERE s.user_id = $1::int AND s.expires_at > now() ORDER BY s.last_seen_at DESC, s.id`
const END = `DELETE FROM product_analytics_user_session s USING product_analytics_user u
  WHERE s.id = $1::uuid AND u.id = s.user_id AND ($2::int IS NULL OR s.user_id = $2::int)
  RETURNING u.id, u.name, s.provider_session`
const END_ALL = "DELETE FROM product_analytics_user_session WHERE user_id = $1::int"
const USER = "SELECT id, name FROM product_analytics_user WHERE id = $1::int"
const TOUCH = `UPDATE product_analytics_user_session AS s SET
    last_seen_at = greatest(s.last_seen_at, to_timestamp(used.ms / 1000)),
    expires_at = least(
      greatest(s.last_seen_at, to_timestamp(used.ms / 1000)) + make_interval(mins => $3::int),
      s.created_at + make_interval(mins => $4::int)
    )
  FROM unnest($1::uuid[], $2::float8[]) AS used (id, ms) WHERE s.id = used.id`

interface SessionRow {
  readonly id: string
  readonly user_id: UserId
  readonly user_agent: string | null
  readonly created_ms: number
  readonly seen_ms: number
  readonly expires_ms: number
}

interface FoundRow {
  readonly id: string
  readonly user_id: UserId
  readonly name: string
  readonly seen_ms: number
  readonly expires_ms: number
  readonly groups: ReadonlyArray<GroupId>
}

interface Named {
  readonly id: UserId
  readonly name: string
}

interface Ended extends Named {
  readonly provider_session: string | null
}

const toSession = (row: SessionRow): UserSession => ({
  id: row.id,
  userId: row.user_id,
  userAgent: row.user_agent,
  createdAt: new Date(row.created_ms),
  lastSeenAt: new Date(row.seen_ms),
  expiresAt: new Date(row.expires_ms)
})

const toSessionUser = (row: FoundRow): SessionUser => ({
  sessionId: row.id,
  userId: row.user_id,
  name: row.name,
  groups: [ALL_USERS, ...row.groups]
})

const storedUserAgent = (userAgent: string | null): string | null =>
  userAgent
    ?.replaceAll(/\p{Cc}/gu, "")
    .slice(0, MAX_USER_AGENT_LENGTH)
    .toWellFormed() ?? null

const sessionNotFound = new PeopleError({ reason: "NotFound", message: "There is no session with this id." })

/** Sessions in the app database. They are found by their hash, so the time of a look-up reveals nothing about a token. */
export const layer: Layer.Layer<UserSessions, never, AppDatabase | Changes | Settings> = Layer.effect(
  UserSessions,
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const changes = yield* Changes
    const { get } = yield* Settings
    const run = <A, X>(statements: Effect.Effect<A, X>) => runChange(statements, peopleUnavailable)

    const cache = yield* Cache.makeWith(
      (hash: string) => Effect.map(run(sql.unsafe<FoundRow>(FIND, [hash])), ([row = null]) => row),
      { capacity: CACHE_CAPACITY, timeToLive: (exit) => (Exit.isSuccess(exit) ? CACHE_TTL : 0) }
    )
    const clearCache = Cache.invalidateAll(cache)
    yield* changes.follow("people", clearCache)
    /** This process applies its own change at once. */
    const applied = <A, X>(change: Effect.Effect<A, X>) => Effect.tap(run(change), clearCache)

    const uses = new LastUses()
    yield* uses.writeWith((ids, times) =>
      run(sql.unsafe(TOUCH, [uuidArray(ids), floatArray(times), get(SESSION_IDLE_MINUTES), get(SESSION_MAX_MINUTES)]))
    )

    const open = Effect.fnUntraced(function* (
      { method, providerSession = null, replaces, userAgent, userId }: SessionOpen,
      token: string
    ) {
      const [user] = yield* sql.unsafe<Named>(SIGNED_IN, [userId])
      if (user === undefined) return yield* userNotFound(userId)
      if (replaces !== null && replaces.length <= MAX_TOKEN_LENGTH) {
        yield* sql.unsafe("DELETE FROM product_analytics_user_session WHERE hash = decode($1, 'hex')", [
          hashToken(replaces)
        ])
      }
      const [row] = yield* sql.unsafe<SessionRow>(OPEN, [
        crypto.randomUUID(),
        userId,
        hashToken(token),
        storedUserAgent(userAgent),
        providerSession,
        get(SESSION_IDLE_MINUTES),
        get(SESSION_MAX_MINUTES)
      ])
      yield* sql.unsafe(END_OLDEST, [userId])
      yield* writeAudit(sql, { action: "session.create", ...userTarget(user), details: { method } }, actorOf(user))
      return toSession(row!)
    })

    const verify = Effect.fnUntraced(function* (token: string) {
      if (token.length > MAX_TOKEN_LENGTH) return null
      const row = yield* Cache.get(cache, hashToken(token))
      const now = yield* Clock.currentTimeMillis
      if (row === null || row.expires_ms <= now) return null
      if (now - row.seen_ms > TOUCH_AFTER_MS) yield* uses.touch(row.id)
      return toSessionUser(row)
    })

    const endAll = Effect.fnUntraced(function* (userId: UserId) {
      const [user] = yield* sql.unsafe<Named>(USER, [userId])
      if (user === undefined) return yield* userNotFound(userId)
      yield* sql.unsafe(END_ALL, [userId])
      return user
    })

    return UserSessions.of({
      open: Effect.fn("UserSessions.open")(function* (session) {
        const token = newToken()
        return { token, session: yield* applied(sql.withTransaction(open(session, token))) }
      }),
      verify,
      list: (user) => run(Effect.map(sql.unsafe<SessionRow>(LIST, [user]), (rows) => rows.map(toSession))),
      end: Effect.fn("UserSessions.end")(function* (id, owner) {
        if (!UUID_PATTERN.test(id)) return yield* sessionNotFound
        const [ended] = yield* applied(
          audited(sql, sql.unsafe<Ended>(END, [id, owner]), ([session]) =>
            session === undefined ? null : { action: "session.end", ...userTarget(session) }
          )
        )
        return ended === undefined ? yield* sessionNotFound : ended.provider_session
      }),
      endAll: (user) =>
        Effect.asVoid(
          applied(audited(sql, endAll(user), (ended) => ({ action: "session.end-all", ...userTarget(ended) })))
        )
    })
  })
)
