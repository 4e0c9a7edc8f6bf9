import { SIZE } from "../domain/columnSizes.ts"
import { type EventRecord, EventType, type SessionRecord } from "../domain/Event.ts"
import type { EventId, SiteId } from "../domain/ids.ts"
import { cutOrNull } from "../lib/strings.ts"
import type { Draft } from "./Draft.ts"
import { isSameHost } from "./isSameHost.ts"
import { NO_REVENUE, resolveRevenue } from "./resolveRevenue.ts"

/** Umami's `event_type`: a link or pixel takes precedence over a name. */
const eventTypeOf = ({ payload, source, type }: Draft): EventType => {
  if (type === "performance") return EventType.performance
  if (source.kind === "link") return EventType.link
  if (source.kind === "pixel") return EventType.pixel
  return payload.name ? EventType.custom : EventType.pageview
}

/** The event to store. One literal with every column: assembling it from parts takes three times as long. */
export const eventRecord = (draft: Draft): EventRecord => {
  const { page, payload, visit } = draft
  const vitals = draft.type === "performance"
  const { revenue, currency } = vitals ? NO_REVENUE : resolveRevenue(payload.data)
  return {
    id: Bun.randomUUIDv7("hex", draft.now) as EventId,
    siteId: draft.source.id as SiteId,
    sessionId: visit.sessionId,
    visitId: visit.visitId,
    createdAt: draft.createdAt,
    type: eventTypeOf(draft),
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
    properties: draft.properties,
    // An event with its own time may be earlier than the session's first one so far.
    session: visit.isKnown && draft.createdAt === draft.now ? null : sessionRecord(draft)
  }
}

/** The session as its first event describes it. */
export const sessionRecord = ({ client, createdAt, page, payload, source, visit }: Draft): SessionRecord => ({
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
  // Who follows one of the site's own links did not come from the site.
  firstReferrerDomain:
    page.referrerDomain !== null && page.hostname !== null && isSameHost(page.referrerDomain, page.hostname)
      ? null
      : page.referrerDomain,
  firstUtmSource: page.utmSource,
  firstUtmMedium: page.utmMedium,
  firstUtmCampaign: page.utmCampaign
})
