import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Effect, Result } from "effect"
import { type Answer, askQuestion } from "../../src/query/answer.ts"
import { tableOf } from "../../src/query/compare/comparedColumns.ts"
import { compileQuestion, ENGINES } from "../../src/query/compile.ts"
import type { QuestionContext } from "../../src/query/plan/context.ts"
import { SITE } from "../services/fixture.ts"
import { questionContext } from "../support/questions/context.ts"
import { QUESTION_SITES } from "../support/questions/events.ts"
import { type FixtureEngines, openFixtureEngines } from "../support/questions/fixtureEngines.ts"

const context = questionContext()
let engines: FixtureEngines

beforeAll(async () => {
  engines = await openFixtureEngines()
}, 180_000)

afterAll(() => engines[Symbol.asyncDispose]())

const events = (parts: object) => ({ fql: 1, type: "query", source: "v_pa_events", ...parts })
const COUNT = { aggregation: [["count"]] }

/** What a count in this range is compared with at this time: the range in UTC, a warning's code, or an error's. */
const comparedWith = (range: unknown, compare: string, { now = "2026-04-10T12:00:30Z", timezone = "UTC" } = {}) => {
  const question = events({ ...COUNT, settings: { compare, timezone }, ...(range !== null && { filter: range }) })
  const asked = { ...context, now: Temporal.Instant.from(now) }
  const compiled = compileQuestion(asked, question, ENGINES.postgres)
  if (Result.isFailure(compiled)) return `${compiled.failure.code} at ${compiled.failure.pointer}`
  const { other, planned } = compiled.success
  if (other === null) return planned.warnings.map(({ code }) => code).join()
  return Object.values(other.planned.rows.range).map((end) => String(end).replace(/(:00)?\.000Z$/, ""))
}
const days = (from: string, until: string) => ["between", "created_at", from, until]
const interval = (...args: ReadonlyArray<unknown>) => ["time-interval", "created_at", ...args]

