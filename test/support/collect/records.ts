import { Effect } from "effect"
import {
  DataType,
  type EventRecord,
  EventType,
  type IdentityRecord,
  type Property,
  type SessionRecord
} from "../../../src/domain/Event.ts"
import { EventId, SessionId, SiteId, VisitId } from "../../../src/domain/ids.ts"
import type { StorageError } from "../../../src/domain/StorageError.ts"
import type { Storage } from "../../../src/ports/Storage.ts"
import { eventually } from "../eventually.ts"
import { SITE } from "./collect.ts"

export const SITE_ID = SiteId.make(SITE)
/** When the records of this test run happened, unless given. */
export const NOW = Date.now()

let ids = 0
const newId = (version: 5 | 7): string => `0190a0b0-c0d0-${version}000-8000-${(++ids).toString(16).padStart(12, "0")}`

/** A session with unknown fields, except for those given. */
export const session = (fields: Partial<SessionRecord> = {}): SessionRecord => ({
  id: SessionId.make(newId(5)),
  siteId: SITE_ID,
  distinctId: null,
  browser: null,
  os: null,
  device: null,
  screen: null,
  language: null,
  country: null,
  region: null,
  city: null,
  createdAt: NOW,
  firstPath: null,
  firstReferrerDomain: null,
  firstUtmSource: null,
  firstUtmMedium: null,
  firstUtmCampaign: null,
  ...fields
})

/** A pageview in its own session, unless a session or its id is given. */
export const event = (fields: Partial<EventRecord> = {}): EventRecord => {
  const owner = fields.session === undefined && fields.sessionId === undefined ? session() : (fields.session ?? null)
  return {
    id: EventId.make(newId(7)),
    siteId: SITE_ID,
    sessionId: fields.sessionId ?? owner?.id ?? SessionId.make(newId(5)),
    visitId: VisitId.make(newId(5)),
    createdAt: NOW,
    type: EventType.pageview,
    name: null,
    tag: null,
    revenue: null,
    currency: null,
    properties: [],
    urlPath: "/",
    urlQuery: null,
    hostname: null,
    pageTitle: null,
    referrerPath: null,
    referrerQuery: null,
    referrerDomain: null,
    utmSource: null,
    utmMedium: null,
    utmCampaign: null,
    utmContent: null,
    utmTerm: null,
    gclid: null,
    fbclid: null,
    msclkid: null,
    ttclid: null,
    liFatId: null,
    twclid: null,
    lcp: null,
    inp: null,
    fcp: null,
    ttfb: null,
    cls: null,
    ...fields,
    session: owner
  }
}

export const events = (count: number, fields: (index: number) => Partial<EventRecord> = () => ({})) =>
  Array.from({ length: count }, (_, index) => event(fields(index)))

export const identity = (
  of: SessionRecord,
  properties: ReadonlyArray<Property> = [],
  createdAt = NOW
): IdentityRecord => ({ session: of, properties, createdAt })

export const text = (key: string, string: string): Property => ({
  key,
  type: DataType.string,
  string,
  number: null,
  date: null
})

/** The content of a store, each kind in the order of its key. An event's properties are in the order of their keys. */
export interface Stored {
  readonly events: ReadonlyArray<Omit<EventRecord, "session">>
  readonly sessions: ReadonlyArray<SessionRecord>
  readonly attributes: ReadonlyArray<Property & { readonly sessionId: string }>
}

const by =
  <A>(key: (value: A) => string) =>
  (a: A, b: A): number =>
    key(a) < key(b) ? -1 : 1

/** The content that a store should have after these were saved. */
export const stored = (held: {
  readonly events?: Iterable<EventRecord>
  readonly sessions?: Iterable<SessionRecord>
  readonly attributes?: Iterable<Property & { readonly sessionId: string }>
}): Stored => ({
  events: [...(held.events ?? [])]
    .map(({ session: _, ...rest }) => ({ ...rest, properties: rest.properties.toSorted(by(({ key }) => key)) }))
    .sort(by(({ id }) => id)),
  sessions: [...(held.sessions ?? [])].sort(by(({ id }) => id)),
  attributes: [...(held.attributes ?? [])].sort(by(({ key, sessionId }) => `${sessionId} ${key}`))
})

export const sessionsOf = (records: ReadonlyArray<EventRecord>): ReadonlyArray<SessionRecord> =>
  records.flatMap((record) => record.session ?? [])

/** The outcome of a save. */
export type Outcome = "stored" | StorageError["reason"]

/** Saves all records at the same time. */
export const saveAll = (
  storage: Storage["Service"],
  records: ReadonlyArray<EventRecord>
): Effect.Effect<ReadonlyArray<Outcome>> =>
  Effect.forEach(
    records,
    (record) =>
      Effect.match(storage.saveEvent(record), { onSuccess: () => "stored" as const, onFailure: (e) => e.reason }),
    { concurrency: "unbounded" }
  )

/** Resumes when this many records are accepted and not answered. */
export const untilWaiting = (storage: Storage["Service"], count: number): Effect.Effect<void> =>
  eventually(`${count} records wait`, async () => (await Effect.runPromise(storage.status)).pendingRecords === count)
