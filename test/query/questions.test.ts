import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { Effect, Result } from "effect"
import type { QueryEngine } from "../../src/ports/QueryEngine.ts"
import { type Answer, askQuestion } from "../../src/query/answer.ts"
import { compileQuestion, ENGINES } from "../../src/query/compile.ts"
import { parseFormula } from "../../src/query/formula/parse.ts"
import type { Clause } from "../../src/query/fql/schema.ts"
import { VIEWS } from "../../src/query/metadata/views.ts"
import type { QuestionContext } from "../../src/query/plan/context.ts"
import { OTHER_SITE, SITE } from "../services/fixture.ts"
import { questionContext } from "../support/questions/context.ts"
import { QUESTION_SITES } from "../support/questions/events.ts"
import { type FixtureEngines, openFixtureEngines } from "../support/questions/fixtureEngines.ts"

const context = questionContext({
  propertyType: (_sites, _event, key) => (key === "seats" ? "number" : null),
  segments: new Map<string, Clause>([["views", ["=", "event_type", 1]]]),
  cohorts: new Map<string, Clause>([["buyers", ["=", "event_name", "purchase"]]])
})

let engines: FixtureEngines

beforeAll(async () => {
  engines = await openFixtureEngines()
}, 180_000)

afterAll(() => engines[Symbol.asyncDispose]())

const askOn = (engine: string, question: object, changes: Partial<QuestionContext> = {}): Promise<Answer> =>
  Effect.runPromise(
    askQuestion(
      engines.get(engine),
      { ...context, ...changes },
      { fql: 1, type: "query", source: "v_pa_events", ...question }
    )
  )

const RANGE = ["between", "created_at", "2026-03-28", "2026-03-31"] as const
const ON_SITE = ["=", "site_id", SITE] as const
const VIEW_ROWS = ["=", "event_type", 1, 3, 4] as const
const during = (...more: ReadonlyArray<unknown>) => ["and", ON_SITE, RANGE, ...more]
const byDay = ["field", "created_at", { "temporal-unit": "day" }]
const OVERVIEW = ["pageviews", "visitors", "visits", "bounces", "total-time"].map((name) => ["metric", name])

