import type { SessionId, VisitId } from "../domain/ids.ts"
import type { Source } from "./findSource.ts"
import { type DerivedIds, sessionIdOf, sessionSalt, visitIdOf } from "./identity.ts"
import { VISIT_LIFETIME_SECONDS } from "./limits.ts"
import type { Policy } from "./Policy.ts"
import type { Payload } from "./payload.ts"
import type { Client } from "./resolveClient.ts"
import type { Origin, Token } from "./token.ts"

/** A payload's session and visit. `visitStart` is the token's `iat`, seconds since the epoch. */
export interface Visit {
  readonly sessionId: SessionId
  readonly visitId: VisitId
  readonly visitStart: number
  /** The token proves that the session was stored before. */
  readonly isKnown: boolean
  /** What the session was made of. */
  readonly origin: Origin
}

/** Addresses are compared by this hash, which says nothing about them to who does not know the seed. */
const SEED = crypto.getRandomValues(new Uint32Array(1))[0]!

/**
 * Umami's session, always that of this very payload, and visit: the token's while it is younger than 30 minutes (for events with
 * a time of their own: at any age), else the session's of this clock hour (wire contract 1.9). When the token's session is not
 * the payload's (another address, agent or period) the token says nothing: the session is stored as a new one.
 */
export const resolveVisit = (
  payload: Payload,
  source: Source,
  client: Client,
  token: Token | null,
  createdAt: number,
  now: number,
  policy: Policy["Service"],
  derived: DerivedIds | null
): Visit => {
  const salt = sessionSalt(createdAt, policy.saltRotation)
  const address = Bun.hash.xxHash32(client.ip, SEED)
  const known = token === null ? null : token.origin
  const isSame =
    known !== null &&
    known.address === address &&
    known.salt === salt &&
    known.userAgent === client.userAgent &&
    known.sourceId === source.sent &&
    known.distinctId === payload.id
  const origin = isSame
    ? known
    : { sourceId: source.sent, distinctId: payload.id, userAgent: client.userAgent, salt, address }
  const sessionId = isSame
    ? (token!.sessionId as SessionId)
    : sessionIdOf(source.sent, payload.id, client.ip, client.userAgent, salt, policy.secret, derived)
  const seconds = Math.floor(now / 1000)
  const current = token !== null && token.sessionId === sessionId ? token : null
  if (current !== null) current.origin = origin
  if (current !== null && (createdAt !== now || seconds - current.iat <= VISIT_LIFETIME_SECONDS)) {
    return {
      sessionId,
      visitId: current.visitId as VisitId,
      visitStart: current.iat,
      isKnown: true,
      origin
    }
  }
  return {
    sessionId,
    visitId: visitIdOf(sessionId, createdAt, policy.secret, derived),
    visitStart: seconds,
    isKnown: current !== null,
    origin
  }
}
