import { Effect } from "effect"
import type { SessionId, VisitId } from "../domain/ids.ts"
import type { Source } from "./findSite.ts"
import { sessionIdOf, visitIdOf } from "./identity.ts"
import { VISIT_LIFETIME_SECONDS } from "./limits.ts"
import { Policy } from "./Policy.ts"
import type { Payload } from "./payload.ts"
import type { Client } from "./resolveClient.ts"
import { type TokenClaims, verifyToken } from "./token.ts"

/** A payload's session and visit. `visitStart` is the token's `iat`, seconds since the epoch. */
export interface Visit {
  readonly sessionId: SessionId
  readonly visitId: VisitId
  readonly visitStart: number
  /** The token proves that the session was stored before. */
  readonly isKnown: boolean
}

/** The claims of the request's token when they are of this source; a wrong token is no token. */
export const readToken = Effect.fnUntraced(function* (token: string | null, source: Source, now: number) {
  if (token === null || token === "") return null
  const policy = yield* Policy
  return verifyToken(token, source.sent, policy.secret, Math.floor(now / 1000))
})

/**
 * Umami's session, always computed afresh, and visit: the token's while it is younger than 30 minutes (for events with a
 * time of their own: at any age), else the session's of this clock hour (wire contract 1.9). When the token's session is
 * not the computed one (another address, agent or period) the token says nothing: the session is stored as a new one.
 */
export const resolveVisit = Effect.fnUntraced(function* (
  payload: Payload,
  source: Source,
  client: Client,
  token: TokenClaims | null,
  createdAt: number,
  now: number
) {
  const policy = yield* Policy
  const sessionId = sessionIdOf(
    {
      sourceId: source.sent,
      distinctId: payload.id,
      ip: client.ip,
      userAgent: client.userAgent,
      createdAt
    },
    policy.saltRotation,
    policy.secret
  )
  const seconds = Math.floor(now / 1000)
  const current = token !== null && token.sessionId === sessionId ? token : null
  if (current !== null && (createdAt !== now || seconds - current.iat <= VISIT_LIFETIME_SECONDS)) {
    const visit: Visit = { sessionId, visitId: current.visitId as VisitId, visitStart: current.iat, isKnown: true }
    return visit
  }
  const visit: Visit = {
    sessionId,
    visitId: visitIdOf(sessionId, createdAt, policy.secret),
    visitStart: seconds,
    isKnown: current !== null
  }
  return visit
})