describe("the period that a range is compared with", () => {
  test("is as many days before the last 30 days, also where these happen to be a month", () => {
    const last30 = comparedWith(interval(-30, "day"), "previous-period", { now: "2026-12-01T12:00:30Z" })
    expect(last30).toEqual(["2026-10-02T00:00", "2026-11-01T00:00"])
    const both = ["and", ["not-empty", "url_path"], interval(-30, "day")]
    expect(comparedWith(both, "previous-period", { now: "2026-12-01T12:00:30Z" })).toEqual(last30)
    const lastMonth = comparedWith(interval(-1, "month"), "previous-period", { now: "2026-12-01T12:00:30Z" })
    expect(lastMonth).toEqual(["2026-10-01T00:00", "2026-11-01T00:00"])
  })

  test("is the month before the last month, also of a field with the name of a unit", () => {
    const flows = {
      fql: 1,
      type: "query",
      source: "v_pa_user_flows",
      aggregation: [["sum", "value"]],
      filter: ["time-interval", "day", -1, "month"],
      settings: { compare: "previous-period", timezone: "UTC" }
    }
    const asked = { ...context, now: Temporal.Instant.from("2026-12-01T12:00:30Z") }
    const { other } = Result.getOrThrow(compileQuestion(asked, flows, ENGINES.postgres))
    expect(other!.planned.rows.range).toEqual({ from: "2026-10-01T00:00:00.000Z", until: "2026-11-01T00:00:00.000Z" })
  })

  test.each<[string, unknown, string, [string, string]]>([
    [
      "as many days before",
      days("2026-03-30", "2026-03-31"),
      "previous-period",
      ["2026-03-28T00:00", "2026-03-30T00:00"]
    ],
    [
      "the month before a month",
      ["=", "created_at", "2026-03"],
      "previous-period",
      ["2026-02-01T00:00", "2026-03-01T00:00"]
    ],
    [
      "a month given in days, too",
      days("2026-02-01", "2026-02-28"),
      "previous-period",
      ["2026-01-01T00:00", "2026-02-01T00:00"]
    ],
    ["the quarter before", days("2026-01", "2026-03"), "previous-period", ["2025-10-01T00:00", "2026-01-01T00:00"]],
    ["the year before", days("2025-01", "2025-12"), "previous-period", ["2024-01-01T00:00", "2025-01-01T00:00"]],
    ["a week before a week", interval(-1, "week"), "previous-period", ["2026-03-23T00:00", "2026-03-30T00:00"]],
    ["as many hours before", interval(-3, "hour"), "previous-period", ["2026-04-10T06:00", "2026-04-10T09:00"]],
    [
      "the time just before",
      days("2026-03-30T10:00:00", "2026-03-30T11:59:59.999"),
      "previous-period",
      ["2026-03-30T08:00", "2026-03-30T10:00"]
    ],
    [
      "the same days a year before",
      days("2026-03-30", "2026-03-31"),
      "previous-year",
      ["2025-03-30T00:00", "2025-04-01T00:00"]
    ],
    [
      "the same weekdays a year before",
      days("2026-03-30", "2026-03-31"),
      "previous-year-same-weekday",
      ["2025-03-31T00:00", "2025-04-02T00:00"]
    ],
    [
      "28 February for the 29th",
      ["=", "created_at", "2024-02-29"],
      "previous-year",
      ["2023-02-28T00:00", "2023-03-01T00:00"]
    ],
    [
      "one day for 28 February of a leap year",
      ["=", "created_at", "2024-02-28"],
      "previous-year",
      ["2023-02-28T00:00", "2023-03-01T00:00"]
    ],
    [
      "all of a February that is longer",
      ["=", "created_at", "2025-02"],
      "previous-year",
      ["2024-02-01T00:00", "2024-03-01T00:00"]
    ],
    ["a range of dates", interval(-7, "day"), "2026-01-05~2026-01-11", ["2026-01-05T00:00", "2026-01-12T00:00"]],
    ["a month by its name", interval(-7, "day"), "2026-01", ["2026-01-01T00:00", "2026-02-01T00:00"]],
    ["a range in words", interval("current", "day"), "lastmonth", ["2026-03-01T00:00", "2026-04-01T00:00"]]
  ])("is %s", (_, range, compare, expected) => {
    expect(comparedWith(range, compare)).toEqual(expected)
  })

  test.each<[string, unknown, string, [string, string]]>([
    ["today", interval("current", "day"), "previous-period", ["2026-04-09T00:00", "2026-04-09T12:00"]],
    ["this month", interval("current", "month"), "previous-period", ["2026-03-01T00:00", "2026-03-10T12:00"]],
    ["this year", interval("current", "year"), "previous-year", ["2025-01-01T00:00", "2025-04-10T12:00"]],
    [
      "the last 30 days with today",
      interval(-30, "day", { "include-current": true }),
      "previous-period",
      ["2026-02-08T00:00", "2026-03-10T12:00"]
    ],
    [
      "a range without an end",
      [">=", "created_at", "2026-04-09"],
      "previous-period",
      ["2026-04-07T00:00", "2026-04-08T12:00"]
    ],
    [
      "a range without an end that begins within a day",
      [">=", "created_at", "2026-04-10T08:00:00Z"],
      "previous-period",
      ["2026-04-10T04:00", "2026-04-10T08:00"]
    ]
  ])("of %s ends where as much has passed, to the minute", (_, range, compare, expected) => {
    expect(comparedWith(range, compare)).toEqual(expected)
  })

  test("of a longer month than the other ends with the other", () => {
    expect(comparedWith(interval("current", "month"), "previous-period", { now: "2026-03-30T10:00:00Z" })).toEqual([
      "2026-02-01T00:00",
      "2026-03-01T00:00"
    ])
  })

  test("consists of days of the zone, whatever the clock does", () => {
    const berlin = { timezone: "Europe/Berlin" }
    expect(comparedWith(days("2026-03-29", "2026-03-30"), "previous-period", berlin)).toEqual([
      "2026-03-26T23:00",
      "2026-03-28T23:00"
    ])
    // 15:00 of the day that lacks an hour.
    const now = "2026-03-29T13:00:00Z"
    expect(comparedWith(interval("current", "day"), "previous-period", { ...berlin, now })).toEqual([
      "2026-03-27T23:00",
      "2026-03-28T14:00"
    ])
  })

  test("of today ends at the same time of a day whose midnight the clock skips", () => {
    // Chile's clocks went from 24:00 on 5 September 2026 to 01:00.
    const found = comparedWith(interval("current", "day"), "previous-period", {
      timezone: "America/Santiago",
      now: "2026-09-07T12:00:00Z"
    })
    expect(found).toEqual(["2026-09-06T04:00", "2026-09-06T12:00"])
  })

  test("does not exist for bins that depend on the rows, since the other period has others", () => {
    const binning = (how: object) => ({ ...COUNT, breakout: [["field", "lcp", { binning: how }]] })
    const ask = (parts: object) =>
      Result.getOrThrow(
        compileQuestion(
          context,
          events({ ...parts, filter: interval(-7, "day"), settings: { compare: "previous-period" } }),
          ENGINES.postgres
        )
      )
    expect(ask(binning({ strategy: "default" })).planned.warnings.map(({ code }) => code)).toEqual(["not-compared"])
    expect(ask(binning({ strategy: "bin-width", "bin-width": 100 })).other).not.toBeNull()
  })

  test("does not exist without a beginning, before the beginning, or for a list of rows, which is said and not refused", () => {
    expect(comparedWith(null, "previous-period")).toBe("not-compared")
    expect(comparedWith(["<", "created_at", "2026-04-01"], "previous-year")).toBe("not-compared")
    expect(comparedWith(["=", "created_at", "2026-05-01"], "previous-period")).toBe("not-compared")
    const list = events({ filter: interval(-7, "day"), settings: { compare: "previous-period" } })
    const compiled = Result.getOrThrow(compileQuestion(context, list, ENGINES.postgres))
    expect([compiled.other, compiled.planned.warnings]).toEqual([
      null,
      [{ code: "not-compared", detail: "Nothing is compared: the question computes no numbers." }]
    ])
  })

  test.each([
    ["last year", "bad-ast"],
    ["", "bad-ast"],
    ["all", "bad-ast"],
    ["2026-03-01~", "bad-ast"],
    ["__proto__", "bad-ast"],
    ["2026-02-30", "type-mismatch"],
    ["2026-02-20~2026-02-10", "out-of-range"]
  ])("cannot be %j", (compare, code) => {
    expect(comparedWith(interval(-7, "day"), compare)).toBe(`${code} at /settings/compare`)
  })

  test("cannot begin before the year 1", () => {
    expect(comparedWith(["=", "created_at", "0001-01"], "previous-year")).toBe("out-of-range at /settings/compare")
  })
})

