import type { Random } from "./random.ts"
import { USER_AGENTS } from "./userAgents.ts"

/** Average events per visit; the first one has no token. */
const EVENTS_PER_VISIT = 5
/** Share of events with a name and properties. */
const CUSTOM = 0.2
/** Share of visitors with an IPv6 address. */
const IPV6 = 0.3

const HOST = "www.example-shop.com"
const LANGUAGES = ["en-US", "en-GB", "de-DE", "fr-FR", "es-ES", "pt-BR", "ja-JP", "zh-CN"]
const SCREENS = ["1920x1080", "1536x864", "2560x1440", "1440x900", "390x844", "393x873", "412x915", "820x1180"]
const PATHS = [
  "/",
  "/pricing",
  "/blog/how-we-ship",
  "/docs/getting-started",
  "/produkte/gr%C3%B6%C3%9Fe-42",
  "/checkout",
  "/account/orders"
]
const TITLES = [
  "Example Shop",
  "Pricing – Example Shop",
  "How we ship every day – Blog",
  "Größe 42 · Produkte",
  "Checkout"
]
const REFERRERS = [
  "",
  "",
  "https://www.google.com/",
  "https://duckduckgo.com/?q=running+shoes+size+42&ia=web",
  "https://news.ycombinator.com/item?id=43210987",
  "https://www.linkedin.com/feed/update/urn:li:activity:7301234567890123456/"
]
const CAMPAIGNS = [
  "",
  "",
  "?utm_source=newsletter&utm_medium=email&utm_campaign=autumn-sale",
  "?utm_source=google&utm_medium=cpc&utm_campaign=brand&utm_term=running+shoes&gclid=Cj0KCQjw9ZG3BhDJARIsAKk7h2x",
  "?fbclid=IwAR1fT0bq3kX0Zt7",
  "?page=2&sort=price"
]
const NAMES = ["add-to-cart", "signup", "search", "video-play", "newsletter-signup"]
const CURRENCIES = ["EUR", "USD", "GBP"]

const properties = (random: Random): object => {
  const all = {
    plan: random.pick(["free", "pro", "team"]),
    price: random.below(20_000) / 100,
    currency: random.pick(CURRENCIES),
    variant: { size: random.below(48), color: random.pick(["red", "blue"]) },
    loggedIn: random.chance(0.4)
  }
  return Object.fromEntries(Object.entries(all).slice(0, 3 + random.below(3)))
}

/** A body as Umami's tracker sends it: four pageviews to one custom event with three to five properties. */
export const event = (random: Random, website: string, more: object = {}): object => ({
  type: "event",
  payload: {
    website,
    screen: random.pick(SCREENS),
    language: random.pick(LANGUAGES),
    title: random.pick(TITLES),
    hostname: HOST,
    url: `https://${HOST}${random.pick(PATHS)}${random.pick(CAMPAIGNS)}`,
    referrer: random.pick(REFERRERS),
    ...(random.chance(CUSTOM) ? { name: random.pick(NAMES), data: properties(random) } : {}),
    ...more
  }
})

const byte = (random: Random) => random.below(256)

/** A public address; IPv4 from assigned blocks only, so that a geo database would find it. */
export const address = (random: Random): string =>
  random.chance(IPV6)
    ? `2a02:${(0x1000 + random.below(0xe000)).toString(16)}:${random.below(0x10000).toString(16)}::${random.below(0x10000).toString(16)}`
    : `${random.pick([24, 62, 73, 81, 86, 90, 109, 151, 188, 201])}.${byte(random)}.${byte(random)}.${1 + random.below(254)}`

/**
 * The headers that a visitor's browser sends with each request, up to the space that `x-umami-cache` follows, and the number of requests.
 */
export interface Visitor {
  readonly head: string
  events: number
}

export const visitor = (random: Random, path: string, host: string): Visitor => ({
  head: [
    `POST ${path} HTTP/1.1`,
    `Host: ${host}`,
    `X-Forwarded-For: ${address(random)}`,
    `User-Agent: ${random.pick(USER_AGENTS)}`,
    "Accept: */*",
    `Accept-Language: ${random.pick(LANGUAGES)},en;q=0.5`,
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Content-Type: application/json",
    `Origin: https://${HOST}`,
    `Referer: https://${HOST}/`,
    "Connection: keep-alive",
    "x-umami-cache: "
  ].join("\r\n"),
  // Geometric, like page counts of real visits.
  events: 1 + Math.floor(Math.log(1 - random.next()) / Math.log(1 - 1 / EVENTS_PER_VISIT))
})

const OPENING = '{"type":"event","payload":{'

/**
 * One `/api/batch` body of events as {@link event} makes them, in JSON. A backend sends each visitor's address and user agent in the
 * payload; new visitors are as frequent as in single sends.
 */
export const batch = (random: Random, events: ReadonlyArray<string>, items: number): string => {
  const visitors = Array.from(
    { length: Math.ceil(items / EVENTS_PER_VISIT) },
    () => `${OPENING}"ip":"${address(random)}","userAgent":"${random.pick(USER_AGENTS)}",`
  )
  const parts = Array.from({ length: items }, () => random.pick(visitors) + random.pick(events).slice(OPENING.length))
  return `[${parts.join(",")}]`
}
