import { DataType, type EventRecord, EventType, type SessionRecord } from "../../../src/domain/Event.ts"
import { EventId, SessionId, SiteId } from "../../../src/domain/ids.ts"
import { event, session, text } from "../collect/records.ts"

const MINUTE = 60_000
/** Text that CSV could get wrong. */
const ODD = ["", " ", '"', ",", "\n", "\r\n", "\\N", "NULL", 'a"b,c\nd', "größe 🎈", "\t"]

const DAY = 60 * 24
/** How late events are, in minutes. Some are in the same hour of the week as others, a week before. */
const LATENESS = [1, 20, 29, 31, 45, 90, DAY, DAY * 7 - 25, DAY * 7, DAY * 7 + 25, DAY * 40]

/** Deterministic numbers, evenly from 0 to 1: https://en.wikipedia.org/wiki/Mulberry32 would also do. */
export const randomFrom = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

export interface Traffic {
  readonly sites: ReadonlyArray<SiteId>
  /** The next event: sometimes of a new session, sometimes late, sometimes exactly as late as another one. */
  readonly next: () => EventRecord
  readonly sessions: ReadonlyArray<SessionRecord>
}

/** Events as from visitors who come and go around `now`, in ms; ids are of the moment at which an event is made. */
export const traffic = (
  random: () => number,
  now: () => number,
  idOf: () => string = () => Bun.randomUUIDv7()
): Traffic => {
  const pick = <A>(values: ReadonlyArray<A>): A => values[Math.floor(random() * values.length)]!
  const sites = [1, 2].map(() => SiteId.make(crypto.randomUUID()))
  const sessions: Array<SessionRecord> = []
  const next = (): EventRecord => {
    const isNew = sessions.length < 5 || random() < 0.1
    const lateness = random() < 0.8 ? 0 : pick(LATENESS) * MINUTE
    const at = now() - lateness - Math.floor(random() * 3) * 1_000
    const owner = isNew
      ? session({
          id: SessionId.make(crypto.randomUUID()),
          siteId: pick(sites),
          createdAt: at,
          browser: pick(ODD),
          country: pick(["DE", null])
        })
      : pick(sessions.slice(-40))
    if (isNew) sessions.push(owner)
    const type = pick([1, 1, 1, 1, 2, 2, 3, 5] as const)
    return event({
      id: EventId.make(idOf()),
      siteId: owner.siteId,
      // Now and then, an event comes without a row for its session.
      ...(random() < 0.02
        ? { session: null, sessionId: SessionId.make(crypto.randomUUID()) }
        : { session: { ...owner, createdAt: at } }),
      createdAt: at,
      type,
      name: type === EventType.custom ? pick(["signup", "order", null]) : null,
      urlPath: pick(["/", "/a", "/b", ...ODD]),
      pageTitle: pick([null, ...ODD]),
      referrerDomain: pick([null, null, "google.com", "news.example", "app.chatgpt.com"]),
      utmSource: pick([null, null, null, "letter"]),
      utmMedium: pick([null, null, null, "email", "strange"]),
      revenue: type === EventType.custom ? pick([null, 0.0001, 12.5, 99_999.99]) : null,
      cls: type === EventType.performance ? 0.1234 : null,
      lcp: type === EventType.performance ? 1_234.5 : null,
      properties:
        type === EventType.custom
          ? [text("plan", pick(ODD)), { key: "price", type: DataType.number, string: "1.5", number: 1.5, date: null }]
          : []
    })
  }
  return { sites, next, sessions }
}