const MARCH_30_31 = ["and", ["=", "site_id", SITE], days("2026-03-30", "2026-03-31")]
const VIEWS = ["and", MARCH_30_31, ["=", "event_type", 1]]
const VIEWS_ON_SITE = ["and", ["=", "site_id", SITE], ["=", "event_type", 1]]
const BY_DAY = ["field", "created_at", { "temporal-unit": "day" }]
const BY_HOUR = ["field", "created_at", { "temporal-unit": "hour" }]

describe.each(["postgres", "replica"])("a comparison in the fixture, answered by %s", (engine) => {
  const ask = (
    question: object,
    compare = "previous-period",
    { settings = {}, ...changes }: Partial<QuestionContext> & { readonly settings?: object } = {}
  ): Promise<Answer> =>
    Effect.runPromise(
      askQuestion(
        engines.get(engine),
        { ...context, ...changes },
        events({ ...question, settings: { ...settings, compare } })
      )
    )

  test("of 30 and 31 March with the days before has the contract's numbers in case 27, and how they changed", async () => {
    const metrics = ["pageviews", "visitors", "visits", "bounces", "total-time", "bounce-rate"]
    const question = { filter: MARCH_30_31, aggregation: metrics.map((name) => ["metric", name]) }
    const umami = await ask({ ...question, compat: "umami" })
    expect(umami.data.rows).toEqual([[6, 4, 5, 4, 20, 0.8]])
    expect(umami.comparison).toEqual({
      compare: "previous-period",
      from: "2026-03-28T00:00:00+00:00",
      until: "2026-03-30T00:00:00+00:00",
      rows: [[8, 4, 5, 2, 820, 0.4]],
      changes: [
        [
          { difference: -2, percent: -25 },
          { difference: 0, percent: 0 },
          { difference: 0, percent: 0 },
          { difference: 2, percent: 100 },
          { difference: -800, percent: -97.56 },
          { difference: 0.4, percent: 100 }
        ]
      ],
      unmatched: [],
      partial_buckets: [],
      truncated: false
    })
    // Strict: C's, A's and E's visits bounce; before, only B's. B's visit takes 1,200 s; before, A's take 180 s and 630 s, D's 60 s.
    const strict = await ask(question)
    expect(strict.data.rows).toEqual([[6, 4, 5, 3, 1_220, 0.6]])
    expect(strict.comparison?.rows).toEqual([[8, 4, 5, 1, 940, 0.2]])
  })

  test("by day puts the first day next to the first", async () => {
    const { comparison, data } = await ask({ ...COUNT, filter: VIEWS, breakout: [BY_DAY] })
    expect(data.rows).toEqual([
      ["2026-03-30T00:00:00", 4],
      ["2026-03-31T00:00:00", 2]
    ])
    expect(comparison?.rows).toEqual([
      ["2026-03-28T00:00:00", 3],
      ["2026-03-29T00:00:00", 5]
    ])
    expect(comparison?.changes).toEqual([
      [null, { difference: 1, percent: 33.33 }],
      [null, { difference: -3, percent: -60 }]
    ])
  })

  test("by page finds each page, also one that is not among the most viewed of the other period, and those that are only there", async () => {
    const byPage = { ...COUNT, filter: VIEWS, breakout: ["url_path"], "order-by": [["desc", ["aggregation", 0]]] }
    const all = await ask(byPage)
    expect(all.data.rows).toEqual([
      ["/", 2],
      ["/blog", 2],
      ["/pricing", 2]
    ])
    expect(all.comparison).toMatchObject({
      rows: [
        ["/", 4],
        ["/blog", 1],
        ["/pricing", 2]
      ],
      unmatched: [["/thanks", 1]]
    })
    const limited = await ask({ ...byPage, "order-by": [["asc", ["aggregation", 0]]], limit: 2 })
    expect(limited.comparison).toMatchObject({
      rows: [
        ["/", 4],
        ["/blog", 1]
      ],
      unmatched: []
    })
  })

  test("counts a group that the other period lacks as 0, with no change in percent", async () => {
    const filter = ["and", ["=", "site_id", SITE], days("2026-03-28", "2026-03-29"), ["=", "event_type", 1]]
    const aggregation = [["count"], ["sum", "revenue"]]
    const { comparison, data } = await ask({ aggregation, filter, breakout: ["url_path"] }, "2026-03-30~2026-03-31")
    expect(data.rows.at(-1)).toEqual(["/thanks", 1, null])
    expect(comparison?.rows.at(-1)).toEqual(["/thanks", 0, null])
    expect(comparison?.changes.at(-1)).toEqual([null, { difference: 1, percent: null }, null])
  })

  test("does not compare the row that sums up other groups, since they were others then", async () => {
    const parts = {
      ...COUNT,
      filter: VIEWS,
      breakout: ["url_path"],
      "order-by": [["desc", ["aggregation", 0]]],
      limit: 1
    }
    const { comparison, data, has_other: hasOther } = await ask(parts, "previous-period", { settings: { other: true } })
    expect([hasOther, data.rows]).toEqual([
      true,
      [
        ["/", 2],
        ["Other", 4]
      ]
    ])
    expect([comparison?.rows, comparison?.changes[1]]).toEqual([
      [["/", 4], null],
      [null, null]
    ])
  })

  test("of months of different lengths leaves the last days of the longer one without a partner", async () => {
    const month = (name: string) =>
      ask({ ...COUNT, filter: ["and", ["=", "site_id", SITE], ["=", "created_at", name]], breakout: [BY_DAY] })
    const march = await month("2026-03")
    expect(march.comparison?.rows.map((row) => row?.[0] ?? null).slice(26)).toEqual([
      "2026-02-27T00:00:00",
      "2026-02-28T00:00:00",
      null,
      null,
      null
    ])
    const april = await month("2026-04")
    expect(april.comparison?.rows[0]).toEqual(["2026-03-01T00:00:00", 0])
    // On 10 April at noon, only as much of March is compared.
    expect([april.data.rows.length, april.comparison?.rows.filter((row) => row !== null).length]).toEqual([30, 10])
    const february = await month("2026-02")
    expect(february.comparison?.unmatched.map(([day]) => day)).toEqual([
      "2026-01-29T00:00:00",
      "2026-01-30T00:00:00",
      "2026-01-31T00:00:00"
    ])
  })

  test("by hour keeps the time of the day when the clock changes", async () => {
    const hours = (day: string) =>
      ask({ ...COUNT, filter: ["and", VIEWS_ON_SITE, ["=", "created_at", day]], breakout: [BY_HOUR] }, undefined, {
        settings: { timezone: "Europe/Berlin" }
      })
    const spring = (await hours("2026-03-29")).comparison!
    expect([spring.rows.length, spring.rows[2], spring.rows.at(-1)]).toEqual([
      23,
      ["2026-03-28T03:00:00+01:00", 0],
      ["2026-03-28T23:00:00+01:00", 2]
    ])
    expect(spring.unmatched).toEqual([["2026-03-28T02:00:00+01:00", 0]])
    const autumn = await hours("2025-10-26")
    expect(autumn.data.rows.slice(2, 5).map(([hour]) => hour)).toEqual([
      "2025-10-26T02:00:00+02:00",
      "2025-10-26T02:00:00+01:00",
      "2025-10-26T03:00:00+01:00"
    ])
    expect(autumn.comparison?.rows.slice(2, 5)).toEqual([
      ["2025-10-25T02:00:00+02:00", 0],
      null,
      ["2025-10-25T03:00:00+02:00", 0]
    ])
  })

  test("by week and by a part of the time meets by position and by name", async () => {
    const filter = ["and", VIEWS_ON_SITE, days("2026-03-30", "2026-04-05")]
    const week = ["field", "created_at", { "temporal-unit": "week" }]
    const weekday = ["field", "created_at", { "temporal-unit": "day-of-week" }]
    expect((await ask({ ...COUNT, filter, breakout: [week] })).comparison?.rows).toEqual([["2026-03-23T00:00:00", 8]])
    const { comparison, data } = await ask({ ...COUNT, filter, breakout: [weekday] })
    expect(data.rows).toEqual([
      [1, 4],
      [2, 2]
    ])
    expect(comparison).toMatchObject({
      rows: [
        [1, 0],
        [2, 0]
      ],
      unmatched: [
        [6, 3],
        [7, 5]
      ]
    })
  })

  test("lists the weeks that the other period cuts, and the days that end where as much has passed", async () => {
    const partial = async (unit: string, filter: ReadonlyArray<unknown>) => {
      const breakout = [["field", "created_at", { "temporal-unit": unit }]]
      const answer = await ask({ ...COUNT, filter: ["and", VIEWS_ON_SITE, filter], breakout })
      return [answer.partial_buckets, answer.comparison?.partial_buckets]
    }
    expect(await partial("week", days("2026-03-23", "2026-03-29"))).toEqual([[], []])
    // The nine days before a Monday begin on a Saturday.
    expect(await partial("week", days("2026-03-23", "2026-03-31"))).toEqual([
      ["2026-03-30T00:00:00"],
      ["2026-03-09T00:00:00"]
    ])
    expect(await partial("month", days("2026-03-20", "2026-04-02"))).toEqual([
      ["2026-03-01T00:00:00", "2026-04-01T00:00:00"],
      ["2026-03-01T00:00:00"]
    ])
    expect(await partial("day", interval("current", "day"))).toEqual([["2026-04-10T00:00:00"], ["2026-04-09T00:00:00"]])
  })

  test("of visits, of a question on another, and by day and country compares the inner range", async () => {
    const visits = {
      aggregation: [["count"]],
      filter: ["and", ["=", "site_id", SITE], ["between", "started_at", "2026-03-30", "2026-03-31"]]
    }
    expect((await ask({ ...visits, source: "v_pa_visits" })).comparison?.rows).toEqual([[5]])
    const inner = { fql: 1, type: "query", source: "v_pa_events", ...COUNT, filter: VIEWS, breakout: ["url_path"] }
    const most = { source: { query: inner }, aggregation: [["max", "count"]] }
    expect((await ask(most)).comparison?.rows).toEqual([[4]])
    const { comparison, data } = await ask({
      aggregation: [["metric", "visitors"]],
      filter: VIEWS,
      breakout: [BY_DAY, "country"]
    })
    expect(data.rows).toContainEqual(["2026-03-30T00:00:00", "FR", 1])
    const at = data.rows.findIndex(([day, country]) => day === "2026-03-30T00:00:00" && country === "FR")
    expect(comparison?.rows[at]).toEqual(["2026-03-28T00:00:00", "FR", 0])
    expect(comparison?.unmatched).toContainEqual(["2026-03-29T00:00:00", null, 1])
  })

  test("reads no site that the person may not see", async () => {
    const limited = { sites: QUESTION_SITES.slice(0, 1), isLimited: true }
    const question = { ...COUNT, filter: days("2026-04-01", "2026-04-01") }
    expect((await ask(question, "2026-03-30")).comparison?.rows).toEqual([[9]])
    expect((await ask(question, "2026-03-30", limited)).comparison?.rows).toEqual([[8]])
  })

  test("as a table has the other values and the changes as columns", async () => {
    const { cols, rows } = tableOf(await ask({ ...COUNT, filter: VIEWS, breakout: [BY_DAY] }))
    expect(cols.map(({ display_name: title, name }) => [name, title])).toEqual([
      ["created_at", "Created at: day"],
      ["count", "Count"],
      ["created_at_compared", "Created at: day (compared)"],
      ["count_compared", "Count (compared)"],
      ["count_change", "Count (change)"],
      ["count_change_percent", "Count (change in %)"]
    ])
    expect(rows[0]).toEqual(["2026-03-30T00:00:00", 4, "2026-03-28T00:00:00", 3, 1, 33.33])
  })
})
