/*
 * A few days of one site and one event of another, chosen so that every number of the overview can be computed by hand. Times are in
 * UTC.
 */

const id = (kind: string, number: number) => `0000${kind}000-0000-4000-8000-${String(number).padStart(12, "0")}`

export const SITE = id("1", 1)
export const OTHER_SITE = id("1", 2)

export interface FixtureSession {
  readonly session: string
  readonly site: string
  readonly country: string | null
}

const letters = ["A", "B", "C", "D", "E", "Z"]
const sessionId = (letter: string) => id("2", letters.indexOf(letter) + 1)

export const SESSIONS: ReadonlyArray<FixtureSession> = [
  { session: sessionId("A"), site: SITE, country: "DE" },
  { session: sessionId("B"), site: SITE, country: "US" },
  { session: sessionId("C"), site: SITE, country: "US" },
  { session: sessionId("D"), site: SITE, country: null },
  { session: sessionId("E"), site: SITE, country: "FR" },
  { session: sessionId("Z"), site: OTHER_SITE, country: null }
]

export interface FixtureEvent {
  readonly event: string
  readonly site: string
  readonly session: string
  readonly visit: string
  /** 1 pageview, 2 custom event, 5 web vitals. */
  readonly type: 1 | 2 | 5
  readonly name: string | null
  readonly path: string
  /** `2026-03-28T22:50:00.000000Z` */
  readonly time: string
}

const VISITS: ReadonlyArray<readonly [visitor: string, ...events: ReadonlyArray<string>]> = [
  ["A", "28T22:50:00.000 1 /", "28T22:52:00.000 1 /pricing", "28T22:53:00.000 2 /pricing signup"],
  ["B", "28T23:30:00.000 1 /"],
  ["C", "29T00:30:00.000 1 /blog", "29T00:31:10.000 1 /"],
  ["A", "29T01:30:00.000 1 /pricing", "29T01:40:00.000 2 /checkout purchase", "29T01:40:30.000 1 /thanks"],
  ["D", "29T22:30:00.000 1 /", "29T22:31:00.000 2 / signup", "29T22:31:05.000 5 /"],
  ["B", "30T10:00:00.000 1 /pricing", "30T10:05:00.000 2 /pricing signup", "30T10:20:00.000 2 /checkout purchase"],
  ["C", "30T12:00:00.000 1 /", "30T12:00:03.000 5 /"],
  ["E", "30T12:10:00.000 1 /blog", "30T12:10:20.000 1 /blog", "30T12:10:25.000 5 /blog"],
  ["A", "31T09:00:00.000 1 /"],
  ["E", "31T23:59:59.999 1 /pricing", "32T00:00:00.000 2 /checkout purchase"],
  ["Z", "30T12:00:00.000 1 /"]
]

export const EVENTS: ReadonlyArray<FixtureEvent> = VISITS.flatMap(([visitor, ...events], visit) =>
  events.map((text, at): FixtureEvent => {
    const [moment = "", type, path = "", name = null] = text.split(" ")
    const day = moment.startsWith("32") ? `04-01${moment.slice(2)}` : `03-${moment}`
    return {
      event: id("4", visit * 10 + at + 1),
      site: visitor === "Z" ? OTHER_SITE : SITE,
      session: sessionId(visitor),
      visit: id("3", visit + 1),
      type: Number(type) as 1 | 2 | 5,
      name,
      path,
      time: `2026-${day}000Z`
    }
  })
)
