/*
 * Who visits the demo site: a small company that sells a note-taking app. All numbers are made up; they only have to look like a real
 * site's, with habits that charts show: weekdays, a launch, campaigns, returning customers.
 */

export interface Weighted<A> {
  readonly value: A
  readonly weight: number
}

const weighted = <A>(...pairs: ReadonlyArray<readonly [A, number]>): ReadonlyArray<Weighted<A>> =>
  pairs.map(([value, weight]) => ({ value, weight }))

export interface Place {
  readonly country: string
  readonly region: string | null
  readonly city: string
  readonly language: string
  /** Hours from UTC, roughly: when people there are awake. */
  readonly hours: number
}

const place = (country: string, region: string | null, city: string, language: string, hours: number): Place => ({
  country,
  region,
  city,
  language,
  hours
})

export const PLACES = weighted<Place>(
  [place("US", "US-CA", "San Francisco", "en-US", -8), 11],
  [place("US", "US-NY", "New York", "en-US", -5), 12],
  [place("US", "US-TX", "Austin", "en-US", -6), 6],
  [place("DE", "DE-BE", "Berlin", "de-DE", 1), 11],
  [place("DE", "DE-BY", "Munich", "de-DE", 1), 7],
  [place("GB", "GB-ENG", "London", "en-GB", 0), 10],
  [place("FR", "FR-IDF", "Paris", "fr-FR", 1), 7],
  [place("IN", "IN-KA", "Bengaluru", "en-IN", 5.5), 7],
  [place("CA", "CA-ON", "Toronto", "en-CA", -5), 5],
  [place("NL", "NL-NH", "Amsterdam", "nl-NL", 1), 5],
  [place("JP", "JP-13", "Tokyo", "ja-JP", 9), 4],
  [place("BR", "BR-SP", "São Paulo", "pt-BR", -3), 4],
  [place("AU", "AU-NSW", "Sydney", "en-AU", 10), 3],
  [place("ES", "ES-MD", "Madrid", "es-ES", 1), 3],
  [place("SE", "SE-AB", "Stockholm", "sv-SE", 1), 2],
  [place("PL", "PL-14", "Warsaw", "pl-PL", 1), 2]
)

export interface Device {
  readonly device: string
  readonly os: string
  readonly browser: string
  readonly screen: string
}

const device = (kind: string, os: string, browser: string, screen: string): Device => ({
  device: kind,
  os,
  browser,
  screen
})

export const DEVICES = weighted<Device>(
  [device("desktop", "Windows 10", "chrome", "1920x1080"), 22],
  [device("desktop", "Windows 10", "edge-chromium", "1920x1080"), 9],
  [device("laptop", "Mac OS", "chrome", "1440x900"), 14],
  [device("laptop", "Mac OS", "safari", "1512x982"), 10],
  [device("laptop", "Linux", "firefox", "1366x768"), 5],
  [device("mobile", "iOS", "ios", "390x844"), 20],
  [device("mobile", "Android OS", "chrome", "412x915"), 15],
  [device("mobile", "Android OS", "samsung", "384x854"), 3],
  [device("tablet", "iOS", "ios", "820x1180"), 2]
)

export interface Source {
  readonly referrer: string | null
  readonly source: string | null
  readonly medium: string | null
  readonly campaign: string | null
  readonly gclid: boolean
  readonly entries: ReadonlyArray<Weighted<string>>
}

const source = (
  referrer: string | null,
  [name, medium, campaign]: readonly [string | null, string | null, string | null],
  entries: ReadonlyArray<Weighted<string>>,
  gclid = false
): Source => ({ referrer, source: name, medium, campaign, gclid, entries })

const NO_UTM = [null, null, null] as const
const HOME = weighted<string>(["/", 8], ["/pricing", 1], ["/docs", 1])
const POSTS = weighted<string>(["/blog/note-taking-methods", 5], ["/blog/markdown-tips", 3], ["/", 2])

