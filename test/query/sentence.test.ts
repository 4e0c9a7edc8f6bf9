import { describe, expect, test } from "bun:test"
import { Result } from "effect"
import { compileQuestion, ENGINES } from "../../src/query/compile.ts"
import { parseSentence } from "../../src/query/sentence/parse.ts"
import { printSentence } from "../../src/query/sentence/print.ts"
import { FIELDS, METRICS, OPERATORS, TIME_PARTS } from "../../src/query/sentence/words.ts"
import { questionContext } from "../support/questions/context.ts"
import { questionSite } from "../support/questions/site.ts"

// The names of sites below.
const context = questionContext({
  sites: ["My shop", "Shop"].map((name) => questionSite({ id: crypto.randomUUID(), name }))
})

const parse = (sentence: string) => Result.getOrThrowWith(parseSentence(sentence), ({ detail }) => new Error(detail))
const LAST_30_DAYS = ["time-interval", "created_at", -29, "day", { "include-current": true }]
const by = (unit: string) => ["field", "created_at", { "temporal-unit": unit }]

describe("a sentence becomes the question that it says", () => {
  test.each<[string, object]>([
    [
      "count of signup by plan over last 30 days",
      {
        filter: ["and", ["=", "event_name", "signup"], LAST_30_DAYS],
        aggregation: [["count"]],
        breakout: [["prop", "plan", { event: "signup" }]]
      }
    ],
    ["unique visitors by day", { filter: LAST_30_DAYS, aggregation: [["metric", "visitors"]], breakout: [by("day")] }],
    [
      "unique plan of signup",
      {
        filter: ["and", ["=", "event_name", "signup"], LAST_30_DAYS],
        aggregation: [["distinct", ["prop", "plan", { event: "signup" }]]]
      }
    ],
    ["count of events by day", { filter: LAST_30_DAYS, aggregation: [["count"]], breakout: [by("day")] }],
    [
      "Visitors BY country, weekday TOP 5",
      {
        filter: LAST_30_DAYS,
        aggregation: [["metric", "visitors"]],
        breakout: ["v_pa_sessions.country", by("day-of-week")],
        "order-by": [["desc", ["aggregation", 0]]],
        limit: 5
      }
    ],
    [
      'sum of price of "big order" by month over 2025-12 to 2026-02',
      {
        filter: ["and", ["=", "event_name", "big order"], ["between", "created_at", "2025-12-01", "2026-02-28"]],
        aggregation: [["sum", ["prop", "price", { event: "big order", type: "number" }]]],
        breakout: [by("month")]
      }
    ],
    [
      "bounce rate where country is DE or FR and page starts with /blog over yesterday",
      {
        filter: [
          "and",
          ["=", "v_pa_sessions.country", "DE", "FR"],
          ["starts-with", "url_path", "/blog"],
          ["time-interval", "created_at", -1, "day"]
        ],
        aggregation: [["metric", "bounce-rate"]]
      }
    ],
    [
      'revenue of purchase in eur by channel on "My shop" over all time',
      {
        filter: ["and", ["=", "event_name", "purchase"], ["=", "v_pa_sites.name", "My shop"]],
        aggregation: [["metric", "revenue", { currency: "EUR" }]],
        breakout: ["channel"]
      }
    ],
    [
      "conversion rate of signup by landing page over this month",
      {
        filter: ["time-interval", "created_at", "current", "month"],
        aggregation: [["metric", "conversion-rate", { goal: ["=", "event_name", "signup"] }]],
        breakout: ["v_pa_visits.entry_path"]
      }
    ],
    [
      "average of seats of signup where seats is at least 3 by attribute tier over last week",
      {
        filter: [
          "and",
          ["=", "event_name", "signup"],
          [">=", ["prop", "seats", { event: "signup", type: "number" }], 3],
          ["time-interval", "created_at", -1, "week"]
        ],
        aggregation: [["avg", ["prop", "seats", { event: "signup", type: "number" }]]],
        breakout: [["attr", "tier"]]
      }
    ],
    [
      'count of signup where property "where" is "by \\"x\\"" over today',
      {
        filter: [
          "and",
          ["=", "event_name", "signup"],
          ["=", ["prop", "where", { event: "signup" }], 'by "x"'],
          ["time-interval", "created_at", "current", "day"]
        ],
        aggregation: [["count"]]
      }
    ]
  ])("%s", (sentence, expected) => {
    const query = parse(sentence)
    expect(query as object).toEqual({ fql: 1, type: "query", source: "v_pa_events", ...expected })
    expect(Result.isSuccess(compileQuestion(context, query, ENGINES.postgres))).toBe(true)
  })
})

