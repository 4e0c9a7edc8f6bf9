import type { SessionId, VisitId } from "../domain/ids.ts"
import type { Source } from "./findSite.ts"
import { sessionIdOf, visitIdOf } from "./identity.ts"
import { VISIT_LIFETIME_SECONDS } from "./limits.ts"
import type { Policy } from "./Policy.ts"
import type { Payload } from "./payload.ts"
import type { Client } from "./resolveClient.ts"
import type { TokenClaims } from "./token.ts"

/** A payload's session and visit. `visitStart` is the token's `iat`, seconds since the epoch. */
export interface Visit {
  readonly sessionId: SessionId
  readonly visitId: VisitId
  readonly visitStart: number
  /** The token proves that the session was stored before. */
  readonly isKnown: boolean
}

/**
 * Umami's session, always computed afresh, and visit: the token's while it is younger than 30 minutes (for events with a
 * time of their own: at any age), else the session's of this clock hour (wire contract 1.9). When the token's session is
 * not the computed one (another address, agent or period) the token says nothing: the session is stored as a new one.
 */
export const resolveVisit = (
  payload: Payload,
  source: Source,
  client: Client,
  token: TokenClaims | null,
  createdAt: number,
  now: number,
  policy: Policy["Service"]
): Visit => {
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
    return { sessionId, visitId: current.visitId as VisitId, visitStart: current.iat, isKnown: true }
  }
  return {
    sessionId,
    visitId: visitIdOf(sessionId, createdAt, policy.secret),
    visitStart: seconds,
    isKnown: current !== null
  }
}
