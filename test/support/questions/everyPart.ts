import { EXTRACTION_UNITS, TRUNCATION_UNITS } from "../../../src/query/plan/plan.ts"

const [PATH, TAG, TYPE, REVENUE, TIME, NAME] = [
  "url_path",
  "tag",
  "event_type",
  "revenue",
  "created_at",
  "event_name"
].map((name) => ["field", name])
const URL_OF = ["concat", " https://blog.shop.co.uk:8443", PATH, "?a=1&q=größe%20x#top "]
const TRIMMED = ["trim", URL_OF]

/** A custom column for each function, at least. */
const FUNCTIONS: Readonly<Record<string, unknown>> = {
  trimmed: TRIMMED,
  trimmedLeft: ["ltrim", URL_OF],
  trimmedRight: ["rtrim", URL_OF],
  weekday: ["day-name", ["temporal-extract", TIME, "day-of-week"]],
  month: ["month-name", ["temporal-extract", TIME, "month-of-year"]],
  quarter: ["quarter-name", ["temporal-extract", TIME, "quarter-of-year"]],
  isRecent: [">", TIME, ["relative-datetime", -1, "week"]],
  sinceRecently: ["datetime-diff", ["relative-datetime", -1, "week"], TIME, "day"],
  shouted: ["upper", ["concat", TAG, "-", PATH]],
  short: ["lower", ["substring", PATH, 2, 3]],
  size: ["length", PATH],
  replaced: ["replace", PATH, "/", "//"],
  second: ["split-part", PATH, "/", 2],
  digits: ["regex-match-first", PATH, "[0-9]+"],
  hostOf: ["host", TRIMMED],
  domainOf: ["domain", TRIMMED],
  subdomainOf: ["subdomain", TRIMMED],
  pathOf: ["path", TRIMMED],
  param: ["url-param", TRIMMED, "q"],
  given: ["coalesce", TAG, NAME, "none"],
  kind: ["case", [[["=", TYPE, 2], "custom"]], { default: "view" }],
  sum: ["+", TYPE, REVENUE, 0.5],
  quotient: ["/", REVENUE, TYPE],
  rest: ["%", TYPE, 2],
  restOfPrice: ["%", REVENUE, 3],
  rounded: ["round", ["*", REVENUE, 1.5]],
  roundedTo: ["round", ["/", REVENUE, 3], 2],
  floor: ["floor", ["-", REVENUE]],
  ceil: ["ceil", REVENUE],
  size2: ["abs", ["-", REVENUE, 50]],
  root: ["sqrt", REVENUE],
  logarithm: ["log", REVENUE],
  exponential: ["exp", TYPE],
  power: ["power", TYPE, 3],
  asText: ["text", REVENUE],
  typeAsText: ["text", TYPE],
  whole: ["integer", REVENUE],
  number: ["float", "12.50"],
  inAMonth: ["datetime-add", TIME, 1, "month"],
  before: ["datetime-subtract", TIME, 26, "hour"],
  months: ["datetime-diff", TIME, "2026-12-31", "month"],
  hours: ["datetime-diff", "2026-01-01", TIME, "hour"],
  day: ["date", TIME],
  elsewhere: ["convert-timezone", TIME, "Asia/Kolkata"]
}

const IN_2026 = ["between", "created_at", "2026-03-01", "2026-11-01"]
const question = (source: string, rest: object) => ({
  fql: 1,
  type: "query",
  source,
  settings: { timezone: "Europe/Berlin", "week-start": "sunday" },
  ...rest
})
const listed = (source: string, fields: ReadonlyArray<unknown>) =>
  question(source, { fields, "order-by": [["asc", fields[0]]], limit: 200 })

const names = Object.keys(FUNCTIONS)
const HALF = Math.ceil(names.length / 2)

/** Questions that use every function, unit, aggregate and view at least once, whatever a seed picks. */
export const QUESTIONS_OF_EVERY_PART: ReadonlyArray<object> = [
  ...[names.slice(0, HALF), names.slice(HALF)].map((part) =>
    question("v_pa_events", {
      expressions: Object.fromEntries(part.map((name) => [name, FUNCTIONS[name]])),
      filter: ["and", IN_2026, ["not-null", "revenue"]],
      fields: ["id", ...part.map((name) => ["expression", name])],
      "order-by": [["asc", "id"]]
    })
  ),
  question("v_pa_events", {
    expressions: Object.fromEntries(EXTRACTION_UNITS.map((unit) => [unit, ["temporal-extract", TIME, unit]])),
    filter: IN_2026,
    fields: ["id", ...EXTRACTION_UNITS.map((unit) => ["expression", unit])],
    "order-by": [["desc", "id"]],
    limit: 300
  }),
  ...TRUNCATION_UNITS.map((unit) =>
    question("v_pa_events", {
      filter: ["between", "created_at", "2026-10-24", "2026-10-27"],
      aggregation: [["count"], ["metric", "visits"]],
      breakout: [["field", "created_at", { "temporal-unit": unit }]]
    })
  ),
  question("v_pa_events", {
    filter: IN_2026,
    aggregation: [
      ...["sum", "avg", "min", "max", "stddev", "var", "median"].map((name) => [name, "revenue"]),
      ["percentile", "lcp", 0.75],
      ["count-where", ["=", "is_entry", true]],
      ["count-where", ["=", "is_exit", true]],
      ["distinct", "visit_id"]
    ],
    breakout: ["event_name", "channel"]
  }),
  listed("v_pa_sites", ["id", "name", "archived", "created_at", "timezone", "week_start", "currency"]),
  listed("v_pa_sessions", ["id", "site_id", "browser", "country", "distinct_id", "created_at", "last_seen_at"]),
  listed("v_pa_event_data", ["id", "event_id", "data_key", "string_value", "date_value", "created_at"]),
  listed("v_pa_session_data", [
    "id",
    "session_id",
    "data_key",
    "string_value",
    "number_value",
    "data_type",
    "created_at",
    "distinct_id"
  ]),
  question("v_pa_visits", {
    filter: ["between", "started_at", "2026-03-01", "2026-11-01"],
    aggregation: [["count"], ["avg", "duration_s"], ["sum", "pageviews"]],
    breakout: ["entry_path", "exit_path", "utm_source", "browser", "is_bounce"]
  }),
  question("v_pa_user_flows", {
    filter: ["between", "day", "2026-03-01", "2026-11-01"],
    aggregation: [["sum", "value"]],
    breakout: ["step", "source", "target"]
  })
]
