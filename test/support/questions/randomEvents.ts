import { DataType, type EventRecord, EventType, type Property, type SessionRecord } from "../../../src/domain/Event.ts"
import { EventId, SessionId, SiteId, VisitId } from "../../../src/domain/ids.ts"
import { event, identity, session, text } from "../collect/records.ts"

export const RANDOM_SITES = [
  SiteId.make("aaaaaaaa-0000-4000-8000-000000000001"),
  SiteId.make("aaaaaaaa-0000-4000-8000-000000000002")
] as const

const MINUTE = 60_000
/** Around both changes of the clock in Europe and America, and across the end of a month and of a year. */
const STARTS = ["2025-12-30T12:00:00Z", "2026-03-07T12:00:00Z", "2026-03-28T00:00:00Z", "2026-10-24T20:00:00Z"].map(
  (iso) => Date.parse(iso)
)
const SPAN = 3 * 24 * 60 * MINUTE

export const TEXTS = ["", "a", "A", "b c", "größe 🎈", "'); DROP TABLE x; --", "50%", "a_b", "\\", '"', "null"] as const
export const PATHS = ["/", "/a", "/a/b", "/blog/1", "/blog/2", "/größe"] as const
export const EVENT_NAMES = ["signup", "order", "größe"] as const
export const COUNTRIES = ["DE", "US", "JP", null] as const

export interface RandomEvents {
  readonly next: () => EventRecord
  /** Attributes for one of the visitors so far. */
  readonly identify: () => ReturnType<typeof identity>
}

const number = (key: string, value: number): Property => ({
  key,
  type: DataType.number,
  string: String(value),
  number: value,
  date: null
})
const boolean = (key: string, value: boolean): Property => ({
  key,
  type: DataType.boolean,
  string: String(value),
  number: null,
  date: null
})

/**
 * Events of visitors who come and go, some late, some at the same moment as another, some exactly 30 minutes apart, with ids in the order in
 * which they are made.
 */
export const randomEvents = (random: () => number): RandomEvents => {
  const pick = <A>(values: ReadonlyArray<A>): A => values[Math.floor(random() * values.length)]!
  const visitors: Array<{ readonly session: SessionRecord; at: number; visit: string }> = []
  const newVisitor = () => {
    const at = pick(STARTS) + Math.floor((random() * SPAN) / 1_000) * 1_000
    const visitor = {
      session: session({
        id: SessionId.make(crypto.randomUUID()),
        siteId: pick(RANDOM_SITES),
        createdAt: at,
        browser: pick(["chrome", "firefox", null]),
        os: pick(["Linux", "Windows 10", null]),
        device: pick(["mobile", "desktop"]),
        country: pick(COUNTRIES),
        language: pick(["en-US", "en", "de-DE", null]),
        distinctId: pick(["u1", null, null])
      }),
      at,
      visit: crypto.randomUUID()
    }
    visitors.push(visitor)
    return visitor
  }
  const properties = (): ReadonlyArray<Property> => [
    ...(random() < 0.7 ? [text("plan", pick(TEXTS))] : []),
    ...(random() < 0.5
      ? [random() < 0.8 ? number("price", pick([0, 1, 2.5, -3, 1e6])) : text("price", pick(["7", "x", ""]))]
      : []),
    ...(random() < 0.3 ? [boolean("trial", random() < 0.5)] : [])
  ]
  const next = (): EventRecord => {
    const visitor = visitors.length < 10 || random() < 0.12 ? newVisitor() : pick(visitors)
    // From two at the same moment to another day; 30 minutes to the ms is still the same visit.
    visitor.at += pick([
      0,
      0,
      1,
      1_000,
      MINUTE,
      5 * MINUTE,
      29 * MINUTE,
      30 * MINUTE,
      30 * MINUTE + 1,
      3 * 60 * MINUTE,
      20 * 60 * MINUTE
    ])
    if (random() < 0.2) visitor.visit = crypto.randomUUID()
    const late = random() < 0.15 ? pick([1, 10, 31, 600]) * MINUTE : 0
    const type = pick([1, 1, 1, 1, 2, 2, 3, 4, 5] as const)
    const isCustom = type === EventType.custom
    const isPaid = isCustom && random() < 0.5
    return event({
      id: EventId.make(Bun.randomUUIDv7()),
      siteId: visitor.session.siteId,
      session: { ...visitor.session, createdAt: visitor.at - late },
      sessionId: visitor.session.id,
      visitId: VisitId.make(visitor.visit),
      createdAt: visitor.at - late,
      type,
      name: isCustom ? pick(EVENT_NAMES) : null,
      tag: pick([null, null, ...TEXTS]),
      urlPath: pick(PATHS),
      urlQuery: pick([null, "utm_source=x", "a=1&b=%20"]),
      hostname: pick(["example.com", "www.example.com"]),
      pageTitle: pick([null, ...TEXTS]),
      referrerDomain: pick([null, null, "google.com", "t.co", "example.com", "chatgpt.com"]),
      utmSource: pick([null, null, null, "newsletter"]),
      utmMedium: pick([null, null, null, "email", "cpc"]),
      gclid: pick([null, null, null, null, "g1"]),
      revenue: isPaid ? pick([0.01, 10, 99.9999]) : null,
      currency: isPaid ? pick(["EUR", "USD"]) : null,
      lcp: type === EventType.performance ? pick([100, 1_234.5, 2_500]) : null,
      cls: type === EventType.performance ? pick([0, 0.1234]) : null,
      properties: isCustom ? properties() : []
    })
  }
  return {
    next,
    identify: () => {
      const { at, session: of } = pick(visitors)
      return identity(of, [text("tier", pick(TEXTS)), number("age", Math.floor(random() * 90))], at)
    }
  }
}
