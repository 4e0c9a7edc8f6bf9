import { Clock, Effect } from "effect"
import { type EventRecord, EventType, type IdentityRecord, type SessionRecord } from "../domain/Event.ts"
import type { EventId, SiteId } from "../domain/ids.ts"
import { Rejection } from "../domain/Rejection.ts"
import type { StorageError } from "../domain/StorageError.ts"
import { FeatureGate } from "../ports/FeatureGate.ts"
import { Storage } from "../ports/Storage.ts"
import { admit } from "./admit.ts"
import { findSource, type Source } from "./findSite.ts"
import { SIZE } from "./limits.ts"
import { Policy } from "./Policy.ts"
import { type Address, resolvePage, resolvePerformancePage, resolveVitals } from "./page.ts"
import { coerceTimestamp, decodeBody, type Payload, type SendBody } from "./payload.ts"
import { flattenProperties, resolveRevenue } from "./properties.ts"
import { type Client, type RequestContext, resolveClient } from "./resolveClient.ts"
import { readToken, resolveVisit, type Visit } from "./resolveSession.ts"
import { cutOrNull } from "./text.ts"
import { signToken } from "./token.ts"

/** What the client of a stored payload gets back: Umami's three values. */
export interface Accepted {
  readonly type: SendBody["type"]
  readonly cache: string
  readonly sessionId: string
  readonly visitId: string
}

/** One body of `/api/send`, from JSON to stored (wire contract 1.3). Resumes when the storage says that it is durable. */
export const processPayload = Effect.fnUntraced(
  function* (body: unknown, request: RequestContext) {
    const gate = yield* FeatureGate
    if (!gate.isOn()) return yield* Effect.fail(Rejection.Disabled())
    const { type, payload } = yield* decodeBody(body)
    const now = yield* Clock.currentTimeMillis
    const source = yield* findSource(payload)
    const token = yield* readToken(request.headers.get("x-umami-cache"), source, now)
    const client = yield* resolveClient(payload, request)
    yield* admit(client, source, now)
    const createdAt = resolveTime(payload, now)
    const visit = yield* resolveVisit(payload, source, client, token, createdAt, now)
    const policy = yield* Policy
    const page =
      type === "performance" ? resolvePerformancePage(payload) : resolvePage(payload, policy.removeTrailingSlash)
    const properties = type === "performance" ? [] : yield* flattenProperties(payload.data)
    const session = () => sessionRecord(payload, source, client, visit, page, createdAt)
    const storage = yield* Storage
    yield* type === "identify"
      ? storage.saveIdentity({ session: session(), properties, createdAt } satisfies IdentityRecord)
      : storage.saveEvent({
          ...page,
          ...resolveVitals(type, payload),
          ...resolveRevenue(type === "event" ? payload.data : undefined),
          id: Bun.randomUUIDv7("hex", now) as EventId,
          siteId: source.id as SiteId,
          sessionId: visit.sessionId,
          visitId: visit.visitId,
          createdAt,
          type: eventTypeOf(type, source, payload),
          name: type === "performance" ? null : cutOrNull(payload.name, SIZE.eventName),
          tag: type === "performance" ? null : cutOrNull(payload.tag, SIZE.tag),
          properties,
          session: visit.isKnown ? null : session()
        } satisfies EventRecord)
    const accepted: Accepted = {
      type,
      cache: signToken(
        {
          websiteId: source.sent,
          sessionId: visit.sessionId,
          visitId: visit.visitId,
          iat: visit.visitStart
        },
        policy.secret
      ),
      sessionId: visit.sessionId,
      visitId: visit.visitId
    }
    return accepted
  },
  Effect.catchTag("StorageError", (error) => Effect.fail(storageRejection(error)))
)

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

/** What a client may do about a storage that did not take its record. */
const RETRY_AFTER_SECONDS = { Overloaded: 1, Unavailable: 5 } as const

const storageRejection = (error: StorageError): Rejection =>
  error.reason === "Refused"
    ? Rejection.Refused({ message: error.message })
    : Rejection.Unavailable({ reason: error.reason, retryAfterSeconds: RETRY_AFTER_SECONDS[error.reason] })
