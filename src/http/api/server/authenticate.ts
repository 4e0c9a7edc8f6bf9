import { Effect } from "effect"
import { HttpServerRequest } from "effect/http"
import { isLocalToken } from "../../../domain/localToken.ts"
import { ANONYMOUS, LOCAL_COMMAND, Principal } from "../../../domain/Principal.ts"
import { isLoopback } from "../../../lib/ipAddress.ts"
import { FORWARDING_HEADERS } from "../../../pipeline/ClientAddresses.ts"
import { type AdminKey, AdminKeys } from "../../../ports/AdminKeys.ts"
import { Groups } from "../../../ports/Groups.ts"
import { LocalCommands } from "../../../ports/LocalCommands.ts"
import { Settings } from "../../../ports/Settings.ts"
import { type SessionUser, UserSessions } from "../../../ports/UserSessions.ts"
import { BASE_PATH, PUBLIC_URL } from "../../../settings/settings.ts"
import { isSameOrigin, isSecureRequest, type ReadHeader } from "../../shared/requestOrigin.ts"
import { cookieValue, SESSION_COOKIE } from "../../shared/sessionCookie.ts"
import { Forbidden, ServiceUnavailable, Unauthorized } from "../problems.ts"
import { Peer } from "./Peer.ts"

/** The credential of an `Authorization` header. The scheme is case-insensitive (RFC 9110, section 11.1); null for another scheme. */
const bearerOf = (authorization: string): string | null => /^bearer +(.*)$/i.exec(authorization)?.[1]?.trim() ?? null

const unknownKey = new Unauthorized({ detail: "This API key is unknown or was revoked." })
const unknownLocal = new Unauthorized({
  detail: "This token is for commands on the same machine, and is older than a minute or of another server."
})
const unreachable = (what: string) =>
  new ServiceUnavailable({ detail: `The ${what} can't be checked while the app database is unreachable.` })

/** Methods that change nothing (RFC 9110, section 9.2.1). */
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"])

const crossSite = new Forbidden({
  detail:
    "The browser says that this request comes from another site. Send it from a page of this server, or with an API key."
})
const noOrigin = new Forbidden({
  detail:
    "A request with a session that changes something must have the header `Origin` or `Sec-Fetch-Site`, which browsers send."
})

const keyPrincipal = (groups: Groups["Service"], { group, id, isReadOnly, name, role }: AdminKey): Principal =>
  new Principal({
    kind: "key",
    id,
    name,
    isReadOnly,
    isViewer: role === "viewer",
    ...(group === null ? { isAdmin: role === "admin" } : { groups: [group], ...groups.accessOf([group]) })
  })

const userPrincipal = (groups: Groups["Service"], user: SessionUser): Principal =>
  new Principal({
    kind: "user",
    id: String(user.userId),
    name: user.name,
    userId: user.userId,
    sessionId: user.sessionId,
    groups: user.groups,
    ...groups.accessOf(user.groups)
  })

/** Reads the headers of a request of the framework. */
export const readerOf =
  ({ headers }: HttpServerRequest.HttpServerRequest): ReadHeader =>
  (name) =>
    headers[name] ?? null

/**
 * Finds out who makes a request: an API key or a local command in `Authorization`, otherwise a user's session in the cookie. Fails if the
 * credential is wrong, except that an ended session counts as none, and if a page of another site sent a change with a session.
 */
export const makeAuthenticate = Effect.gen(function* () {
  const keys = yield* AdminKeys
  const groups = yield* Groups
  const sessions = yield* UserSessions
  const local = yield* LocalCommands
  const { get } = yield* Settings

  const withLocalToken = Effect.fnUntraced(function* (token: string, read: ReadHeader) {
    const peer = yield* Peer
    // Behind a proxy on this machine, every client would seem to be on it.
    const isForwarded = FORWARDING_HEADERS.some((name) => read(name) !== null)
    const isLocal = peer !== null && isLoopback(peer) && !isForwarded
    return isLocal && (yield* local.accepts(token)) ? LOCAL_COMMAND : yield* unknownLocal
  })

  const withKey = Effect.fnUntraced(function* (key: string) {
    const record = yield* Effect.mapError(keys.verify(key), () => unreachable("key"))
    return record === null ? yield* unknownKey : keyPrincipal(groups, record)
  })

  const withSession = Effect.fnUntraced(function* (token: string, method: string, read: ReadHeader) {
    const user = yield* Effect.mapError(sessions.verify(token), () => unreachable("session"))
    if (user === null) return ANONYMOUS
    if (!SAFE_METHODS.has(method)) {
      const isOurs = isSameOrigin(read, get(PUBLIC_URL))
      if (isOurs !== true) return yield* isOurs === false ? crossSite : noOrigin
    }
    return userPrincipal(groups, user)
  })

  return Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const read = readerOf(request)
    const authorization = read("authorization")
    if (authorization !== null && authorization.trim() !== "") {
      const token = bearerOf(authorization) ?? ""
      if (isLocalToken(token)) return yield* withLocalToken(token, read)
      return token === "" ? yield* unknownKey : yield* withKey(token)
    }
    const scope = { base: get(BASE_PATH), isSecure: isSecureRequest(read, get(PUBLIC_URL)) }
    const session = cookieValue(read("cookie"), SESSION_COOKIE, scope)
    return session === null ? ANONYMOUS : yield* withSession(session, request.method, read)
  })
})
