import type { EventRecord, IdentityRecord, Property, SessionRecord } from "../../src/domain/Event.ts"

/*
 * A record in the spool: a JSON array of a kind and the rows of the lake's tables, each in the order of its table's columns.
 *
 *   [1, ["0198…", "3f1c…", …], ["77aa…", …]]      an event's row and, if no earlier event of its session was sent, the session's row
 *   [2, ["77aa…", …], [["77aa…", "plan", …], …]]  an identity: the session's row and one row per attribute
 *
 * A later version may append to a row; missing values are null. Arrays without keys are half as long as objects, and JSON.stringify
 * is native: about 1 us per event.
 */

export type Value = string | number | ReadonlyArray<string> | null
/** Values in the order of a table's columns. */
export type Row = ReadonlyArray<Value>

const KIND = { event: 1, identity: 2 } as const

export type LakeRecord =
  | readonly [kind: typeof KIND.event, event: Row, session: Row | null]
  | readonly [kind: typeof KIND.identity, session: Row, attributes: ReadonlyArray<Row>]

export const isEvent = (record: LakeRecord): record is Extract<LakeRecord, readonly [1, ...unknown[]]> =>
  record[0] === KIND.event

const pairs = (properties: ReadonlyArray<Property>): ReadonlyArray<string> | null => {
  if (properties.length === 0) return null
  const keysAndValues: Array<string> = []
  for (const { key, string } of properties) keysAndValues.push(key, string)
  return keysAndValues
}

/** Indexes in a row of `pa_events`, for choosing its partition. */
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

/** Index in a row of `pa_sessions`. */
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

/** Index in a row of `pa_session_data`. */
export const ATTRIBUTE_CREATED_AT = 7

/**
 * `receivedAt` is in ms since the epoch, with microseconds after the point. `session` is null when its row was sent before.
 */
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

/** Null for bytes that are not a record of this version; a newer version may have written them. */
export const decodeRecord = (bytes: Uint8Array): LakeRecord | null => {
  try {
    const decoded: unknown = JSON.parse(utf8.decode(bytes))
    const kind: unknown = Array.isArray(decoded) ? decoded[0] : undefined
    return kind === KIND.event || kind === KIND.identity ? (decoded as LakeRecord) : null
  } catch {
    return null
  }
}
