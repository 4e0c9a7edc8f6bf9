import { Exit } from "effect"
import type { SessionId, VisitId } from "../domain/ids.ts"
import type { Draft } from "./Draft.ts"
import type { Origin } from "./Identity.ts"
import { VISIT_LIFETIME_SECONDS } from "./limits.ts"
import type { PipelineEnv } from "./PipelineEnv.ts"
import type { Step } from "./Step.ts"

/** A payload's session and visit. `visitStart` is the token's `iat`, in seconds since the epoch. */
export interface Visit {
  readonly sessionId: SessionId
  readonly visitId: VisitId
  readonly visitStart: number
  /** A token proves that the session has been stored. */
  readonly isKnown: boolean
  /** What the session id was derived from. */
  readonly origin: Origin
}

/** Key of the addresses' hash, which reveals nothing without it. */
const SEED = crypto.getRandomValues(new Uint32Array(1))[0]!

/**
 * Resolves Umami's session and visit. The session is always derived from this payload. The visit is the token's
 * while it is younger than 30 minutes (for events with their own timestamp, at any age), otherwise the session's visit of this
 * clock hour. A token of another session (another address, user agent or period) is ignored, and the session is stored as a new one.
 */
export const resolveVisit: Step = (draft, env) => {
  const { createdAt, now, token } = draft
  const origin = originOf(draft, env)
  const sessionId = sessionOf(draft, origin, env)
  const nowSeconds = Math.floor(now / 1000)
  const current = token !== null && token.sessionId === sessionId ? token : null
  if (current !== null) env.tokens.remember(current, origin)
  const continues = current !== null && (createdAt !== now || nowSeconds - current.iat <= VISIT_LIFETIME_SECONDS)
  draft.visit = {
    sessionId,
    visitId: continues
      ? (current.visitId as VisitId)
      : env.identity.visitId(sessionId, createdAt, draft.request.derived ?? null),
    visitStart: continues ? current.iat : nowSeconds,
    isKnown: current !== null,
    origin
  }
  return Exit.void
}

/** What the payload's session is derived from: the token's origin itself if it is the same. */
const originOf = (
  { client, createdAt, payload, source, token }: Draft,
  { identity }: PipelineEnv["Service"]
): Origin => {
  const salt = identity.sessionSalt(createdAt)
  const address = Bun.hash.xxHash32(client.ip, SEED)
  const known = token === null ? null : token.origin
  return known !== null &&
    known.address === address &&
    known.salt === salt &&
    known.userAgent === client.userAgent &&
    known.sourceId === source.sent &&
    known.distinctId === payload.id
    ? known
    : { sourceId: source.sent, distinctId: payload.id, userAgent: client.userAgent, salt, address }
}

const sessionOf = (
  { client, request, token }: Draft,
  origin: Origin,
  { identity }: PipelineEnv["Service"]
): SessionId =>
  token !== null && token.origin === origin
    ? (token.sessionId as SessionId)
    : identity.sessionId(origin, client.ip, request.derived ?? null)