export const SOURCES = weighted<Source>(
  [source(null, NO_UTM, HOME), 30],
  [
    source(
      "google.com",
      NO_UTM,
      weighted(["/", 4], ["/blog/note-taking-methods", 5], ["/blog/markdown-tips", 3], ["/docs", 2])
    ),
    28
  ],
  [source("bing.com", NO_UTM, HOME), 3],
  [source("duckduckgo.com", NO_UTM, HOME), 3],
  [source("google.com", ["google", "cpc", "notes-search"], weighted(["/pricing", 6], ["/", 4]), true), 8],
  [source(null, ["newsletter", "email", "monthly-digest"], POSTS), 8],
  [source("t.co", NO_UTM, POSTS), 4],
  [source("linkedin.com", ["linkedin", "social", "teams"], weighted(["/teams", 6], ["/", 4])), 4],
  [source("reddit.com", NO_UTM, POSTS), 3],
  [source("chatgpt.com", NO_UTM, weighted(["/docs", 5], ["/", 5])), 4],
  [source("github.com", NO_UTM, weighted(["/docs", 6], ["/changelog", 4])), 4]
)

/** The day of the launch, and where its crowd came from. */
export const LAUNCH: { readonly daysAgo: number; readonly source: Source } = {
  daysAgo: 34,
  source: source("news.ycombinator.com", NO_UTM, weighted(["/", 7], ["/blog/launch", 3]))
}

export const TITLES: Readonly<Record<string, string>> = {
  "/": "Acme Notes: your thoughts, in order",
  "/pricing": "Pricing",
  "/teams": "Acme Notes for teams",
  "/docs": "Documentation",
  "/docs/import": "Import your notes",
  "/changelog": "Changelog",
  "/blog": "Blog",
  "/blog/launch": "Acme Notes 2.0",
  "/blog/note-taking-methods": "Five ways to take notes",
  "/blog/markdown-tips": "Markdown tips",
  "/signup": "Sign up",
  "/checkout": "Checkout",
  "/app": "My notes"
}

/** Where visitors go from a page; null: they leave. */
export const NEXT: Readonly<Record<string, ReadonlyArray<Weighted<string | null>>>> = {
  "/": weighted<string | null>(
    [null, 42],
    ["/pricing", 24],
    ["/docs", 12],
    ["/blog", 9],
    ["/teams", 8],
    ["/signup", 5]
  ),
  "/pricing": weighted<string | null>([null, 40], ["/signup", 34], ["/teams", 14], ["/", 12]),
  "/teams": weighted<string | null>([null, 45], ["/pricing", 35], ["/signup", 20]),
  "/docs": weighted<string | null>([null, 45], ["/docs/import", 30], ["/changelog", 10], ["/pricing", 15]),
  "/docs/import": weighted<string | null>([null, 60], ["/docs", 25], ["/signup", 15]),
  "/changelog": weighted<string | null>([null, 60], ["/", 25], ["/docs", 15]),
  "/blog": weighted<string | null>([null, 30], ["/blog/note-taking-methods", 40], ["/blog/markdown-tips", 30]),
  "/blog/launch": weighted<string | null>([null, 50], ["/", 30], ["/pricing", 20]),
  "/blog/note-taking-methods": weighted<string | null>([null, 62], ["/", 18], ["/blog", 10], ["/pricing", 10]),
  "/blog/markdown-tips": weighted<string | null>([null, 65], ["/", 15], ["/docs", 12], ["/blog", 8]),
  "/signup": weighted<string | null>([null, 45], ["/checkout", 30], ["/app", 25]),
  "/checkout": weighted<string | null>([null, 35], ["/app", 65]),
  "/app": weighted<string | null>([null, 60], ["/docs", 25], ["/pricing", 15])
}

export const PLANS = weighted<{ readonly plan: string; readonly price: number }>(
  [{ plan: "free", price: 0 }, 60],
  [{ plan: "plus", price: 8 }, 28],
  [{ plan: "team", price: 48 }, 12]
)
