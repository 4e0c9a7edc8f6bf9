/** Properties kept of one event or identity. Umami documents 50 and enforces no limit; PostHog keeps a few hundred. */
export const MAX_PROPERTIES = 250

/** Nested objects become `a.b.c` keys down to this level; deeper ones are kept as JSON. */
export const MAX_FLATTEN_DEPTH = 10

/** `data` nested deeper than this is rejected: no real event needs it, and it takes up stack. */
export const MAX_DATA_DEPTH = 64

/** decimal(19,4): larger numbers do not fit the column, and only their string is kept. */
export const MAX_NUMBER = 1e15

/** Timestamps from here on are in milliseconds (the year 1973), smaller ones in seconds (up to the year 5138). */
export const MILLISECONDS_FROM = 1e11

/** Seconds since the epoch that both JavaScript and Postgres can represent: from year 1 to year 275760. */
export const MIN_TIMESTAMP = -62_135_596_800
export const MAX_TIMESTAMP = 8_640_000_000_000

/** How long a token proves its session; older ones are ignored. */
export const TOKEN_LIFETIME_SECONDS = 86_400

/** Tokens kept with their claims; an entry is about 1 KB. */
export const TOKEN_CACHE_ENTRIES = 4_096

/** Time from a visit's first event after which the next event starts a new visit (Umami 3.1). */
export const VISIT_LIFETIME_SECONDS = 1_800

/** Parsed user agents kept; an entry is about 1 KB with its key. */
export const AGENT_CACHE_ENTRIES = 4_096

/** Characters of a user agent that are parsed: no browser sends more, and matching takes time. */
export const AGENT_PARSED_LENGTH = 1_024

/** Resolved pages kept, and as many referrers; an entry is at most about 4 KB. */
export const PAGE_CACHE_ENTRIES = 2_048

/** Longer URLs are unlikely to occur twice and are not kept. */
export const PAGE_CACHED_LENGTH = 512
