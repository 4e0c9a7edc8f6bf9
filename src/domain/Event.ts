import type { EventId, SessionId, SiteId, VisitId } from "./ids.ts"

/** Umami's `event_type`: what a stored event is. */
export const EventType = { pageview: 1, custom: 2, link: 3, pixel: 4, performance: 5 } as const
export type EventType = (typeof EventType)[keyof typeof EventType]

/** Rows of all other types are views. Umami's reports count these as none. */
export const NOT_VIEWS: ReadonlyArray<EventType> = [EventType.custom, EventType.performance]

/** A visit ends when its visitor has no row, web vitals aside, for longer than this. */
export const VISIT_GAP_SECONDS = 1_800

/** Columnar copies note the times of predecessors as whole numbers of this many seconds since 1970. */
export const PREDECESSOR_BUCKET_SECONDS = 900

/** Umami's `data_type` of a property. */
export const DataType = { string: 1, number: 2, boolean: 3, date: 4, array: 5 } as const
export type DataType = (typeof DataType)[keyof typeof DataType]

/** One flattened property. `date` is in ms since the epoch. Sizes: key and string at most 500 UTF-16 units. */
export interface Property {
  readonly key: string
  readonly type: DataType
  readonly string: string
  readonly number: number | null
  readonly date: number | null
}

/** What is known about a visitor when a session is first seen. Null means unknown. Times in ms since the epoch. */
export interface SessionRecord {
  readonly id: SessionId
  readonly siteId: SiteId
  readonly distinctId: string | null
  readonly browser: string | null
  readonly os: string | null
  readonly device: string | null
  readonly screen: string | null
  readonly language: string | null
  readonly country: string | null
  readonly region: string | null
  readonly city: string | null
  readonly createdAt: number
  /** First touch: where the session's first event came from. */
  readonly firstPath: string | null
  readonly firstReferrerDomain: string | null
  readonly firstUtmSource: string | null
  readonly firstUtmMedium: string | null
  readonly firstUtmCampaign: string | null
}

/** The five UTM parameters of a page's URL. */
export interface Utm {
  readonly utmSource: string | null
  readonly utmMedium: string | null
  readonly utmCampaign: string | null
  readonly utmContent: string | null
  readonly utmTerm: string | null
}

/** The ad networks' click ids in a page's URL. */
export interface ClickIds {
  readonly gclid: string | null
  readonly fbclid: string | null
  readonly msclkid: string | null
  readonly ttclid: string | null
  readonly liFatId: string | null
  readonly twclid: string | null
}

/** Web vitals: milliseconds with one decimal; `cls` is a score with four. */
export interface Vitals {
  readonly lcp: number | null
  readonly inp: number | null
  readonly fcp: number | null
  readonly ttfb: number | null
  readonly cls: number | null
}

export interface Page {
  readonly urlPath: string
  readonly urlQuery: string | null
  readonly hostname: string | null
  readonly pageTitle: string | null
  readonly referrerPath: string | null
  readonly referrerQuery: string | null
  readonly referrerDomain: string | null
}

/**
 * A fully resolved event, ready to be stored: strings fit their columns and contain neither NUL nor lone surrogates. `createdAt` is the
 * event's time in ms since the epoch. `session` is the row to create if the storage has none with this id; null if a valid token proves
 * that it was stored before.
 */
export interface EventRecord extends Page, Utm, ClickIds, Vitals {
  readonly id: EventId
  readonly siteId: SiteId
  readonly sessionId: SessionId
  readonly visitId: VisitId
  readonly createdAt: number
  readonly type: EventType
  readonly name: string | null
  readonly tag: string | null
  /** The positive amount of `data.revenue` with its upper-cased `data.currency`, otherwise null. */
  readonly revenue: number | null
  readonly currency: string | null
  readonly properties: ReadonlyArray<Property>
  readonly session: SessionRecord | null
}

/** An `identify`: the session (its distinct id is set if the session exists without it) and its attributes, last value wins. */
export interface IdentityRecord {
  readonly session: SessionRecord
  readonly properties: ReadonlyArray<Property>
  /** Event time in ms since the epoch. */
  readonly createdAt: number
}
