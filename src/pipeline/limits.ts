/** Column sizes in UTF-16 units, those of Umami's tables (wire contract 1.17). */
export const SIZE = {
  hostname: 100,
  language: 35,
  screen: 11,
  eventName: 50,
  tag: 50,
  distinctId: 50,
  agentPart: 20,
  region: 20,
  city: 50,
  url: 500,
  pageTitle: 500,
  campaign: 255,
  dataKey: 500,
  stringValue: 500,
  currency: 10
} as const

/** Properties of one event or identity; more are dropped. Umami documents 50 and enforces none; PostHog's practice is a few hundred. */
export const MAX_PROPERTIES = 250

/** Objects inside objects become `a.b.c` keys down to here; what lies deeper is kept as JSON text. */
export const MAX_FLATTEN_DEPTH = 10

/** `data` nested deeper than this is refused: nobody means it, and it costs stack. */
export const MAX_DATA_DEPTH = 64

/** decimal(19,4): numbers from here on do not fit the column (the text of the value is kept). */
export const MAX_NUMBER = 1e15

/** Seconds since the epoch that both JavaScript and Postgres can hold: years 1 BC … 275760. */
export const MIN_TIMESTAMP = -62_135_596_800
export const MAX_TIMESTAMP = 8_640_000_000_000

/** A token proves its session for this long, and is ignored after. */
export const TOKEN_LIFETIME_SECONDS = 86_400

/** Tokens kept with their claims; an entry is about 1 KB. */
export const TOKEN_CACHE_ENTRIES = 4_096

/** A visit lasts this long from its first event, then the next event starts another (Umami 3.1). */
export const VISIT_LIFETIME_SECONDS = 1_800

/** Parsed user agents kept; an entry is about 1 KB with its key. */
export const AGENT_CACHE_ENTRIES = 4_096

/** Longer user agents are parsed by their head alone: no browser sends so much, and the patterns cost time. */
export const AGENT_PARSED_LENGTH = 1_024

/** Resolved pages kept, and as many referrers; an entry is at most about 4 KB. */
export const PAGE_CACHE_ENTRIES = 2_048

/** Longer URLs are unlikely to occur twice and are not kept. */
export const PAGE_CACHED_LENGTH = 512
