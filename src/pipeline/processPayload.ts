import { Clock, Effect, Exit } from "effect"
import { type EventRecord, EventType, type Property, type SessionRecord } from "../domain/Event.ts"
import type { EventId, SiteId } from "../domain/ids.ts"
import { Rejection } from "../domain/Rejection.ts"
import type { StorageError } from "../domain/StorageError.ts"
import { cutOrNull } from "../lib/strings.ts"
import { FeatureGate } from "../ports/FeatureGate.ts"
import { Geo } from "../ports/Geo.ts"
import { RateLimiter } from "../ports/RateLimiter.ts"
import { Sites } from "../ports/Sites.ts"
import { Storage } from "../ports/Storage.ts"
import { admit } from "./admit.ts"
import { findSource, type Source } from "./findSource.ts"
import { SIZE } from "./limits.ts"
import { Policy } from "./Policy.ts"
import { type Address, resolvePage, resolvePerformancePage } from "./page.ts"
import { coerceTimestamp, decodeBody, type Payload, type SendBody } from "./payload.ts"
import { flattenProperties, NO_REVENUE, resolveRevenue } from "./properties.ts"
import { type Client, type RequestContext, resolveClient } from "./resolveClient.ts"
import { resolveVisit, type Visit } from "./resolveVisit.ts"
import { isOwnToken, signToken, verifyToken } from "./token.ts"

/** What the client of a stored payload gets back: Umami's three values. */
export interface Accepted {
  readonly type: SendBody["type"]
  /** The session's token. Made when it is asked for: of a batch, one is told. */
  readonly cache: () => string
  readonly sessionId: string
  readonly visitId: string
}

/** A payload that has only to be stored, and what its client gets once it is. */
export interface Processed {
  readonly write: Effect.Effect<void, StorageError>
  readonly accepted: Accepted
}

/**
 * One body of `/api/send`, from JSON to what is to be stored (wire contract 1.3). The services are looked up once. Nothing here
 * waits: the answer is an exit as soon as the function is called. Exits are looked at by hand, a generator takes a microsecond.
 */
export const makeProcessPayload = Effect.gen(function* () {
  const gate = yield* FeatureGate
  const sites = yield* Sites
  const policy = yield* Policy
  const geo = yield* Geo
  const limiter = yield* RateLimiter
  const storage = yield* Storage
  const clock = yield* Clock.Clock
  return (body: unknown, request: RequestContext): Exit.Exit<Processed, Rejection> => {
    if (!gate.isOn()) return Exit.fail(Rejection.Disabled())
    const decoded = decodeBody(body)
    if (Exit.isFailure(decoded)) return Exit.failCause(decoded.cause)
    const { type, payload } = decoded.value
    const now = clock.currentTimeMillisUnsafe()
    const found = findSource(payload, sites)
    if (Exit.isFailure(found)) return Exit.failCause(found.cause)
    const source = found.value
    const sentToken = request.headers.get("x-umami-cache")
    const claims = verifyToken(sentToken, source.sent, policy.secret, Math.floor(now / 1000))
    const client = resolveClient(payload, request, policy, geo)
    const admitted = admit(client, source, now, policy, limiter)
    if (Exit.isFailure(admitted)) return Exit.failCause(admitted.cause)
    const createdAt = resolveTime(payload, now)
    const visit = resolveVisit(payload, source, client, claims, createdAt, now, policy, request.derived ?? null)
    const page =
      type === "performance" ? resolvePerformancePage(payload) : resolvePage(payload, policy.removeTrailingSlash)
    const flattened = flattenProperties(type === "performance" ? undefined : payload.data)
    if (Exit.isFailure(flattened)) return Exit.failCause(flattened.cause)
    const properties = flattened.value
    return Exit.succeed({
      write:
        type === "identify"
          ? storage.saveIdentity({
              session: sessionRecord(payload, source, client, visit, page, createdAt),
              properties,
              createdAt
            })
          : storage.saveEvent(eventRecord(type, payload, source, client, visit, page, properties, createdAt, now)),
      accepted: {
        type,
        cache: () =>
          claims !== null &&
          claims.visitId === visit.visitId &&
          claims.iat === visit.visitStart &&
          isOwnToken(claims, source.sent)
            ? sentToken!
            : signToken(
                { websiteId: source.sent, sessionId: visit.sessionId, visitId: visit.visitId, iat: visit.visitStart },
                policy.secret,
                visit.origin
              ),
        sessionId: visit.sessionId,
        visitId: visit.visitId
      }
    })
  }
})

