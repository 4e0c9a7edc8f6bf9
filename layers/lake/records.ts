import type { EventRecord, IdentityRecord, Property, SessionRecord } from "../../src/domain/Event.ts"

/*
 * What a collector's log holds of an event or an identity: JSON arrays that begin with a kind and hold the rows of the lake's
 * tables, each in the order of its table's columns, so that a reader puts them into columns as they are. A later version may
 * append to a row; a row that is shorter than its table ends in nulls. Arrays of values without keys are half as long as
 * objects, and JSON.stringify is native: about 1 us an event.
 */

export type Value = string | number | ReadonlyArray<string> | null
/** Values in the order of a table's columns. */
export type Row = ReadonlyArray<Value>

const KIND = { event: 1, identity: 2 } as const

export type LogRecord =
  | readonly [kind: typeof KIND.event, event: Row, session: Row | null]
  | readonly [kind: typeof KIND.identity, session: Row, attributes: ReadonlyArray<Row>]

export const isEvent = (record: LogRecord): record is Extract<LogRecord, readonly [1, ...unknown[]]> =>
  record[0] === KIND.event

const pairs = (properties: ReadonlyArray<Property>): ReadonlyArray<string> | null => {
  if (properties.length === 0) return null
  const texts: Array<string> = []
  for (const { key, string } of properties) texts.push(key, string)
  return texts
}

/** In the order of `pa_events`. Where the columns are that a reader needs to place the row. */
export const EVENT_SITE = 1
export const EVENT_TIME = 4

const eventRow = (r: EventRecord, receivedAt: number): Row => [
  r.id,
  r.siteId,
  r.sessionId,
  r.visitId,
  r.createdAt,
  receivedAt,
  r.type,
  r.name,
  r.urlPath,
  r.urlQuery,
  r.hostname,
  r.pageTitle,
  r.referrerDomain,
  r.referrerPath,
  r.referrerQuery,
  r.tag,
  r.utmSource,
  r.utmMedium,
  r.utmCampaign,
  r.utmContent,
  r.utmTerm,
  r.gclid,
  r.fbclid,
  r.msclkid,
  r.ttclid,
  r.liFatId,
  r.twclid,
  r.revenue,
  r.currency,
  r.lcp,
  r.inp,
  r.fcp,
  r.ttfb,
  r.cls,
  pairs(r.properties)
]

/** In the order of `pa_sessions`. */
export const SESSION_CREATED_AT = 2

const sessionRow = (s: SessionRecord, updatedAt: number): Row => [
  s.id,
  s.siteId,
  s.createdAt,
  updatedAt,
  s.distinctId,
  s.browser,
  s.os,
  s.device,
  s.screen,
  s.language,
  s.country,
  s.region,
  s.city,
  s.firstPath,
  s.firstReferrerDomain,
  s.firstUtmSource,
  s.firstUtmMedium,
  s.firstUtmCampaign
]

/** In the order of `pa_session_data`. */
export const ATTRIBUTE_CREATED_AT = 7

/** Times in ms since the epoch; `receivedAt` with microseconds after the point. Null: a session that is in the lake already. */
export const encodeEvent = (record: EventRecord, session: SessionRecord | null, receivedAt: number): string =>
  JSON.stringify([KIND.event, eventRow(record, receivedAt), session === null ? null : sessionRow(session, receivedAt)])

export const encodeIdentity = ({ createdAt, properties, session }: IdentityRecord, receivedAt: number): string =>
  JSON.stringify([
    KIND.identity,
    sessionRow(session, receivedAt),
    properties.map(
      (p): Row => [session.id, session.siteId, p.key, p.type, p.string, p.number, p.date, createdAt, receivedAt]
    )
  ])

const utf8 = new TextDecoder()

/** Undefined for bytes that are no record of this version; a newer one may have written others. */
export const decodeRecord = (bytes: Uint8Array): LogRecord | undefined => {
  try {
    const decoded: unknown = JSON.parse(utf8.decode(bytes))
    const kind: unknown = Array.isArray(decoded) ? decoded[0] : undefined
    return kind === KIND.event || kind === KIND.identity ? (decoded as LogRecord) : undefined
  } catch {
    return undefined
  }
}