describe.each(["postgres", "replica"])("a question about the fixture, asked of %s", (engine) => {
  const ask = (question: object): Promise<Answer> => askOn(engine, question)
  const rowsOf = async (question: object): Promise<unknown> => (await ask(question)).data.rows

  test("is refused if it computes a number that is too large, and not answered with one group for each sign", async () => {
    const large = ["*", ["field", "event_type"], 1e300, 1e300]
    const question = { filter: during(VIEW_ROWS), expressions: { large } }
    for (const parts of [
      { fields: [["expression", "large"]] },
      { aggregation: [["count"]], breakout: [["expression", "large"]] },
      { aggregation: [["sum", ["expression", "large"]]] }
    ]) {
      await expect(ask({ ...question, ...parts })).rejects.toMatchObject({ reason: "OutOfRange" })
    }
  })

  describe("with a pattern", () => {
    const text = ["concat", ["field", "url_path"], "/größe/", "l".repeat(700)]
    /** How many of the 14 views match. */
    const count = async (condition: string, pattern: string, ...options: ReadonlyArray<object>) => {
      const matches = [condition, ["expression", "text"], pattern, ...options]
      const { data } = await ask({
        filter: during(VIEW_ROWS),
        expressions: { text },
        aggregation: [["count-where", matches]]
      })
      return data.rows[0]![0]
    }
    const CASE = { "case-sensitive": true }

    test("takes time in proportion to the text, however many `.*` there are", async () => {
      expect(await count("matches", `^${".*l".repeat(60)}z$`, CASE)).toBe(0)
      expect(await count("wildcard", `/${"**l".repeat(60)}z`)).toBe(0)
      expect(await count("wildcard", `/${"**l".repeat(60)}`)).toBe(14)
    })

    test("finds the beginning and the end nowhere else", async () => {
      expect(await count("matches", "l^", CASE)).toBe(0)
      expect(await count("matches", "$/", CASE)).toBe(0)
      expect(await count("matches", "^/", CASE)).toBe(14)
      expect(await count("matches", ".^")).toBe(0)
      expect(await count("matches", "^^")).toBe(14)
    })

    test("means English letters by \\w, and everything else by \\W", async () => {
      expect(await count("matches", "/\\w+/l")).toBe(0)
      expect(await count("matches", "/[\\wöß]+/l")).toBe(14)
      expect(await count("matches", "/gr\\W\\We/")).toBe(14)
    })
  })

  test("counts events by day", async () => {
    const answer = await ask({ filter: during(VIEW_ROWS), aggregation: [["count"]], breakout: [byDay] })
    expect(answer.data.rows).toEqual([
      ["2026-03-28T00:00:00", 3],
      ["2026-03-29T00:00:00", 5],
      ["2026-03-30T00:00:00", 4],
      ["2026-03-31T00:00:00", 2]
    ])
    expect(answer).toMatchObject({ route: engine, truncated: false, partial_buckets: [], row_count: 4 })
    expect(answer.data.cols.map(({ name }) => name)).toEqual(["created_at", "count"])
  })

  describe("with joins", () => {
    const joined = (alias: string, source: unknown, key: string, more: object = {}) => ({
      alias,
      source,
      strategy: "left-join",
      condition: ["=", key, ["field", "id", { "join-alias": alias }]],
      ...more
    })
    const of = (alias: string, name: string) => ["field", name, { "join-alias": alias }]
    /** The events of signups by visitor. */
    const signups = {
      query: {
        fql: 1,
        type: "query",
        source: "v_pa_events",
        filter: ["=", "event_name", "signup"],
        aggregation: [["count"]],
        breakout: ["session_id"]
      }
    }
    const onSignups = { condition: ["=", "session_id", of("s", "session_id")] }

    test("keeps rows without a partner or leaves them out, as the strategy says", async () => {
      const events = (strategy: string) =>
        rowsOf({
          joins: [joined("s", signups, "session_id", { ...onSignups, strategy })],
          filter: during(VIEW_ROWS),
          aggregation: [["count"], ["distinct", of("s", "session_id")]]
        })
      // A, B and D signed up once each; they have 5, 2 and 1 of the 14 views.
      expect(await events("left-join")).toEqual([[14, 3]])
      expect(await events("inner-join")).toEqual([[8, 3]])
    })

    test("joins several sources, and reads a field through a key as a join would", async () => {
      const question = {
        joins: [joined("v", "v_pa_sessions", "session_id"), joined("s", signups, "session_id", onSignups)],
        filter: during(VIEW_ROWS),
        aggregation: [["count"]],
        breakout: [of("v", "country"), "site_id"]
      }
      const explicit = await rowsOf(question)
      const implicit = await rowsOf({
        filter: during(VIEW_ROWS),
        aggregation: [["count"]],
        breakout: [["field", "country", { "source-field": "session_id" }], "site_id"]
      })
      expect(explicit).toEqual(implicit)
      expect(explicit).toEqual(
        [
          ["DE", 5],
          ["FR", 3],
          ["US", 5],
          [null, 1]
        ].map(([country, count]) => [country, SITE, count])
      )
    })

    test("reads two keys in a row", async () => {
      const rows = await rowsOf({
        source: "v_pa_event_data",
        filter: ["and", ON_SITE, ["=", "data_key", "plan"], ["=", "string_value", "pro"]],
        aggregation: [["count"]],
        breakout: [["field", "country", { "source-field": ["event_id", "session_id"] }]]
      })
      expect(rows).toEqual([
        ["DE", 1],
        ["US", 1]
      ])
    })

    test("never reads another site's rows for a group that is limited to one", async () => {
      const limited = { isLimited: true, sites: QUESTION_SITES.slice(0, 1) }
      const ask = async (question: object) => (await askOn(engine, question, limited)).data.rows
      const everything = ["=", ["field", "event_type"], of("e", "event_type")]
      // Each of the site's views meets all of them, but not the other site's.
      const views = {
        filter: ["=", "event_type", 1],
        aggregation: [
          ["distinct", of("e", "id")],
          ["distinct", of("e", "site_id")]
        ]
      }
      const direct = [{ alias: "e", source: "v_pa_events", strategy: "inner-join", condition: everything }]
      const nested = [
        {
          alias: "e",
          source: { query: { fql: 1, type: "query", source: "v_pa_events", fields: ["id", "site_id", "event_type"] } },
          strategy: "inner-join",
          condition: everything
        }
      ]
      for (const joins of [direct, nested]) {
        const [[ids, sites]] = (await ask({ ...views, joins })) as [[number, number]]
        const [[own]] = (await ask({ filter: ["=", "event_type", 1], aggregation: [["count"]] })) as [[number]]
        expect([ids, sites]).toEqual([own, 1])
        const all = (await askOn(engine, { ...views, joins })).data.rows
        expect(all).toEqual([[own + 1, 2]])
      }
    })
  })

  test("groups numbers into bins of a nice width, or into as many as are asked for", async () => {
    // There are 1, 3 and 5 seats.
    const binning = (options: object) => ({
      filter: during(["=", "event_name", "signup"]),
      aggregation: [["count"]],
      breakout: [["prop", "seats", { binning: options }]]
    })
    expect(await rowsOf(binning({ strategy: "default" }))).toEqual([
      [1, 1],
      [3, 1],
      [5, 1]
    ])
    expect(await rowsOf(binning({ strategy: "num-bins", "num-bins": 2 }))).toEqual([
      [1, 1],
      [3, 2]
    ])
    expect(await rowsOf(binning({ strategy: "num-bins", "num-bins": 1 }))).toEqual([[1, 3]])
    const visits = { source: "v_pa_visits", filter: ON_SITE, aggregation: [["count"]] }
    const bins = { breakout: [["field", "duration_s", { binning: { strategy: "default" } }]] }
    expect(await rowsOf({ ...visits, ...bins })).toEqual(
      await rowsOf({
        ...visits,
        breakout: [["field", "duration_s", { binning: { strategy: "bin-width", "bin-width": 100 } }]]
      })
    )
    // Without rows, and with equal values.
    expect(await rowsOf({ ...binning({ strategy: "default" }), filter: ["=", "event_name", "?"] })).toEqual([])
    for (const equal of [{ strategy: "default" }, { strategy: "num-bins", "num-bins": 5 }]) {
      expect(await rowsOf({ ...binning(equal), filter: during(["=", ["prop", "seats"], 3]) })).toEqual([[3, 1]])
    }
  })

  test("sums up the groups beyond a limit as one, with distinct counts of their own", async () => {
    const byPage = {
      filter: during(VIEW_ROWS),
      aggregation: ["visitors", "pageviews", "entries", "bounces", "bounce-rate"].map((name) => ["metric", name]),
      breakout: ["url_path"],
      "order-by": [["desc", ["aggregation", 0]]]
    }
    const other = { settings: { other: true } }
    expect(await rowsOf(byPage)).toEqual([
      ["/", 4, 6, 5, 3, 0.6],
      ["/pricing", 3, 4, 3, 1, 0.3333333333333333],
      ["/blog", 2, 3, 2, 0, 0],
      ["/thanks", 1, 1, 0, 0, null]
    ])
    const answer = await ask({ ...byPage, ...other, limit: 1 })
    // Three of the four visitors of the other pages saw two of them.
    expect(answer.data.rows).toEqual([
      ["/", 4, 6, 5, 3, 0.6],
      ["Other", 4, 8, 5, 1, 0.2]
    ])
    expect(answer).toMatchObject({ has_other: true, truncated: false, row_count: 2 })
    const all = await ask({ ...byPage, ...other, limit: 4 })
    expect([all.has_other, all.row_count]).toEqual([false, 4])
    expect(await rowsOf({ ...byPage, ...other, limit: 1, having: [">", ["aggregation", 0], 1] })).toEqual([
      ["/", 4, 6, 5, 3, 0.6],
      ["Other", 4, 7, 5, 1, 0.2]
    ])
    expect(
      await rowsOf({ ...byPage, ...other, compat: "umami", aggregation: byPage.aggregation.slice(0, 3), limit: 2 })
    ).toEqual([
      ["/", 4, 6, 5],
      ["/pricing", 3, 4, 3],
      ["Other", 3, 4, 2]
    ])
  })

  test("sums up groups by several things, null among them", async () => {
    expect(
      await rowsOf({
        filter: during(VIEW_ROWS),
        aggregation: [["count"], ["distinct", "session_id"], ["median", "event_type"]],
        breakout: [byDay, "country"],
        "order-by": [["desc", ["aggregation", 0]]],
        limit: 2,
        settings: { other: true }
      })
    ).toEqual([
      ["2026-03-28T00:00:00", "DE", 2, 1, 1],
      ["2026-03-29T00:00:00", "DE", 2, 1, 1],
      [null, "Other", 10, 5, 1]
    ])
  })

  test("has the overview of strict and of Umami's definitions", async () => {
    expect(await rowsOf({ filter: during(), aggregation: OVERVIEW })).toEqual([[14, 5, 10, 4, 2_160]])
    expect(await rowsOf({ compat: "umami", filter: during(), aggregation: OVERVIEW })).toEqual([[14, 5, 10, 6, 840]])
    expect(await rowsOf({ compat: "umami", filter: during(["=", "country", "DE"]), aggregation: OVERVIEW })).toEqual([
      [5, 1, 3, 1, 750]
    ])
    expect(
      await rowsOf({ compat: "umami", filter: during(["=", "url_path", "/pricing"]), aggregation: OVERVIEW })
    ).toEqual([[4, 3, 4, 4, 0]])
  })

  test("uses the definitions of the site, unless it says which", async () => {
    const sites = context.sites.map((one) => ({ ...one, definitions: "umami" as const }))
    const rows = async (more: object) =>
      (await askOn(engine, { filter: during(), aggregation: OVERVIEW, ...more }, { sites })).data.rows
    expect(await rows({})).toEqual([[14, 5, 10, 6, 840]])
    expect(await rows({ compat: "strict" })).toEqual([[14, 5, 10, 4, 2_160]])
  })

  test("computes bounces and time of filtered rows on whole visits", async () => {
    // Visits of A: 180 s, 630 s, and a bounce.
    expect(await rowsOf({ filter: during(["=", "country", "DE"]), aggregation: OVERVIEW })).toEqual([[5, 1, 3, 1, 810]])
    // Visits with a view of /pricing: v1, v4, v6 and v10, of which only v10 is a bounce.
    expect(
      await rowsOf({ filter: during(["=", "event_type", 1], ["=", "url_path", "/pricing"]), aggregation: OVERVIEW })
    ).toEqual([[4, 3, 4, 1, 2_010]])
  })

  test("counts a visit in every day in which it has a row, and visitors by distinct people", async () => {
    expect(
      await rowsOf({
        filter: during(),
        aggregation: [
          ["metric", "visitors"],
          ["metric", "visits"]
        ],
        breakout: [byDay]
      })
    ).toEqual([
      ["2026-03-28T00:00:00", 2, 2],
      ["2026-03-29T00:00:00", 3, 3],
      ["2026-03-30T00:00:00", 3, 3],
      ["2026-03-31T00:00:00", 2, 2]
    ])
  })

  test("groups by local days of the report's zone, with the hour that spring skips missing", async () => {
    const settings = { timezone: "Europe/Berlin" }
    expect(await rowsOf({ settings, filter: during(VIEW_ROWS), aggregation: [["count"]], breakout: [byDay] })).toEqual([
      ["2026-03-28T00:00:00", 2],
      ["2026-03-29T00:00:00", 5],
      ["2026-03-30T00:00:00", 5],
      ["2026-03-31T00:00:00", 1]
    ])
    const hours = (await rowsOf({
      settings,
      filter: ["and", ON_SITE, VIEW_ROWS, ["=", "created_at", "2026-03-29"]],
      aggregation: [["count"]],
      breakout: [["field", "created_at", { "temporal-unit": "hour" }]]
    })) as ReadonlyArray<readonly [string, number]>
    expect(hours).toHaveLength(23)
    expect(hours.filter(([, count]) => count > 0)).toEqual([
      ["2026-03-29T00:00:00+01:00", 1],
      ["2026-03-29T01:00:00+01:00", 2],
      ["2026-03-29T03:00:00+02:00", 2]
    ])
  })

  test("groups by weeks that start on Monday or Sunday", async () => {
    const byWeek = {
      filter: during(VIEW_ROWS),
      aggregation: [["count"]],
      breakout: [["field", "created_at", { "temporal-unit": "week" }]]
    }
    expect(await rowsOf(byWeek)).toEqual([
      ["2026-03-23T00:00:00", 8],
      ["2026-03-30T00:00:00", 6]
    ])
    expect(await rowsOf({ ...byWeek, settings: { "week-start": "sunday" } })).toEqual([
      ["2026-03-22T00:00:00", 3],
      ["2026-03-29T00:00:00", 11]
    ])
  })

  test("lists pages by visitors, and entry pages by the visits that began there", async () => {
    expect(
      await rowsOf({
        filter: during(VIEW_ROWS),
        aggregation: [["distinct", "session_id"], ["count"]],
        breakout: ["url_path"],
        "order-by": [["desc", ["aggregation", 0]]]
      })
    ).toEqual([
      ["/", 4, 6],
      ["/pricing", 3, 4],
      ["/blog", 2, 3],
      ["/thanks", 1, 1]
    ])
    expect(
      await rowsOf({
        filter: during(VIEW_ROWS),
        aggregation: [
          ["metric", "entries"],
          ["metric", "exits"],
          ["metric", "bounces"]
        ],
        breakout: ["url_path"]
      })
    ).toEqual([
      ["/", 5, 5, 3],
      ["/blog", 2, 1, 0],
      ["/pricing", 3, 3, 1],
      ["/thanks", 0, 1, 0]
    ])
    expect(
      await rowsOf({
        source: "v_pa_visits",
        filter: ["and", ON_SITE, ["between", "started_at", "2026-03-28", "2026-03-31"]],
        aggregation: [["distinct", "session_id"], ["count"]],
        breakout: ["entry_path"]
      })
    ).toEqual([
      ["/", 4, 5],
      ["/blog", 2, 2],
      ["/pricing", 3, 3]
    ])
  })

  test("lists the largest groups in the order of their numbers, then of their names, whatever the length of the list", async () => {
    const groups = {
      filter: during(VIEW_ROWS),
      aggregation: [["count"], ["metric", "visitors"]],
      breakout: ["url_path", "session_id"]
    }
    for (const column of [0, 1]) {
      const sorted = { ...groups, "order-by": [["desc", ["aggregation", column]]] }
      const all = (await ask(sorted)).data.rows
      const numbers = all.map((row) => Number(row[2 + column]))
      expect(numbers).toEqual(numbers.toSorted((one, other) => other - one))
      // Some have the same number.
      expect(new Set(numbers).size).toBeLessThan(numbers.length)
      for (let limit = 1; limit <= all.length + 1; limit++) {
        expect((await ask({ ...sorted, limit })).data.rows).toEqual(all.slice(0, limit))
      }
      const page = await ask({ ...sorted, page: { page: 2, items: 3 } })
      expect(page.data.rows).toEqual(all.slice(3, 6))
    }
    const rest = await ask({
      ...groups,
      aggregation: [["count"]],
      "order-by": [["desc", ["aggregation", 0]]],
      limit: 2,
      settings: { other: true }
    })
    // It is of all the other groups, not only of the largest.
    expect([rest.has_other, rest.data.rows.reduce((sum, row) => sum + Number(row[2]), 0)]).toEqual([true, 14])
  })

  test("gives a visit the channel of its first row that has one", async () => {
    expect(
      await rowsOf({
        source: "v_pa_visits",
        filter: ["and", ON_SITE, ["between", "started_at", "2026-03-28", "2026-03-31"]],
        aggregation: [["count"]],
        breakout: ["channel"]
      })
    ).toEqual([
      ["direct", 8],
      ["organicSocial", 1],
      ["paidAds", 1]
    ])
    expect(await rowsOf({ filter: during(VIEW_ROWS), aggregation: [["count"]], breakout: ["channel"] })).toEqual([
      ["direct", 10],
      ["organicSocial", 2],
      ["paidAds", 2]
    ])
  })

  describe("that finds nothing, about an event", () => {
    const LAST_30_DAYS = ["time-interval", "created_at", -30, "day"]
    const warningsOf = async (question: object, changes: Partial<QuestionContext> = {}) =>
      (await askOn(engine, question, changes)).warnings.map(({ code, detail }) => `${code}: ${detail}`)
    const named = (name: string, ...more: ReadonlyArray<unknown>) => ({
      filter: ["and", ON_SITE, ["=", "event_name", name], ...more],
      aggregation: [["count"]]
    })

    test("warns that there is none of this name, and says which was probably meant", async () => {
      const { data, warnings } = await ask(named("sigup", LAST_30_DAYS))
      expect(data.rows).toEqual([[0]])
      expect(warnings).toEqual([
        {
          code: "unknown-event",
          detail: "There has been no event named `sigup` since 2026-01-10. Did you mean `signup`?"
        }
      ])
      expect(await warningsOf(named("sigup", ["between", "created_at", "2025-12-01", "2026-04-01"]))).toEqual([
        "unknown-event: There has been no event named `sigup` since 2025-12-01. Did you mean `signup`?"
      ])
      expect(await warningsOf(named("something else"))).toEqual([
        "unknown-event: There is no event named `something else`."
      ])
    })

    test("warns in every form of the question", async () => {
      const expected = ["unknown-event: There is no event named `sigup`. Did you mean `signup`?"]
      expect(await warningsOf({ ...named("sigup"), breakout: [byDay] })).toEqual(expected)
      expect(await warningsOf({ filter: named("sigup").filter, fields: ["id"] })).toEqual(expected)
      const goal = ["metric", "conversion-rate", { goal: ["=", "event_name", "sigup"] }]
      expect(await warningsOf({ filter: ON_SITE, aggregation: [goal] })).toEqual(expected)
      const seats = ["prop", "seats", { event: "sigup", type: "number" }]
      expect(await warningsOf({ filter: ON_SITE, aggregation: [["sum", seats]] })).toEqual(expected)
    })

    test("does not warn of a rare event, or if something was found", async () => {
      expect(await warningsOf(named("signup", ["=", "created_at", "2026-04-05"]))).toEqual([])
      expect(
        await warningsOf({ ...named("signup"), filter: ["and", ON_SITE, ["=", "event_name", "sigup", "signup"]] })
      ).toEqual([])
    })

    test("knows only the events of sites that the person may read", async () => {
      const limited = { isLimited: true, sites: QUESTION_SITES.slice(1) }
      expect(await warningsOf({ filter: ["=", "event_name", "sigup"], aggregation: [["count"]] }, limited)).toEqual([
        "unknown-event: There is no event named `sigup`."
      ])
    })

    test("is answered without a warning if the names cannot be read in time", async () => {
      let runs = 0
      const slow: QueryEngine["Service"] = {
        ...engines.get(engine),
        run: (query) => (++runs === 1 ? engines.get(engine).run(query) : Effect.never)
      }
      const question = { fql: 1, type: "query", source: "v_pa_events", ...named("sigup") }
      const { data, warnings } = await Effect.runPromise(askQuestion(slow, context, question))
      expect([data.rows, warnings, runs]).toEqual([[[0]], [], 2])
    })
  })

  test("warns of a property that is not registered and has no values, and says which field was probably meant", async () => {
    const warningsOf = async (question: object, changes: Partial<QuestionContext> = {}) =>
      (await askOn(engine, { filter: during(["=", "event_name", "signup"]), ...question }, changes)).warnings.map(
        ({ code, detail }) => `${code}: ${detail}`
      )
    const count = { aggregation: [["count"]] }
    const noCountry = ["unknown-property: There is no property `contry`. Did you mean `country`?"]
    expect(await warningsOf({ ...count, breakout: [["prop", "contry"]] })).toEqual(noCountry)
    expect(await warningsOf({ fields: ["id", ["prop", "contry"]] })).toEqual(noCountry)
    expect(await warningsOf({ ...count, filter: during(["=", ["prop", "contry"], "DE"]) })).toEqual(noCountry)
    expect(
      await warningsOf({ aggregation: [["sum", ["prop", "price", { event: "signup", type: "number" }]]] })
    ).toEqual(["unknown-property: `signup` has no property `price`."])
    expect(await warningsOf({ ...count, breakout: [["attr", "teir"]] })).toEqual([
      "unknown-property: There is no attribute `teir`."
    ])
    const registered = {
      propertyKeys: (_sites: unknown, event: string | null) => (event === "purchase" ? ["price"] : ["plan", "seats"]),
      attributeKeys: () => ["tier"]
    }
    expect(await warningsOf({ ...count, breakout: [["prop", "plna", { event: "signup" }]] }, registered)).toEqual([
      "unknown-property: `signup` has no property `plna`. Did you mean `plan`?"
    ])
    expect(await warningsOf({ ...count, breakout: [["attr", "teir"]] }, registered)).toEqual([
      "unknown-property: There is no attribute `teir`. Did you mean `tier`?"
    ])
    const isHidden = {
      hasColumn: () => false,
      hasProperty: (_sites: unknown, _event: unknown, key: string) => key === "plan",
      hasAttribute: () => false,
      keys: () => []
    }
    expect(
      await warningsOf(
        { ...count, breakout: [["prop", "plna", { event: "signup" }]] },
        { ...registered, hidden: isHidden }
      )
    ).toEqual(["unknown-property: `signup` has no property `plna`."])
    // A field of the same name has values, and so has a group of numbers that begins with 0.
    expect(await warningsOf({ ...count, breakout: ["country", ["prop", "country"]] })).toEqual([
      "unknown-property: There is no property `country`. There is a field `country`."
    ])
    const tens = ["prop", "seats", { type: "number", binning: { strategy: "bin-width", "bin-width": 10 } }]
    expect(await warningsOf({ ...count, breakout: [tens] }, { propertyType: () => null })).toEqual([])
    // New, or one of too many keys of its site: not registered, but there.
    expect(await warningsOf({ ...count, breakout: [["prop", "plan"]] })).toEqual([])
    // Registered, but without a value in the range.
    expect(await warningsOf({ ...count, breakout: [["prop", "price"]] }, { propertyType: () => "number" })).toEqual([])
    expect(
      await warningsOf({
        ...count,
        filter: ["and", ON_SITE, ["=", "event_name", "sigup"]],
        breakout: [["prop", "contry"]]
      })
    ).toEqual(["unknown-event: There is no event named `sigup`. Did you mean `signup`?"])
  })

  describe("with a condition that nothing can meet", () => {
    const COUNT = { aggregation: [["count"]] }
    const NO_SITE = "5a1ed000-0000-4000-8000-00000000dead"
    const warningsOf = async (filter: unknown, changes: Partial<QuestionContext> = {}, source = "v_pa_events") =>
      (await askOn(engine, { ...COUNT, source, filter }, changes)).warnings
    const noSite = (id: string) => ({ code: "unknown-site", detail: `There is no site ${id}, or you may not read it.` })

    test("warns of a site that does not exist, wherever the condition is", async () => {
      for (const filter of [
        ["=", "site_id", NO_SITE],
        ["and", RANGE, ["=", "site_id", SITE, NO_SITE.toUpperCase()]],
        ["or", ["=", "site_id", NO_SITE], ["=", "country", "DE"]],
        ["!=", "site_id", NO_SITE]
      ]) {
        expect([filter, await warningsOf(filter)]).toEqual([filter, [noSite(NO_SITE)]])
      }
      const inner = { query: { fql: 1, type: "query", source: "v_pa_events", filter: ["=", "site_id", NO_SITE] } }
      expect((await ask({ ...COUNT, source: inner })).warnings).toEqual([noSite(NO_SITE)])
      expect(await warningsOf(["=", "site_id", SITE])).toEqual([])
    })

    test("warns of a site that the person may not read in the same words", async () => {
      const limited = { isLimited: true, sites: QUESTION_SITES.slice(0, 1) }
      for (const id of [OTHER_SITE, NO_SITE]) {
        expect(await warningsOf(["or", ["=", "site_id", id], ["=", "country", "DE"]], limited)).toEqual([noSite(id)])
      }
    })

    test("warns of a range that ends before it begins", async () => {
      const reversed = (detail: string) => [
        { code: "reversed-range", detail: `\`between\` finds nothing, because ${detail}.` }
      ]
      const days = ["2026-03-31", "2026-03-28"]
      const expected = reversed('"2026-03-31" is after "2026-03-28"')
      expect(await warningsOf(["and", ON_SITE, ["between", "created_at", ...days]])).toEqual(expected)
      expect(await warningsOf(["or", ["between", "created_at", ...days], ["=", "country", "DE"]])).toEqual(expected)
      expect(await warningsOf(["between", "event_type", 5, 1])).toEqual(reversed("5 is more than 1"))
      expect(await warningsOf(["between", "event_type", 1, 1])).toEqual([])
      expect(await warningsOf(["between", "created_at", "2026-03-28", "2026-03-28"])).toEqual([])
    })

    test("says how a value is stored that is written in another way, if nothing is found", async () => {
      const unlikely = (detail: string) => [{ code: "unknown-value", detail }]
      for (const [name, given, detail] of [
        ["device", "Desktop", "No `device` is `Desktop`. Did you mean `desktop`?"],
        ["v_pa_sessions.os", "macOS", "No `os` is `macOS`. Did you mean `Mac OS`?"],
        ["browser", "Chrome", "No `browser` is `Chrome`. Did you mean `chrome`?"],
        ["country", "Germany", "No `country` is `Germany`. Did you mean `DE`?"],
        ["country", "de", "No `country` is `de`. Did you mean `DE`?"],
        ["currency", "eur", "No `currency` is `eur`. Did you mean `EUR`?"],
        ["channel", "Organic Search", "No `channel` is `Organic Search`. Did you mean `organicSearch`?"],
        ["channel", "organicSaerch", "No `channel` is `organicSaerch`. Did you mean `organicSearch`?"]
      ] as const) {
        expect(await warningsOf(during(["=", name, given]))).toEqual(unlikely(detail))
      }
      expect(await warningsOf(during(["=", "channel", "nonsense and more"]))).toEqual([
        { code: "unknown-value", detail: expect.stringContaining("The channels are `direct`, `paidAds`") }
      ])
      expect(await warningsOf(during(["=", "country", "Germany", "DE"]))).toEqual([])
      expect(await warningsOf(during(["=", "country", "JP"]))).toEqual([])
    })

    test("says which value a label stands for", async () => {
      await expect(ask({ ...COUNT, filter: ["=", "event_type", "Page view"] })).rejects.toMatchObject({
        pointer: "/filter/2",
        detail: '`=` compares a number with "Page view", which is text. Did you mean `1`?'
      })
      await expect(ask({ ...COUNT, filter: ["=", "site_id", "Shop"] })).rejects.toMatchObject({
        pointer: "/filter/2",
        detail: `"Shop" is not the id of a site. Did you mean \`${SITE}\`?`
      })
      const labels = () => new Map([["pro", "Professional"]])
      expect(await warningsOf(during(["=", ["prop", "plan"], "professional"]), { labels })).toContainEqual({
        code: "unknown-value",
        detail: "No `plan` is `professional`. Did you mean `pro`?"
      })
    })
  })

  test("keeps rows without a value when a filter excludes another value", async () => {
    const count = { aggregation: [["count"]] }
    expect(await rowsOf({ ...count, filter: during(VIEW_ROWS, ["!=", "country", "DE"]) })).toEqual([[9]])
    expect(
      await rowsOf({ ...count, filter: during(VIEW_ROWS, ["!=", "country", "DE"], ["not-empty", "country"]) })
    ).toEqual([[8]])
  })

  describe("at the first and the last times that there are", () => {
    const countOf = (zone: string, ...condition: ReadonlyArray<unknown>) =>
      rowsOf({ filter: ["and", ON_SITE, condition], aggregation: [["count"]], settings: { timezone: zone } })

    test.each(["UTC", "Europe/Berlin", "America/Los_Angeles", "Pacific/Kiritimati"])(
      "filters by dates in %s",
      async (zone) => {
        for (const time of ["created_at", ["datetime-add", ["field", "created_at"], 1, "day"]]) {
          expect(await countOf(zone, "between", time, "0001-01-01", "9999-12-31")).toEqual([[23]])
          expect(await countOf(zone, ">=", time, "0001-01")).toEqual([[23]])
          expect(await countOf(zone, "<=", time, "9999-12")).toEqual([[23]])
          expect(await countOf(zone, "<", time, "0001-01-01")).toEqual([[0]])
          expect(await countOf(zone, ">", time, "9999-12-31")).toEqual([[0]])
          expect(await countOf(zone, "!=", time, "0001-01-01", "9999-12-31")).toEqual([[23]])
        }
      }
    )

    test("has all years up to now from the year 1, in a zone that is ahead of UTC", async () => {
      const { data, row_count } = await ask({
        filter: ["and", ON_SITE, [">=", "created_at", "0001-01-01"]],
        aggregation: [["count"]],
        breakout: [["field", "created_at", { "temporal-unit": "year" }]],
        settings: { timezone: "Europe/Berlin" }
      })
      expect([row_count, data.rows[0], data.rows.at(-1)]).toEqual([
        2026,
        ["0001-01-01T00:00:00", 0],
        ["2026-01-01T00:00:00", 23]
      ])
    })

    test("adds more than 68 years to a time", async () => {
      const filter = during(["=", "event_name", "signup"], ["=", "country", "DE"])
      const after = (count: number, unit: string) =>
        rowsOf({
          filter,
          expressions: { t: ["datetime-add", ["field", "created_at"], count, unit] },
          fields: [["expression", "t"]]
        })
      expect(await after(100_000, "day")).toEqual([["2300-01-11T22:53:00"]])
      expect(await after(-100_000, "week")).toEqual([["0109-09-14T22:53:00"]])
      expect(await after(3_999, "year")).toEqual([["6025-03-28T22:53:00"]])
    })
  })

  test("names the parts of a time, and takes seconds and years from it", async () => {
    const part = (unit: string) => ["temporal-extract", ["field", "created_at"], unit]
    const expressions = {
      weekday: ["day-name", part("day-of-week")],
      month: ["month-name", part("month-of-year")],
      quarter: ["quarter-name", part("quarter-of-year")],
      year: part("year-of-era"),
      second: part("second-of-minute"),
      none: ["day-name", 8]
    }
    const fields = Object.keys(expressions).map((name) => ["expression", name])
    const filter = ["and", ON_SITE, ["between", "created_at", "2026-03-31T23:00:00", "2026-04-01"]]
    for (const settings of [{}, { "week-start": "sunday" }]) {
      expect(await rowsOf({ expressions, fields, filter, settings })).toEqual([
        ["Wednesday", "Apr", "Q2", 2026, 0, null],
        ["Tuesday", "Mar", "Q1", 2026, 59, null]
      ])
    }
  })

  test("numbers weeks by the first day of the week, unless it says how", async () => {
    const week = (...mode: ReadonlyArray<string>) => ["temporal-extract", "2027-01-03", "week-of-year", ...mode]
    const expressions = { own: week(), iso: week("iso"), us: week("us"), instance: week("instance") }
    const fields = Object.keys(expressions).map((name) => ["expression", name])
    const filter = ["and", ON_SITE, ["=", "created_at", "2026-03-28T22:52:00"]]
    const weeks = (start: string) => rowsOf({ expressions, fields, filter, settings: { "week-start": start } })
    expect(await weeks("monday")).toEqual([[53, 53, 2, 1]])
    expect(await weeks("sunday")).toEqual([[2, 53, 2, 2]])
  })

  test("computes what formulas in Metabase's words say", async () => {
    const clause = (formula: string) =>
      Result.getOrThrow(parseFormula(formula, { source: "v_pa_events", expressions: [] }))
    const inCurrency = '[Currency] = "EUR"'
    const formulas = [
      ['CountIf(in([Event name], "signup"))', 3],
      ['countif(notIn([Event name], "signup"))', 20],
      [`SumIf([Revenue], ${inCurrency})`, 149.9],
      [`DistinctIf([Session ID], ${inCurrency})`, 2],
      [`Max(week([Created at], "ISO"))`, 14],
      [`Min(weekday([Created at])) + Share([Event name] = "nothing")`, 1],
      [`Max(dayName(weekday([Created at]), "short"))`, "Wed"],
      [`Min(monthName(month([Created at]), "full"))`, "April"]
    ] as const
    const aggregation = formulas.map(([formula]) => clause(formula))
    expect(await rowsOf({ filter: ON_SITE, aggregation })).toEqual([formulas.map(([, expected]) => expected)])
  })

  test("trims one end of a text, and counts units from now", async () => {
    const expressions = {
      left: ["concat", "[", ["ltrim", " \ta "], "]"],
      right: ["concat", "[", ["rtrim", " a\n "], "]"],
      weekAgo: ["relative-datetime", -1, "week"]
    }
    const fields = Object.keys(expressions).map((name) => ["expression", name])
    const filter = ["and", ON_SITE, ["<", "created_at", ["relative-datetime", -12, "day"]]]
    expect(await rowsOf({ expressions, fields, filter, limit: 1 })).toEqual([
      ["[a ]", "[ a]", "2026-04-03T12:00:00.000+00:00"]
    ])
    expect(await rowsOf({ filter, aggregation: [["count"]] })).toEqual([[9]])
  })

  test("has all events of a day and of a week at whose beginning the clock skips midnight", async () => {
    // In Beirut, it was 01:00 when March 29 began.
    const settings = { timezone: "Asia/Beirut" }
    const inRange = ["between", "created_at", "2026-03-28", "2026-03-31"]
    const count = { aggregation: [["count"]], settings }
    const counted = await ask({
      ...count,
      filter: ["and", ON_SITE, inRange],
      aggregation: [["count"], ["cum-count"], ["offset", ["count"], -1]],
      breakout: [byDay]
    })
    expect(counted.data.rows).toEqual([
      ["2026-03-28T00:00:00", 0, 0, null],
      ["2026-03-29T00:00:00", 9, 9, 0],
      ["2026-03-30T00:00:00", 11, 20, 9],
      ["2026-03-31T00:00:00", 1, 21, 11]
    ])
    const weeks = { ...settings, "week-start": "sunday" }
    const byWeek = ["field", "created_at", { "temporal-unit": "week" }]
    expect(await rowsOf({ ...count, filter: ["and", ON_SITE, inRange], breakout: [byWeek], settings: weeks })).toEqual([
      ["2026-03-22T00:00:00", 0],
      ["2026-03-29T00:00:00", 21]
    ])
    const ofDay = (...condition: ReadonlyArray<unknown>) =>
      rowsOf({ ...count, filter: ["and", ON_SITE, inRange, condition] })
    expect(await ofDay("=", byDay, "2026-03-29")).toEqual([[9]])
    expect(await ofDay("=", byDay, "2026-03-29T01:00:00")).toEqual([[9]])
    expect(await ofDay("between", byDay, "2026-03-28", "2026-03-28")).toEqual([[0]])
    expect(await ofDay(">", byDay, "2026-03-29")).toEqual([[12]])
  })

  // Written out, each level of these would repeat the one below, two to four times.
  test.each<[string, (inner: unknown) => ReadonlyArray<unknown>, unknown]>([
    ["split-part", (inner) => ["split-part", inner, "/", 1], ["concat", "a", ["field", "event_name"]]],
    ["/", (inner) => ["/", 2, inner], ["field", "event_type"]],
    ["%", (inner) => ["%", 2, inner], ["field", "event_type"]],
    ["% of a fraction", (inner) => ["%", ["+", inner, 0.5], 7.5], ["field", "event_type"]],
    ["exp", (inner) => ["exp", ["*", inner, 0.1]], ["field", "event_type"]],
    ["sqrt", (inner) => ["sqrt", inner], ["field", "event_type"]],
    ["power", (inner) => ["power", inner, 1], ["field", "event_type"]],
    ["upper", (inner) => ["upper", inner], ["concat", "a", ["field", "event_name"]]],
    ["regex-match-first", (inner) => ["regex-match-first", inner, "^(.)"], ["concat", "a", ["field", "event_name"]]],
    ["host", (inner) => ["host", inner], ["field", "hostname"]]
  ])("answers what nests %s 35 times, or refuses it", async (_name, nest, innermost) => {
    const nested = (levels: number): unknown => (levels === 0 ? innermost : nest(nested(levels - 1)))
    const asked = (levels: number) =>
      ask({
        filter: during(["=", "event_name", "signup"], ["=", "country", "DE"]),
        expressions: { x: nested(levels) },
        fields: [["expression", "x"]]
      })
    const deep = await asked(35).catch((error: unknown) => error)
    if (engine === "replica") expect(deep).not.toBeInstanceOf(Error)
    // Of four levels, some are written out, and others computed once.
    const known = await askOn("postgres", {
      fql: 1,
      type: "query",
      source: "v_pa_events",
      filter: during(["=", "event_name", "signup"], ["=", "country", "DE"]),
      expressions: { x: nested(4) },
      fields: [["expression", "x"]]
    })
    expect((await asked(4)).data.rows).toEqual(known.data.rows)
  })

  test("groups computed times by hour, by the clock, with the hours in between", async () => {
    const question = {
      filter: ["and", ON_SITE, ["between", "created_at", "2026-03-30T00:00:00", "2026-03-30T02:59:59"]],
      expressions: { earlier: ["datetime-subtract", ["field", "created_at"], 22, "hour"] },
      aggregation: [["count"]],
      breakout: [["expression", "earlier", { "temporal-unit": "hour" }]],
      settings: { timezone: "Europe/Berlin", compare: "previous-period" }
    }
    const { comparison, data } = await ask(question)
    // The clock has no 02:00 on this day, but 22 hours earlier by the clock it is 02:00.
    expect(data.rows.slice(0, 3)).toEqual([
      ["2026-03-29T02:00:00", 3],
      ["2026-03-29T03:00:00", 0],
      ["2026-03-29T04:00:00", 0]
    ])
    expect([data.rows.length, data.rows.at(-1)]).toEqual([25, ["2026-03-30T02:00:00", 0]])
    expect(comparison!.rows[0]).toEqual(["2026-03-28T23:00:00", 0])
  })

  test("keeps the rows whose computed time is before the question's range, and those without one", async () => {
    const earlier = ["datetime-subtract", ["field", "created_at"], 2, "day"]
    const question = (time: unknown) => ({
      filter: ["and", ON_SITE, ["=", "created_at", "2026-03-31"]],
      expressions: { time },
      aggregation: [["count"]],
      breakout: [["expression", "time", { "temporal-unit": "day" }]]
    })
    const filled = [
      ["2026-03-30T00:00:00", 0],
      ["2026-03-31T00:00:00", 0]
    ]
    expect(await rowsOf(question(earlier))).toEqual([["2026-03-29T00:00:00", 2], ...filled])
    const onHomePage = ["case", [[["=", ["field", "url_path"], "/"], earlier]]]
    expect(await rowsOf(question(onHomePage))).toEqual([["2026-03-29T00:00:00", 1], ...filled, [null, 1]])
  })

  test("treats properties as columns that never multiply rows", async () => {
    const signups = during(["=", "event_name", "signup"])
    const plan = ["prop", "plan"]
    const seats = ["prop", "seats", { type: "number" }]
    expect(
      await rowsOf({
        filter: signups,
        aggregation: [["count"]],
        breakout: [plan],
        "order-by": [["desc", ["aggregation", 0]]]
      })
    ).toEqual([
      ["pro", 2],
      ["free", 1]
    ])
    expect(
      await rowsOf({
        filter: signups,
        aggregation: [
          ["sum", seats],
          ["avg", seats],
          ["share", ["=", plan, "pro"]]
        ]
      })
    ).toEqual([[9, 3, 2 / 3]])
    expect(await rowsOf({ filter: ["and", signups, [">=", ["prop", "seats"], 3]], aggregation: [["count"]] })).toEqual([
      [2]
    ])
    expect(
      await rowsOf({
        filter: during(),
        aggregation: [
          ["count", ["prop", "plan", { event: "signup" }]],
          ["count", ["prop", "plan", { event: "purchase" }]]
        ]
      })
    ).toEqual([[3, 0]])
    expect(await rowsOf({ filter: signups, fields: [plan, seats, ["prop", "trial", { type: "boolean" }]] })).toEqual([
      ["pro", 5, null],
      ["free", 1, false],
      ["pro", 3, true]
    ])
  })

  test("shows a number among a property's strings as it was sent, and finds it, however the value of the condition is written", async () => {
    const signups = during(["=", "event_name", "signup"])
    const asText = ["prop", "seats", { type: "text" }]
    expect(await rowsOf({ filter: signups, aggregation: [["count"]], breakout: [asText] })).toEqual([
      ["1", 1],
      ["3", 1],
      ["5", 1]
    ])
    const count = async (...condition: ReadonlyArray<unknown>) =>
      rowsOf({ filter: ["and", signups, condition], aggregation: [["count"]] })
    for (const three of [3, "3"]) {
      expect(await count("=", asText, three)).toEqual([[1]])
      expect(await count("!=", asText, three)).toEqual([[2]])
      expect(await count("=", ["prop", "seats"], three, "5")).toEqual([[2]])
      expect(await count(">=", ["prop", "seats"], three)).toEqual([[2]])
    }
    for (const yes of [true, "true"]) {
      expect(await count("=", ["prop", "trial", { type: "boolean" }], yes)).toEqual([[1]])
      expect(await count("=", ["prop", "trial"], yes)).toEqual([[1]])
    }
    await expect(ask({ filter: ["=", ["prop", "seats"], "many"], aggregation: [["count"]] })).rejects.toThrow(
      '`=` compares a number with "many", which is text.'
    )
  })

  test("says how many values of a property in the range are not of its declared type", async () => {
    const warnings = async (property: unknown, filter: unknown = during(), changes: Partial<QuestionContext> = {}) =>
      (await askOn(engine, { filter, aggregation: [["count", property]] }, changes)).warnings
    const number = (options: object = {}) => ["prop", "plan", { type: "number", ...options }]
    const uncastable = (count: number, detail: string) => ({ code: "uncastable", detail, key: "plan", count })
    expect(await warnings(number())).toEqual([
      uncastable(3, "3 values of `plan` in the range are not numbers and were ignored.")
    ])
    const day = ["and", ON_SITE, ["between", "created_at", "2026-03-28", "2026-03-28"]]
    expect(await warnings(number({ event: "signup" }), day)).toEqual([
      uncastable(1, "1 value of `plan` of `signup` in the range is not a number and was ignored.")
    ])
    expect(await warnings(number({ event: "purchase" }), during(), { propertyType: () => "text" })).toEqual([])
    expect(await warnings(["prop", "plan", { type: "date" }])).toMatchObject([{ count: 3 }])
    for (const fitting of [
      ["prop", "plan"],
      ["prop", "trial", { type: "boolean" }],
      ["prop", "seats", { type: "number" }]
    ]) {
      expect(await warnings(fitting, during(), { propertyType: () => null })).toEqual([])
    }
    // Twice the same, and two at once.
    const both = {
      aggregation: [
        ["sum", number()],
        ["max", number()],
        ["count", ["prop", "plan", { type: "boolean" }]]
      ]
    }
    expect((await ask({ filter: during(), ...both })).warnings.map(({ count }) => count)).toEqual([3, 3])
    // A declaration counts as if the question said it; the type that all values have needs no second statement.
    const isNumber = { propertyType: () => "number" as const }
    expect(await warnings(["prop", "plan"], during(), { ...isNumber, isPropertyDeclared: () => true })).toHaveLength(1)
    expect(await warnings(["prop", "plan"], during(), isNumber)).toEqual([])
  })

  test("counts a site's name as its id, for all sites with that name that the person may read", async () => {
    const count = async (conditions: ReadonlyArray<unknown>, changes: Partial<QuestionContext> = {}) =>
      (await askOn(engine, { filter: ["and", RANGE, ...conditions], aggregation: [["count"]] }, changes)).data.rows
    const named = (name: string) => ["=", "v_pa_sites.name", name]
    const both = await count([["=", "site_id", SITE, OTHER_SITE]])
    const shop = await count([ON_SITE])
    expect(both).not.toEqual(shop)
    expect(await count([named("Shop")])).toEqual(shop)
    const sites = QUESTION_SITES.map((site) => ({ ...site, name: "Twin" }))
    expect(await count([named("Twin")], { sites })).toEqual(both)
    const limited = { sites: sites.slice(0, 1), isLimited: true }
    expect(await count([named("Twin")], limited)).toEqual(shop)
    expect(count([named("Other")], limited)).rejects.toThrow("There is no site `Other`.")
    const hidden = {
      hasColumn: (_view: string, column: string) => column === "name",
      hasProperty: () => false,
      hasAttribute: () => false,
      keys: () => []
    }
    expect(count([named("Shop")], { hidden })).rejects.toMatchObject({ code: "unknown-field" })
  })

  test("counts 0 without rows, and knows no averages and rates", async () => {
    const counts = ["visitors", "visits", "pageviews", "events", "bounces", "total-time", "entries", "exits"]
    const rates = ["bounce-rate", "visit-duration", "views-per-visit"]
    const nothing = ["and", ON_SITE, ["between", "created_at", "2020-01-01", "2020-01-02"]]
    for (const compat of ["strict", "umami"]) {
      for (const [metrics, expected] of [
        [counts, 0],
        [rates, null]
      ] as const) {
        for (const metric of metrics) {
          const asked = { compat, filter: nothing, aggregation: [["metric", metric]] }
          expect([compat, metric, await rowsOf(asked)]).toEqual([compat, metric, [[expected]]])
          const visits = {
            ...asked,
            source: "v_pa_visits",
            filter: ["and", ON_SITE, ["<", "started_at", "2020-01-02"]]
          }
          expect([metric, await rowsOf(visits)]).toEqual([metric, [[expected]]])
        }
      }
    }
  })

  test("asks of a site by its name for its currency", async () => {
    const sites = QUESTION_SITES.map((site, index) => ({ ...site, currency: ["EUR", "USD"][index]! }))
    const question = { filter: during(), aggregation: [["metric", "revenue"]] }
    const named = { ...question, filter: ["and", RANGE, ["=", "v_pa_sites.name", "Shop"]] }
    expect((await askOn(engine, named, { sites })).data.rows).toEqual([[149.9]])
    expect(askOn(engine, { ...question, filter: RANGE }, { sites })).rejects.toMatchObject({
      code: "several-currencies"
    })
  })

  test("never adds amounts of different currencies", async () => {
    const revenue = ["metric", "revenue", { currency: "EUR" }]
    expect(await rowsOf({ filter: during(), aggregation: [revenue, ["metric", "arpu", { currency: "EUR" }]] })).toEqual(
      [[149.9, 29.98]]
    )
    expect(
      await rowsOf({
        filter: ["and", ON_SITE, ["not-null", "revenue"]],
        aggregation: [["sum", "revenue"]],
        breakout: ["currency"]
      })
    ).toEqual([
      ["EUR", 149.9],
      ["USD", 20]
    ])
  })

  test("has the labels of the codes and sites in its rows, and none for what is computed from them", async () => {
    const labelsOf = async (
      breakout: ReadonlyArray<unknown>,
      rest: object = {},
      changes: Partial<QuestionContext> = {}
    ) => {
      const { data } = await askOn(engine, { filter: during(), aggregation: [["count"]], breakout, ...rest }, changes)
      return data.cols.map(({ labels }) => labels)
    }
    expect(await labelsOf(["event_type", "site_id"])).toEqual([
      [
        [1, "Pageview"],
        [2, "Custom Event"],
        [5, "Web vitals"]
      ],
      [[SITE, "Shop"]],
      null
    ])
    const custom = { expressions: { kind: ["+", ["field", "event_type"], 1] } }
    expect(await labelsOf([["expression", "kind"], "url_path"], custom)).toEqual([null, null, null])
    const types = {
      fql: 1,
      type: "query",
      source: "v_pa_events",
      filter: during(["=", "event_type", 1]),
      fields: ["event_type"]
    }
    expect(await labelsOf(["event_type"], { source: { query: types }, filter: ["=", "event_type", 1] })).toEqual([
      [[1, "Pageview"]],
      null
    ])
    const hidden = {
      hasColumn: (view: string, column: string) => view === "v_pa_sites" && column === "name",
      hasProperty: () => false,
      hasAttribute: () => false,
      keys: () => []
    }
    expect(await labelsOf(["site_id"], {}, { hidden })).toEqual([null, null])
  })

  describe("that groups metrics", () => {
    const grouped = (breakout: ReadonlyArray<unknown>, ...metrics: ReadonlyArray<unknown>) =>
      rowsOf({ filter: during(), aggregation: metrics.map((metric) => ["metric", metric]), breakout })

    test("lists no groups that have nothing of what the metrics count", async () => {
      const pages = ["url_path"]
      expect(await grouped(pages, "pageviews")).toEqual([
        ["/", 6],
        ["/blog", 3],
        ["/pricing", 4],
        ["/thanks", 1]
      ])
      expect(await grouped(pages, "pageviews", "events")).toEqual([
        ["/", 6, 1],
        ["/blog", 3, 0],
        ["/checkout", 0, 2],
        ["/pricing", 4, 2],
        ["/thanks", 1, 0]
      ])
      expect(await grouped(pages, "entries")).toEqual([
        ["/", 5],
        ["/blog", 2],
        ["/pricing", 3]
      ])
      expect(await grouped(["event_name", byDay], "events")).toEqual([
        ["purchase", "2026-03-29T00:00:00", 1],
        ["purchase", "2026-03-30T00:00:00", 1],
        ["signup", "2026-03-28T00:00:00", 1],
        ["signup", "2026-03-29T00:00:00", 1],
        ["signup", "2026-03-30T00:00:00", 1]
      ])
    })

    test("lists a group with a rate of 0, and none whose rate is unknown", async () => {
      expect(await grouped(["url_path"], "bounce-rate")).toEqual([
        ["/", 0.6],
        ["/blog", 0],
        ["/pricing", 0.3333333333333333]
      ])
    })

    test("lists every group of a number that is not a metric, every time, and every group within another question", async () => {
      const isView = ["=", "event_type", 1]
      const counted = { filter: during(), aggregation: [["count-where", isView]], breakout: ["url_path"] }
      expect(await rowsOf(counted)).toContainEqual(["/checkout", 0])
      const days = { ...counted, filter: ["and", ON_SITE, ["between", "created_at", "2026-03-27", "2026-03-28"]] }
      expect(await rowsOf({ ...days, aggregation: [["metric", "pageviews"]], breakout: [byDay] })).toEqual([
        ["2026-03-27T00:00:00", 0],
        ["2026-03-28T00:00:00", 3]
      ])
      const metric = {
        fql: 1,
        type: "query",
        source: "v_pa_events",
        ...counted,
        aggregation: [["metric", "pageviews"]]
      }
      expect(await rowsOf({ source: { query: metric }, aggregation: [["count"]] })).toEqual([[5]])
    })
  })

  describe("that computes a number from amounts", () => {
    const ALL = ["and", ON_SITE, ["between", "created_at", "2026-03-28", "2026-04-01"]]
    const ofRevenue = (name: string, ...more: ReadonlyArray<unknown>) => [name, ["field", "revenue"], ...more]
    const inCurrency = (code: string) => ["=", "currency", code]
    const unitsOf = ({ data }: Answer) => data.cols.map(({ unit }) => unit)
    const MIXED = {
      code: "several-currencies",
      detail: "The amounts are in EUR and USD, and are never converted. Filter by `currency`, or group by it."
    }

    test("warns if they are in several currencies, whatever it computes", async () => {
      for (const aggregation of [
        ...["sum", "avg", "min", "max", "median", "stddev", "cum-sum"].map((name) => ofRevenue(name)),
        ofRevenue("percentile", 0.9),
        ofRevenue("sum-where", ["=", "event_name", "purchase"]),
        ["/", ofRevenue("sum"), ["count"]]
      ]) {
        const answer = await ask({ filter: ALL, aggregation: [aggregation] })
        expect([aggregation, answer.warnings, unitsOf(answer)]).toEqual([aggregation, [MIXED], [null]])
      }
      const custom = {
        expressions: { half: ["/", ["field", "revenue"], 2] },
        aggregation: [["sum", ["expression", "half"]]]
      }
      expect((await ask({ filter: ALL, ...custom })).warnings).toEqual([MIXED])
      const perVisitor = {
        fql: 1,
        type: "query",
        source: "v_pa_events",
        filter: ALL,
        aggregation: [ofRevenue("sum")],
        breakout: ["session_id"]
      }
      expect((await ask({ source: { query: perVisitor }, aggregation: [["max", "sum"]] })).warnings).toEqual([MIXED])
      expect(
        (await ask({ filter: ALL, aggregation: [ofRevenue("sum")], breakout: [byDay, "country"] })).warnings
      ).toEqual([MIXED])
    })

    test("names the currency as the unit if there is only one, and none if there is nothing", async () => {
      const sum = { aggregation: [["count"], ofRevenue("sum"), ofRevenue("avg")] }
      const of = async (filter: unknown) => {
        const answer = await ask({ filter, ...sum })
        expect(answer.warnings).toEqual([])
        return [unitsOf(answer), answer.data.rows[0]?.[1]]
      }
      expect(await of(during())).toEqual([[null, "EUR", "EUR"], 149.9])
      expect(await of([...ALL, inCurrency("USD")])).toEqual([[null, "USD", "USD"], 20])
      expect(await of([...ALL, inCurrency("GBP")])).toEqual([[null, "GBP", "GBP"], null])
      expect(await of(["and", ON_SITE, ["=", "created_at", "2026-03-28"]])).toEqual([[null, null, null], null])
      const metrics = {
        aggregation: [
          ["metric", "revenue", { currency: "eur" }],
          ["metric", "arpu", { currency: "USD" }]
        ]
      }
      expect(unitsOf(await ask({ filter: ALL, ...metrics }))).toEqual(["EUR", "USD"])
    })

    test("has no warning if each number is of one currency, or counts", async () => {
      const apart = ["EUR", "USD"].map((code) => ofRevenue("sum-where", inCurrency(code)))
      const answer = await ask({ filter: ALL, aggregation: apart })
      expect([answer.data.rows, answer.warnings, unitsOf(answer)]).toEqual([[[149.9, 20]], [], ["EUR", "USD"]])
      expect(
        (await ask({ filter: ALL, aggregation: [ofRevenue("sum")], breakout: [byDay, "currency"] })).warnings
      ).toEqual([])
      expect(
        (
          await ask({
            filter: ALL,
            aggregation: [
              ["count", "revenue"],
              ["distinct", "revenue"]
            ]
          })
        ).warnings
      ).toEqual([])
    })

    test("says nothing of a currency that is hidden from the person", async () => {
      const hidden = {
        hasColumn: (_view: string, column: string) => column === "currency",
        hasProperty: () => false,
        hasAttribute: () => false,
        keys: () => []
      }
      const answer = await askOn(engine, { filter: ALL, aggregation: [ofRevenue("sum")] }, { hidden })
      expect([answer.warnings, unitsOf(answer)]).toEqual([[], [null]])
    })
  })

  test("compares amounts with numbers that have more digits than amounts, or are larger", async () => {
    const countOf = (...condition: ReadonlyArray<unknown>) =>
      rowsOf({ filter: ["and", ON_SITE, condition], aggregation: [["count"]] })
    const [[paid]] = (await countOf("not-null", "revenue")) as [[number]]
    expect(await countOf("=", "revenue", 20)).toEqual([[1]])
    expect(await countOf("=", "revenue", 20.000001)).toEqual([[0]])
    expect(await countOf("=", "revenue", 20, 20.000001)).toEqual([[1]])
    expect(
      await rowsOf({
        filter: ["and", ON_SITE, ["not-null", "revenue"], ["!=", "revenue", 1e308]],
        aggregation: [["count"]]
      })
    ).toEqual([[paid]])
  })

  test("accumulates and looks back over days, also those without rows", async () => {
    expect(
      await rowsOf({
        filter: during(VIEW_ROWS),
        aggregation: [["cum-count"], ["offset", ["count"], -1]],
        breakout: [byDay]
      })
    ).toEqual([
      ["2026-03-28T00:00:00", 3, null],
      ["2026-03-29T00:00:00", 8, 3],
      ["2026-03-30T00:00:00", 12, 5],
      ["2026-03-31T00:00:00", 14, 4]
    ])
  })

  test("finds visitors by what they did, by segment and by cohort", async () => {
    const visitors = { aggregation: [["metric", "visitors"]] }
    expect(await rowsOf({ ...visitors, filter: during(["did", ["=", "event_name", "signup"]]) })).toEqual([[3]])
    expect(await rowsOf({ ...visitors, filter: during(["did", ["=", "event_type", 1], { min: 3 }]) })).toEqual([[3]])
    expect(await rowsOf({ ...visitors, filter: during(["did-not", ["=", "event_name", "signup"]]) })).toEqual([[2]])
    expect(await rowsOf({ ...visitors, filter: during(["cohort", "buyers"]) })).toEqual([[2]])
    expect(await rowsOf({ filter: during(["segment", "views"]), aggregation: [["count"]] })).toEqual([[14]])
  })

  test("reads every view, with every column that people see", async () => {
    for (const { columns, name } of VIEWS) {
      const answer = await ask({ source: name })
      expect(answer.data.cols.map((column) => column.name)).toEqual(
        columns.filter(({ visibility }) => visibility === "normal").map((column) => column.name)
      )
    }
    const steps = { aggregation: [["sum", "value"]], breakout: ["step", "source", "target"] }
    expect(await rowsOf({ ...steps, source: "v_pa_user_flows", filter: ON_SITE })).toEqual([
      [1, "/", "/pricing", 2],
      [1, "/blog", "/", 1],
      [1, "/blog", "/pricing", 1],
      [2, "/pricing", "/thanks", 1]
    ])
  })

  test.each<[unknown, unknown]>([
    [["+", 1, 2, 3], 6],
    [["-", 5], -5],
    [["*", 2, 1.5], 3],
    [["/", 1, 4], 0.25],
    [["/", 1, 0], null],
    [["%", 7, 4], 3],
    [["%", 7.5, 2], 1.5],
    [["abs", -2], 2],
    [["round", 2.5], 3],
    [["round", 2.345, 2], 2.35],
    // Of floats, which are a little less or more than they look.
    [["round", ["*", 1.005, 100]], 100],
    [["round", ["float", "1.005"], 2], 1],
    [["round", ["float", "0.285"], 2], 0.28],
    [["round", ["*", -1, 2.5]], -3],
    [["round", ["/", 46, 80], 2], 0.57],
    [["floor", -1.5], -2],
    [["ceil", 1.2], 2],
    [["sqrt", 9], 3],
    [["sqrt", -1], null],
    [["power", 2, 10], 1024],
    [["log", 100], 2],
    [["log", 0], null],
    [["exp", 0], 1],
    [["coalesce", ["field", "tag"], "none"], "none"],
    [["case", [[["=", "event_type", 1], "view"]], { default: "other" }], "view"],
    [["if", ["=", "event_type", 2], 1, 0], 0],
    [["concat", "a", ["field", "tag"], 1], "a1"],
    [["substring", "abcdef", 2, 3], "bcd"],
    [["concat", "\uFEFF", "a"], "\uFEFFa"],
    [["length", "héllo"], 5],
    [["trim", "  a "], "a"],
    [["upper", "abc"], "ABC"],
    [["replace", "a.b", ".", "-"], "a-b"],
    [["regex-match-first", "order 123", "[0-9]+"], "123"],
    [["regex-match-first", "order", "[0-9]+"], null],
    [["regex-match-first", "order 12-34", "([0-9]+)-([0-9]+)"], "12-34"],
    [["regex-match-first", "xxxy", "(?:x{1,31}){1,32}"], "xxx"],
    [["split-part", "a/b/c", "/", 2], "b"],
    [["host", "https://user@shop.example.co.uk:8443/a?b"], "shop.example.co.uk"],
    [["domain", "https://shop.example.co.uk/a"], "example.co.uk"],
    [["subdomain", "a.b.example.com"], "a.b"],
    [["path", "https://example.com/a/b?c=1"], "/a/b"],
    [["url-param", "https://example.com/?x=1&plan=pro#top", "plan"], "pro"],
    [["text", 12], "12"],
    [["integer", "42.9"], 42],
    [["float", "1.5"], 1.5],
    [["float", "1.5 kg"], null],
    [["datetime-add", "2026-01-31", 1, "month"], "2026-02-28T00:00:00"],
    [["datetime-subtract", "2026-03-01", 1, "day"], "2026-02-28T00:00:00"],
    [["datetime-diff", "2026-01-31", "2026-03-30", "month"], 1],
    [["datetime-diff", "2026-03-01", "2026-01-15", "month"], -1],
    [["datetime-diff", "2026-03-01", "2026-03-03", "day"], 2],
    [["datetime-diff", "2026-03-03", "2026-03-01", "hour"], -48],
    [["temporal-extract", "2026-03-29", "day-of-week"], 7],
    [["temporal-extract", "2026-01-01", "week-of-year"], 1],
    [["temporal-extract", "2027-01-01", "week-of-year", "ISO"], 53],
    [["temporal-extract", "2027-01-01", "week-of-year", "us"], 1],
    [["temporal-extract", "2027-01-01", "week-of-year", "Instance"], 1],
    [["temporal-extract", "2027-01-03", "week-of-year", "iso"], 53],
    [["temporal-extract", "2027-01-03", "week-of-year", "us"], 2],
    [["temporal-extract", "2027-01-03", "week-of-year", "instance"], 1],
    [["temporal-extract", "2027-01-04", "week-of-year", "instance"], 2],
    [["temporal-extract", "2026-12-31", "week-of-year", "instance"], 53],
    // The year before 1 is 0.
    [["temporal-extract", ["datetime-subtract", "2026-03-28", 2026, "year"], "year-of-era"], 0],
    [["temporal-extract", ["datetime-subtract", ["field", "created_at"], 4000, "year"], "year-of-era"], -1974],
    [["datetime-diff", ["datetime-subtract", ["field", "created_at"], 4000, "year"], "2026-04-01", "year"], 4000],
    [["datetime-diff", ["datetime-subtract", "2026-03-28", 2026, "year"], "0001-03-28", "month"], 12],
    [["day-name", 1, "short"], "Mon"],
    [["day-name", 1, "Full"], "Monday"],
    [["month-name", 9], "Sep"],
    [["month-name", 9, "full"], "September"],
    [["date", "2026-03-29T13:00:00"], "2026-03-29T00:00:00"],
    [["convert-timezone", "2026-03-29T13:00:00", "Europe/Berlin"], "2026-03-29T15:00:00"],
    [["contains", ["field", "url_path"], "PRIC"], true],
    [["contains", ["field", "url_path"], "%"], false]
  ])("computes %j", async (expression, expected) => {
    const filter = ["and", ON_SITE, ["=", "created_at", "2026-03-28T22:52:00"]]
    expect(await rowsOf({ expressions: { x: expression }, filter, fields: [["expression", "x"]] })).toEqual([
      [expected]
    ])
  })

  test("groups numbers in bins", async () => {
    const bins = ["field", "duration_s", { binning: { strategy: "bin-width", "bin-width": 600 } }]
    const filter = ["and", ON_SITE, ["between", "started_at", "2026-03-28", "2026-03-31"]]
    expect(await rowsOf({ source: "v_pa_visits", filter, aggregation: [["count"]], breakout: [bins] })).toEqual([
      [0, 8],
      [600, 1],
      [1200, 1]
    ])
  })

  test.each([
    [1e-15, [1, 3, 5]],
    [1e18, [0]]
  ])("groups numbers in bins of %d", async (width, expected) => {
    const bins = ["prop", "seats", { binning: { strategy: "bin-width", "bin-width": width } }]
    const filter = during(["not-null", ["prop", "seats"]])
    const rows = (await rowsOf({ filter, aggregation: [["count"]], breakout: [bins] })) as ReadonlyArray<[number]>
    expect(rows.map(([bin]) => bin)).toEqual(expected.map((bin) => expect.closeTo(bin, 6)))
  })

  test("computes custom columns, conditions on groups and questions on questions", async () => {
    expect(
      await rowsOf({
        expressions: { section: ["coalesce", ["regex-match-first", ["field", "url_path"], "[a-z]+"], "home"] },
        filter: during(VIEW_ROWS),
        aggregation: [["count"]],
        breakout: [["expression", "section"]],
        having: [">", ["aggregation", 0], 1]
      })
    ).toEqual([
      ["blog", 3],
      ["home", 6],
      ["pricing", 4]
    ])
    const inner = {
      fql: 1,
      type: "query",
      source: "v_pa_events",
      filter: during(VIEW_ROWS),
      aggregation: [["count"]],
      breakout: ["session_id"]
    }
    expect(
      await rowsOf({ source: { query: inner }, aggregation: [["max", "count"], ["count"], ["median", "count"]] })
    ).toEqual([[5, 5, 3]])
  })
})