test("every word of the grammar makes a question that can be asked, and the question prints a sentence with the same meaning", () => {
  const sentences = [
    ...METRICS.flatMap(([, phrases]) => phrases.map((phrase) => `${phrase} of signup by day`)),
    ...FIELDS.flatMap(([, phrases]) => phrases.map((phrase) => `visitors by ${phrase} over last 3 months`)),
    ...FIELDS.map(([field]) => `count of signup by ${field}`),
    ...TIME_PARTS.flatMap(([, phrases]) => phrases.map((phrase) => `count of "a b" by ${phrase} over last 2 years`)),
    ...OPERATORS.flatMap(([, phrases, takesValue]) =>
      phrases.map((phrase) => `views where price ${phrase} ${takesValue ? "3" : ""} over 2026-03-28 top 7`)
    ),
    ...["last 1 day", "this year", "last quarter", "2026", "2026-02", "2026-01-30 to 2026-02-02", "all time"].map(
      (range) => `median of lcp by page over ${range}`
    )
  ]
  for (const sentence of sentences) {
    const query = parse(sentence)
    const compiled = compileQuestion(context, query, ENGINES.replica)
    if (Result.isFailure(compiled)) throw new Error(`${sentence}: ${compiled.failure.detail}`)
    const printed = printSentence(query)
    if (printed === null) throw new Error(`${sentence} can't be printed.`)
    expect(parse(printed)).toEqual(query)
    expect(printSentence(parse(printed))).toBe(printed)
  }
})

test("a question that says more than a sentence can is not printed", () => {
  const base = parse("visitors by day")
  expect(printSentence({ ...base, aggregation: [["count"], ["metric", "visits"]] })).toBeNull()
  expect(printSentence({ ...base, compat: "umami" })).toBeNull()
  expect(printSentence({ ...base, settings: { timezone: "Europe/Berlin" } })).toBeNull()
  expect(printSentence({ ...base, filter: ["or", ["=", "url_path", "/"], ["=", "url_path", "/a"]] })).toBeNull()
})

describe("a sentence that is not understood says where and what to write", () => {
  test.each<[string, number, string]>([
    ["visitrs by day", 1, 'Did you mean "visitors"?'],
    ["", 1, "Begin with what to compute"],
    ["count of signup by", 19, "Give a field or a property."],
    ["pageviews bi day", 11, 'Did you mean "by"?'],
    ["visitors over the moon", 15, "last 30 days"],
    ["visitors over lst week", 15, 'Did you mean "last"?'],
    ["visitors over 2026-02-31", 15, "February 2026 has 28 days."],
    ["visitors over 2026-11-01 to 2026-11-31", 29, "November has 30 days."],
    ["visitors over 2026-13", 15, "There is no month 13"],
    ["visitors where a or b is 3", 18, '"or" stands between values'],
    ["visitors where country is DE and page is /a or b is 3", 45, '"or" stands between values'],
    ["visitors over last 5 parsecs", 22, "minute, hour, day"],
    ["visitors top 0", 14, "from 1 to 10000"],
    ["visitors over last -3 days", 20, "from 1 to 10000"],
    ["count of purchase where revenue is at least 1e999", 33, "Compare with a smaller number."],
    ["visitors in EUR", 10, "revenue only"],
    ['count of "signup', 10, "is not closed"],
    ["visitors where country likes DE", 24, "is not empty"],
    ["visitors where revenue is much", 24, "Compare with a number."]
  ])("%s", (sentence, at, detail) => {
    const parsed = parseSentence(sentence)
    expect(Result.isFailure(parsed) && parsed.failure).toEqual({ at, detail: expect.stringContaining(detail) })
  })
})