/** The payload's own time, else now; ms since the epoch. Umami's `timestamp` is in seconds, and 0 is none. */
const resolveTime = (payload: Payload, now: number): number => {
  const seconds = payload.timestamp === undefined ? 0 : coerceTimestamp(payload.timestamp)
  return seconds === 0 ? now : seconds * 1000
}

/** Umami's `event_type`: a link or pixel wins over a name. */
const eventTypeOf = (type: SendBody["type"], source: Source, payload: Payload): EventType => {
  if (type === "performance") return EventType.performance
  if (source.kind === "link") return EventType.link
  if (source.kind === "pixel") return EventType.pixel
  return payload.name ? EventType.custom : EventType.pageview
}

/** Every column in one literal: an object that is put together from parts takes three times as long. */
const eventRecord = (
  type: "event" | "performance",
  payload: Payload,
  source: Source,
  client: Client,
  visit: Visit,
  page: Address,
  properties: ReadonlyArray<Property>,
  createdAt: number,
  now: number
): EventRecord => {
  const vitals = type === "performance"
  const { revenue, currency } = vitals ? NO_REVENUE : resolveRevenue(payload.data)
  return {
    id: Bun.randomUUIDv7("hex", now) as EventId,
    siteId: source.id as SiteId,
    sessionId: visit.sessionId,
    visitId: visit.visitId,
    createdAt,
    type: eventTypeOf(type, source, payload),
    name: vitals ? null : cutOrNull(payload.name, SIZE.eventName),
    tag: vitals ? null : cutOrNull(payload.tag, SIZE.tag),
    urlPath: page.urlPath,
    urlQuery: page.urlQuery,
    hostname: page.hostname,
    pageTitle: page.pageTitle,
    referrerPath: page.referrerPath,
    referrerQuery: page.referrerQuery,
    referrerDomain: page.referrerDomain,
    utmSource: page.utmSource,
    utmMedium: page.utmMedium,
    utmCampaign: page.utmCampaign,
    utmContent: page.utmContent,
    utmTerm: page.utmTerm,
    gclid: page.gclid,
    fbclid: page.fbclid,
    msclkid: page.msclkid,
    ttclid: page.ttclid,
    liFatId: page.liFatId,
    twclid: page.twclid,
    lcp: vitals ? (payload.lcp ?? null) : null,
    inp: vitals ? (payload.inp ?? null) : null,
    fcp: vitals ? (payload.fcp ?? null) : null,
    ttfb: vitals ? (payload.ttfb ?? null) : null,
    cls: vitals ? (payload.cls ?? null) : null,
    revenue,
    currency,
    properties,
    session: visit.isKnown ? null : sessionRecord(payload, source, client, visit, page, createdAt)
  }
}

const sessionRecord = (
  payload: Payload,
  source: Source,
  client: Client,
  visit: Visit,
  page: Address,
  createdAt: number
): SessionRecord => ({
  id: visit.sessionId,
  siteId: source.id as SiteId,
  distinctId: cutOrNull(payload.id, SIZE.distinctId),
  browser: client.browser,
  os: client.os,
  device: client.device,
  screen: cutOrNull(payload.screen, SIZE.screen),
  language: cutOrNull(payload.language, SIZE.language),
  country: client.country,
  region: client.region,
  city: client.city,
  createdAt,
  firstPath: page.urlPath,
  firstReferrerDomain: page.referrerDomain,
  firstUtmSource: page.utmSource,
  firstUtmMedium: page.utmMedium,
  firstUtmCampaign: page.utmCampaign
})

/** When a client may come back. */
const RETRY_AFTER_SECONDS = { Overloaded: 1, Unavailable: 5 } as const

/** What a client is told of a storage that did not take its record. */
export const storageRejection = (error: StorageError): Rejection =>
  error.reason === "Refused"
    ? Rejection.Refused({ message: error.message })
    : Rejection.Unavailable({ reason: error.reason, retryAfterSeconds: RETRY_AFTER_SECONDS[error.reason] })