test("each question in docs/questions.md can be asked, without a warning", async () => {
  const text = await Bun.file(join(import.meta.dir, "../../docs/questions.md")).text()
  const questions = [...text.matchAll(/```json\n(\{\s*"fql".*?)```/gs)].map(([, json]) => JSON.parse(json!) as object)
  expect(questions.length).toBeGreaterThan(4)
  for (const question of questions) expect((await askOn("postgres", question)).warnings).toEqual([])
})

describe("the name of a field within a function is text", () => {
  const warningsOf = async (expression: unknown) =>
    (await askOn("postgres", { filter: during(), expressions: { a: expression }, fields: [["expression", "a"]] }))
      .warnings

  test("which a warning says, of fields of the source and of the visitor", async () => {
    expect(await warningsOf(["length", "url_path"])).toEqual([
      {
        code: "text-like-field",
        detail: '`url_path` in `length` is text. The field is `["field", "url_path"]`.'
      }
    ])
    expect(await warningsOf(["upper", "country"])).toMatchObject([{ code: "text-like-field" }])
    expect(await warningsOf(["case", [[["=", "event_type", 1], "url_path"]], { default: "other" }])).toHaveLength(1)
  })

  test("and other text and fields get none", async () => {
    expect(await warningsOf(["concat", ["field", "url_path"], " page"])).toEqual([])
  })
})

