import type { Clause } from "../fql/schema.ts"

/** Words for what a question computes, and the metric. The first of several is printed. */
export const METRICS: ReadonlyArray<readonly [metric: string, phrases: ReadonlyArray<string>]> = [
  ["visitors", ["visitors", "unique visitors", "users"]],
  ["visits", ["visits", "sessions"]],
  ["pageviews", ["pageviews", "page views", "views"]],
  ["events", ["custom events"]],
  ["bounces", ["bounces"]],
  ["bounce-rate", ["bounce rate"]],
  ["visit-duration", ["visit duration", "average visit duration", "time on site"]],
  ["total-time", ["total time"]],
  ["views-per-visit", ["views per visit", "pages per visit"]],
  ["entries", ["entries"]],
  ["exits", ["exits"]],
  ["conversion-rate", ["conversion rate"]],
  ["conversions", ["conversions"]],
  ["revenue", ["revenue"]],
  ["arpu", ["revenue per visitor", "arpu"]]
]

/** Words for aggregations of a number or a time. */
export const AGGREGATIONS: ReadonlyArray<readonly [name: string, phrases: ReadonlyArray<string>]> = [
  ["sum", ["sum of", "total of"]],
  ["avg", ["average of", "avg of", "mean of"]],
  ["median", ["median of"]],
  ["min", ["minimum of", "min of", "smallest"]],
  ["max", ["maximum of", "max of", "largest"]],
  ["stddev", ["standard deviation of"]],
  ["distinct", ["distinct", "unique", "number of different"]]
]

/** Words for fields of events. The first of several is printed. A field's own name is understood, too. */
export const FIELDS: ReadonlyArray<readonly [field: string, phrases: ReadonlyArray<string>]> = [
  ["url_path", ["page", "path", "url"]],
  ["page_title", ["page title", "title"]],
  ["url_query", ["query string"]],
  ["v_pa_visits.entry_path", ["entry page", "landing page"]],
  ["v_pa_visits.exit_path", ["exit page"]],
  ["referrer_domain", ["referrer", "referring domain"]],
  ["referrer_path", ["referrer path"]],
  ["channel", ["channel"]],
  ["utm_source", ["utm source", "source"]],
  ["utm_medium", ["utm medium", "medium"]],
  ["utm_campaign", ["utm campaign", "campaign"]],
  ["utm_content", ["utm content"]],
  ["utm_term", ["utm term"]],
  ["event_name", ["event", "event name"]],
  ["hostname", ["hostname", "host"]],
  ["tag", ["tag"]],
  ["v_pa_sessions.country", ["country"]],
  ["v_pa_sessions.subdivision1", ["region"]],
  ["v_pa_sessions.city", ["city"]],
  ["v_pa_sessions.browser", ["browser"]],
  ["v_pa_sessions.os", ["operating system", "os"]],
  ["v_pa_sessions.device", ["device"]],
  ["v_pa_sessions.screen", ["screen"]],
  ["v_pa_sessions.language", ["language"]],
  ["v_pa_sessions.distinct_id", ["user id", "distinct id"]],
  ["v_pa_sites.name", ["site"]],
  ["revenue", ["revenue"]],
  ["currency", ["currency"]],
  ["session_id", ["visitor"]],
  ["lcp", ["lcp"]],
  ["inp", ["inp"]],
  ["cls", ["cls"]],
  ["fcp", ["fcp"]],
  ["ttfb", ["ttfb"]]
]

/** Fields whose values are numbers. */
export const NUMBER_FIELDS: ReadonlySet<string> = new Set(["revenue", "lcp", "inp", "cls", "fcp", "ttfb"])

export const TIME_UNITS = ["minute", "hour", "day", "week", "month", "quarter", "year"] as const

/** Words for parts of a time. */
export const TIME_PARTS: ReadonlyArray<readonly [unit: string, phrases: ReadonlyArray<string>]> = [
  ["hour-of-day", ["hour of day"]],
  ["day-of-week", ["day of week", "weekday"]],
  ["day-of-month", ["day of month"]],
  ["month-of-year", ["month of year"]],
  ["week-of-year", ["week of year"]],
  ["quarter-of-year", ["quarter of year"]]
]

/** Words for conditions on text, longest first, with the clause and whether it takes a value. */
export const OPERATORS: ReadonlyArray<readonly [clause: string, phrases: ReadonlyArray<string>, takesValue: boolean]> =
  [
    ["does-not-contain", ["does not contain"], true],
    ["contains", ["contains"], true],
    ["starts-with", ["starts with"], true],
    ["ends-with", ["ends with"], true],
    ["wildcard", ["is like"], true],
    ["not-empty", ["is not empty"], false],
    ["is-empty", ["is empty"], false],
    ["!=", ["is not", "!="], true],
    ["=", ["is", "="], true],
    [">=", ["is at least", ">="], true],
    ["<=", ["is at most", "<="], true],
    [">", ["is more than", ">"], true],
    ["<", ["is less than", "<"], true]
  ]

/** Conditions that compare numbers. */
export const COMPARISONS: ReadonlySet<string> = new Set([">=", "<=", ">", "<"])

/** Words that begin a part of the sentence. */
export const KEYWORDS: ReadonlyArray<string> = ["of", "where", "and", "or", "by", "over", "on", "in", "top"]

/** The condition that an event has this name. */
export const isEvent = (name: string): Clause => ["=", "event_name", name]
