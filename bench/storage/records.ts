import type { EventRecord, Property, SessionRecord } from "../../src/domain/Event.ts"
import type { EventId, SessionId, SiteId, VisitId } from "../../src/domain/ids.ts"

const SITE = "11111111-2222-4333-8444-555555555555" as SiteId
const PATHS = ["/", "/pricing", "/docs/getting-started", "/blog/2026/how-we-count-visitors", "/checkout/thank-you"]
const REFERRERS = [null, null, "google.com", "news.ycombinator.com", "t.co"]

const property = (key: string, string: string, number: number | null = null): Property => ({
  key,
  type: number === null ? 1 : 2,
  string,
  number,
  date: null
})

/**
 * Records as the pipeline makes them, the same for every variant: of 100 events, 80 are pageviews and 20 custom events with three
 * properties; 15 come from new sessions, and a third have a query string with UTM parameters.
 */
export const records = (count: number, createdAt: number): ReadonlyArray<EventRecord> =>
  Array.from({ length: count }, (_, index) => {
    const fresh = index % 100 < 15
    const custom = index % 5 === 4
    const tagged = index % 3 === 0
    const sessionId = Bun.randomUUIDv5(`visitor ${fresh ? `${createdAt} ${index}` : index % 50}`, "dns") as SessionId
    const path = PATHS[index % PATHS.length]!
    const referrer = REFERRERS[index % REFERRERS.length]!
    const session: SessionRecord | null = fresh
      ? {
          id: sessionId,
          siteId: SITE,
          distinctId: null,
          browser: "chrome",
          os: "Windows 10",
          device: "laptop",
          screen: "1920x1080",
          language: "en-GB",
          country: "GB",
          region: "GB-ENG",
          city: "London",
          createdAt,
          firstPath: path,
          firstReferrerDomain: referrer,
          firstUtmSource: tagged ? "newsletter" : null,
          firstUtmMedium: tagged ? "email" : null,
          firstUtmCampaign: tagged ? "november-2026" : null
        }
      : null
    return {
      id: Bun.randomUUIDv7() as EventId,
      siteId: SITE,
      sessionId,
      visitId: Bun.randomUUIDv5(`visit ${sessionId}`, "dns") as VisitId,
      createdAt: createdAt + index,
      type: custom ? 2 : 1,
      name: custom ? "purchase" : null,
      tag: null,
      revenue: custom ? 49.9 : null,
      currency: custom ? "EUR" : null,
      properties: custom
        ? [property("revenue", "49.9000", 49.9), property("currency", "EUR"), property("plan.name", "Team, yearly")]
        : [],
      session,
      urlPath: path,
      urlQuery: tagged ? "utm_source=newsletter&utm_medium=email&utm_campaign=november-2026" : null,
      hostname: "www.example.com",
      pageTitle: "How we count visitors – Example",
      referrerPath: referrer === null ? null : "/search",
      referrerQuery: referrer === null ? null : "q=analytics",
      referrerDomain: referrer,
      utmSource: tagged ? "newsletter" : null,
      utmMedium: tagged ? "email" : null,
      utmCampaign: tagged ? "november-2026" : null,
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
      cls: null
    }
  })