/** Visitors who did something as others did that did something, and so on. */
const nestedDid = (levels: number): unknown => (levels === 0 ? ["=", "country", "DE"] : ["did", nestedDid(levels - 1)])

describe("a question that cannot be asked", () => {
  const refuse = (question: object, changes: Partial<QuestionContext> = {}) => {
    const result = compileQuestion(
      { ...context, ...changes },
      { fql: 1, type: "query", source: "v_pa_events", ...question },
      ENGINES.postgres
    )
    return Result.isFailure(result) ? result.failure : null
  }

  test.each([
    [{ filter: ["and", RANGE, ["=", "url_pth", "/"]] }, "unknown-field", "/filter/2/1"],
    [{ filter: ["<", "url_path", 3] }, "type-mismatch", "/filter/1"],
    [{ filter: [">", ["date", "created_at"], "2026-03-01"] }, "type-mismatch", "/filter/1/1"],
    [{ filter: ["=", "url_path", 3] }, "type-mismatch", "/filter/2"],
    [{ filter: ["=", "url_path"] }, "bad-ast", "/filter"],
    [{ filter: ["matches", "url_path", "(?=a)"] }, "bad-ast", "/filter/2"],
    [{ filter: ["matches", "url_path", "(x{1,255}){1,255}"] }, "bad-ast", "/filter/2"],
    [{ filter: ["matches", "url_path", "((?:[)\\]]{3}){200}\\){3}){2}"] }, "bad-ast", "/filter/2"],
    [{ filter: ["matches", "url_path", "((){255}){4,}"] }, "bad-ast", "/filter/2"],
    [{ filter: ["matches", "url_path", "[a-\\d]"] }, "bad-ast", "/filter/2"],
    [{ filter: ["matches", "url_path", "[\\d-a]"] }, "bad-ast", "/filter/2"],
    [{ filter: ["matches", "url_path", "[]-"] }, "bad-ast", "/filter/2"],
    [{ filter: ["wildcard", "url_path", "*a".repeat(251)] }, "limit-exceeded", "/filter/2"],
    [{ filter: nestedDid(13) }, "limit-exceeded", `/filter${"/1".repeat(12)}`],
    [{ settings: { timezone: "CEST" } }, "bad-timezone", "/settings/timezone"],
    [
      { breakout: [["field", "created_at", { "temporal-unit": "fortnight" }]] },
      "bad-unit",
      "/breakout/0/2/temporal-unit"
    ],
    [{ expressions: { a: ["+", ["expression", "a"], 1] }, fields: [["expression", "a"]] }, "cycle", "/expressions/a"],
    [{ source: "pg_user" }, "forbidden", "/source"],
    [{ type: "native", native: { query: "SELECT 1" } }, "forbidden", ""],
    [{ aggregation: [["cuont"]] }, "bad-ast", "/aggregation/0/0"],
    [{ fields: [] }, "bad-ast", "/fields"],
    [{ aggregation: [["count"]], breakout: ["country"], settings: { other: true } }, "bad-ast", "/settings/other"],
    [
      { aggregation: [["count"]], breakout: [byDay], limit: 3, settings: { other: true } },
      "bad-ast",
      "/settings/other"
    ],
    [
      { aggregation: [["cum-count"]], breakout: ["country"], limit: 3, settings: { other: true } },
      "bad-ast",
      "/aggregation/0"
    ],
    [
      { breakout: [["field", "lcp", { binning: { strategy: "num-bins", "num-bins": 0 } }]] },
      "bad-ast",
      "/breakout/0/2/binning/num-bins"
    ],
    [{ filter: ["=", ["field", "lcp", { binning: { strategy: "default" } }], 1] }, "bad-ast", "/filter/1/2/binning"],
    [{ aggregation: [["offset", true, -1]], breakout: [byDay] }, "type-mismatch", "/aggregation/0/1"],
    [{ filter: [">=", "created_at", "0000-12-31"] }, "out-of-range", "/filter/2"],
    [{ filter: ["did", ["=", "event_name", "signup"], { min: 0 }] }, "out-of-range", "/filter/2/min"],
    [{ filter: [">=", "created_at", ["relative-datetime", -2026, "year"]] }, "out-of-range", "/filter/2"],
    [{ filter: ["time-interval", "created_at", -2026, "year"] }, "out-of-range", "/filter"],
    [
      { expressions: { t: ["datetime-add", ["field", "created_at"], 4_001, "year"] }, fields: [["expression", "t"]] },
      "out-of-range",
      "/expressions/t/2"
    ],
    [{ hello: 1 }, "bad-ast", "/hello"],
    [{ filter: ["or", ...Array.from({ length: 300 }, () => ["is-null", "tag"])] }, "limit-exceeded", "/filter/200"]
  ])("%j is refused with %s and a pointer", (question, code, pointer) => {
    expect(refuse(question)).toMatchObject({ code, pointer })
  })

  test.each([0, -10, "10", 1e-300, 5e-324, 1e300])("refuses bins of the width %p, with a pointer to it", (width) => {
    const breakout = [["field", "lcp", { binning: { strategy: "bin-width", "bin-width": width } }]]
    expect(refuse({ breakout })).toMatchObject({ code: "bad-ast", pointer: "/breakout/0/2/binning/bin-width" })
  })

  test("refuses custom columns that double with each step, without computing them", () => {
    const doubling = (name: string) =>
      Object.fromEntries(
        Array.from({ length: 60 }, (_, step) => [
          `x${step + 1}`,
          [name, ["expression", `x${step}`], ["expression", `x${step}`]]
        ])
      )
    const first = ["substring", ["field", "url_path"], 1, 1]
    expect(
      refuse({
        expressions: { x0: first, ...doubling("concat") },
        aggregation: [["max", ["length", ["expression", "x60"]]]]
      })
    ).toMatchObject({ code: "limit-exceeded" })
    expect(
      refuse({ expressions: { x0: 1, ...doubling("+") }, aggregation: [["sum", ["expression", "x60"]]] })
    ).toMatchObject({ code: "limit-exceeded", detail: expect.stringContaining("too complex") })
  })

  test("refuses strings that could become huge, also in several steps of nested questions", () => {
    const longer = (of: unknown) => ["replace", of, "/", "/".repeat(90)]
    expect(refuse({ expressions: { x: longer(["field", "url_path"]) }, fields: [["expression", "x"]] })).toBeNull()
    expect(
      refuse({ expressions: { x: longer(longer(["field", "url_path"])) }, fields: [["expression", "x"]] })
    ).toMatchObject({ code: "limit-exceeded", detail: expect.stringContaining("50,000 characters") })
    const inner = {
      fql: 1,
      type: "query",
      source: "v_pa_events",
      expressions: { x: longer(["field", "url_path"]) },
      fields: [["expression", "x"]]
    }
    expect(
      refuse({
        source: { query: inner },
        expressions: { y: longer(["field", "x"]) },
        aggregation: [["max", ["length", ["expression", "y"]]]]
      })
    ).toMatchObject({ code: "limit-exceeded" })
  })

  test("suggests the field that was probably meant", () => {
    expect(refuse({ filter: ["=", "url_pth", "/"] })?.detail).toBe(
      "There is no field `url_pth` in v_pa_events. Did you mean `url_path`?"
    )
  })

  test.each([
    [
      { agregation: [["count"]] },
      "/agregation",
      "There is no property `agregation`. Did you mean `aggregation`? The properties are `fql`, `type`, `compat`, `source`, `joins`, `expressions`, `filter`, `aggregation`, `breakout`, `fields`, `order-by`, `limit`, `page`, `having`, `settings`."
    ],
    [
      { settings: { tz: "UTC" } },
      "/settings/tz",
      "There is no property `tz`. Did you mean `timezone`? The properties are `timezone`, `week-start`, `fill`, `other`, `compare`."
    ],
    [{ fql: 2 }, "/fql", "`fql` must be `1`."],
    [{ compat: "umani" }, "/compat", "`compat` must be one of `strict`, `umami`. Did you mean `umami`?"],
    [{ page: { page: 1 } }, "/page/items", "`items` is missing: give a number."],
    [
      { joins: [{ alias: "a", source: "v_pa_visits", condition: ["=", "visit_id", "visit_id"] }] },
      "/joins/0/strategy",
      "`strategy` is missing: give one of `left-join`, `inner-join`."
    ],
    [
      { "order-by": [["descending", "url_path"]] },
      "/order-by/0/0",
      "An entry of `order-by` must be one of `asc`, `desc`."
    ],
    [{ breakout: [3] }, "/breakout/0", "An entry of `breakout` must be text or a list."],
    [{ filter: [] }, "/filter/0", "`filter` has too few entries."],
    [{ limit: 0 }, "/limit", "`limit` must be a value between 1 and 1048575."],
    [{ source: { query: { source: "v_pa_events" } } }, "/source/query/fql", "`fql` is missing: give `1`."],
    [
      { source: { query: { fql: 1, type: "query", source: "v_pa_events", limt: 3 } } },
      "/source/query/limt",
      expect.stringContaining("Did you mean `limit`?")
    ],
    [
      { filter: [">", ["+", "revenue", 1], 2] },
      "/filter/1/1",
      '`+` needs a number, but this is text. The field is `["field", "revenue"]`.'
    ],
    [{ source: 3 }, "/source", "`source` must be text or an object."],
    [
      { aggregation: [["max", ["temporal-extract", ["field", "created_at"], "week-of-year", "german"]]] },
      "/aggregation/0/1/3",
      '"german" is not a mode of `temporal-extract`: use one of `iso`, `us`, `instance`.'
    ],
    [
      { aggregation: [["max", ["temporal-extract", ["field", "created_at"], "month-of-year", "iso"]]] },
      "/aggregation/0/1",
      "`temporal-extract` takes 2 arguments, not 3."
    ],
    [
      { aggregation: [["max", ["month-name", ["field", "created_at"]]]] },
      "/aggregation/0/1/1",
      '`month-name` needs a number, but this is a time. Take the part of the time first, as in `["month-name", ["temporal-extract", ["field", "created_at"], "month-of-year"]]`; in a formula, `monthName(month([Created at]))`.'
    ],
    [
      { aggregation: [["max", ["day-name", ["now"], "full"]]] },
      "/aggregation/0/1/1",
      '`day-name` needs a number, but this is a time. Take the part of the time first, as in `["day-name", ["temporal-extract", ["now"], "day-of-week"]]`; in a formula, `dayName(weekday(now))`.'
    ],
    [
      { aggregation: [["max", ["day-name", 1, "tiny"]]] },
      "/aggregation/0/1/2",
      '"tiny" is not a mode of `day-name`: use one of `short`, `full`.'
    ],
    [
      { aggregation: [["CountIf", ["=", "country", "DE"]]] },
      "/aggregation/0/0",
      "There is no aggregation `CountIf`. Did you mean `count-where`?"
    ],
    [
      { aggregation: [["sum-if", "revenue", ["=", "country", "DE"]]] },
      "/aggregation/0/0",
      "There is no aggregation `sum-if`. Did you mean `sum-where`?"
    ],
    [
      { filter: ["equals", "country", "DE"] },
      "/filter/0",
      expect.stringContaining("Did you mean `=`? The operators are `=`, `!=`")
    ],
    [
      { source: "v_pa_event" },
      "/source",
      "Product analytics queries are only allowed on product analytics views. Did you mean `v_pa_events`? The views are `v_pa_sites`, `v_pa_sessions`, `v_pa_events`, `v_pa_event_data`, `v_pa_session_data`, `v_pa_visits`, `v_pa_user_flows`."
    ]
  ])("%j is refused with the names or values that are accepted", (question, pointer, detail) => {
    expect(refuse(question)).toMatchObject({ pointer, detail })
  })

  test("says what is in the trash", () => {
    const trashed = new Set(["old"])
    expect(refuse({ filter: ["segment", "old"] }, { trashed })?.detail).toBe(
      'The segment "old" is in the trash. Restore it to use it.'
    )
    const card = "5a1ed000-0000-4000-8000-000000000001"
    expect(refuse({ source: { card } }, { trashed: new Set([card]) })?.detail).toBe(
      `The question ${card} is in the trash. Restore it to use it.`
    )
  })

  test("names a site that the person may not read, without saying whether it exists", async () => {
    const limited = { isLimited: true, sites: QUESTION_SITES.slice(0, 1) }
    for (const site of [OTHER_SITE, "5a1ed000-0000-4000-8000-00000000dead"]) {
      const denied = (pointer: string) => ({
        code: "forbidden",
        pointer,
        detail: `You do not have access to the site ${site}.`
      })
      expect(refuse({ filter: ["=", "site_id", site] }, limited)).toMatchObject(denied("/filter/2"))
      expect(refuse({ filter: during(["=", "site_id", SITE, site]) }, limited)).toBeNull()
      expect(refuse({ filter: ["and", RANGE, ["=", "site_id", SITE, site]] }, limited)).toMatchObject(
        denied("/filter/2/3")
      )
    }
    expect(refuse({ filter: ["=", "v_pa_sites.name", "Other"] }, limited)).toMatchObject({
      code: "not-found",
      pointer: "/filter/2",
      detail: "There is no site `Other`."
    })
    expect((await askOn("replica", { aggregation: [["count"]] }, limited)).data.rows).toEqual([[23]])
    expect((await askOn("replica", { aggregation: [["count"]] })).data.rows).toEqual([[24]])
  })
})

