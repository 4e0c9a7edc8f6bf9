import { settingsOf } from "./Setting.ts"
import { day, httpUrl, integer, listOf, onOff, optional, positiveNumber, string } from "./types.ts"

const define = settingsOf("Collect")

export const COLLECT_API_ENDPOINT = define({
  env: "COLLECT_API_ENDPOINT",
  type: listOf("paths, comma-separated, each starting with `/`", /^\/[\w\-./~]*$/),
  default: [],
  doc: "Additional paths that answer like `/api/send`."
})
export const MAX_BODY_BYTES = define({
  env: "MAX_BODY_BYTES",
  type: integer({ min: 1_024, max: 104_857_600, unit: "bytes" }),
  default: 1_048_576,
  doc: "Maximum body of `/api/send`, before and after decompression; larger ones get 413."
})
export const MAX_BATCH_BODY_BYTES = define({
  env: "MAX_BATCH_BODY_BYTES",
  type: integer({ min: 1_024, max: 104_857_600, unit: "bytes" }),
  default: 10_485_760,
  doc: "Maximum body of `/api/batch`, before and after decompression; larger ones get 413."
})
export const MAX_BATCH_ITEMS = define({
  env: "MAX_BATCH_ITEMS",
  type: integer({ min: 1, max: 100_000 }),
  default: 5_000,
  doc: "Maximum items per batch; longer ones get 413."
})
export const BODY_TIMEOUT_SECONDS = define({
  env: "BODY_TIMEOUT_SECONDS",
  type: integer({ min: 1, max: 120, unit: "seconds" }),
  default: 10,
  doc: "How long a body may take to arrive before the client gets 408."
})
export const TIMESTAMP_EARLIEST = define({
  env: "TIMESTAMP_EARLIEST",
  type: day,
  default: "2000-01-01",
  doc: "Earliest `timestamp` that an event may have, as a UTC day; older ones get 400."
})
export const TIMESTAMP_MAX_AHEAD_SECONDS = define({
  env: "TIMESTAMP_MAX_AHEAD_SECONDS",
  type: integer({ min: 0, max: 3_155_760_000, unit: "seconds" }),
  default: 86_400,
  doc: "How far ahead of the server's clock a `timestamp` may be; later ones get 400."
})
export const RATE_LIMIT_EVENTS_PER_SECOND = define({
  env: "RATE_LIMIT_EVENTS_PER_SECOND",
  type: optional(positiveNumber),
  default: null,
  defaultText: "none: no limit",
  doc: "Events per second that each site may send to each collector process. Beyond it, clients get 429 with `Retry-After`. A site's own limit takes precedence.",
  live: true
})
export const RATE_LIMIT_BURST = define({
  env: "RATE_LIMIT_BURST",
  type: optional(integer({ min: 1, max: 10_000_000 })),
  default: null,
  defaultText: "twice the rate",
  doc: "Events that a site may send at once before its rate applies.",
  live: true
})
export const ENFORCE_DOMAINS = define({
  env: "ENFORCE_DOMAINS",
  type: onOff,
  default: true,
  doc: "Reject events with 403 whose `Origin`, otherwise `Referer`, is not among their site's domains, if it has any. Events without both, as from servers, are accepted."
})
export const CORS_MAX_AGE = define({
  env: "CORS_MAX_AGE",
  type: integer({ min: 0, max: 604_800, unit: "seconds" }),
  default: 86_400,
  doc: "Seconds that browsers may cache a preflight response."
})
export const TRACKER_SCRIPT_URL = define({
  env: "TRACKER_SCRIPT_URL",
  type: httpUrl,
  default: "https://cloud.umami.is/script.js",
  doc: "Where snippets load Umami's tracker from, and where `/script.js` redirects to, unless `TRACKER_SCRIPT_FILE` is set."
})
export const TRACKER_SCRIPT_FILE = define({
  env: "TRACKER_SCRIPT_FILE",
  type: optional(string("a JavaScript file")),
  default: null,
  doc: "Your own copy of Umami's tracker, served at `/script.js` and the paths in `TRACKER_SCRIPT_NAME`; snippets then load it from this server."
})
export const TRACKER_SCRIPT_NAME = define({
  env: "TRACKER_SCRIPT_NAME",
  type: listOf("names or paths, comma-separated", /^\/?[\w\-.~]+(?:\/[\w\-.~]+)*$/),
  default: [],
  doc: "Additional names of the tracker, such as `stats.js`, for pages whose ad blockers know `script.js`. Same meaning as Umami's."
})