test("columns have titles that read well aloud", () => {
  const titleOf = (aggregation: ReadonlyArray<unknown>) => {
    const question = { fql: 1, type: "query", source: "v_pa_events", aggregation: [aggregation], breakout: [byDay] }
    return Result.getOrThrow(compileQuestion(context, question, ENGINES.postgres)).planned.columns[1]!.display
  }
  expect([0.5, 0.01, 0.92, 0.73, 0.11, 0.29, 0.999].map((p) => titleOf(["percentile", "lcp", p]))).toEqual([
    "50th percentile of LCP",
    "1st percentile of LCP",
    "92nd percentile of LCP",
    "73rd percentile of LCP",
    "11th percentile of LCP",
    "29th percentile of LCP",
    "99.9th percentile of LCP"
  ])
  expect(titleOf(["cum-sum", "lcp"])).toBe("Cumulative sum of LCP")
  expect(titleOf(["distinct-where", "url_path", ["=", "event_type", 1]])).toBe("Distinct matching values of URL path")
  expect(titleOf(["offset", ["count"], -1])).toBe("Count (1 day earlier)")
  expect(titleOf(["offset", ["count"], 2])).toBe("Count (2 days later)")
})

test("text from a question reaches the engine only as a parameter", () => {
  const hostile = "'); DROP TABLE product_analytics_event; --"
  const result = compileQuestion(
    context,
    {
      fql: 1,
      type: "query",
      source: "v_pa_events",
      expressions: { [hostile]: ["concat", hostile, ["field", "url_path"]] },
      filter: ["and", ["contains", "url_path", hostile], ["=", ["prop", hostile], hostile]],
      aggregation: [["aggregation-options", ["count"], { name: hostile }]],
      breakout: [
        ["expression", hostile],
        ["prop", hostile, { event: hostile }]
      ]
    },
    ENGINES.postgres
  )
  expect(Result.getOrThrow(result).query.sql).not.toContain("DROP")
})
