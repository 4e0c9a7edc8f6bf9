import { describe, expect, test } from "bun:test"
import { Result } from "effect"
import {
  PARAMETER_TYPES,
  type ParameterTarget,
  type ParameterType,
  type ParameterValue
} from "../../../src/domain/content/Parameter.ts"
import { compileQuestion, ENGINES } from "../../../src/query/compile.ts"
import type { Clause, Query } from "../../../src/query/fql/schema.ts"
import { applyParameters } from "../../../src/query/passes/applyParameters.ts"
import { parameterValues } from "../../../src/query/passes/parameterValues.ts"
import { questionContext } from "../../support/questions/context.ts"
import { questionSite } from "../../support/questions/site.ts"

const BY_DAY: Clause = ["field", "created_at", { "temporal-unit": "day" }]
const QUESTION: Query = {
  fql: 1,
  type: "query",
  source: "v_pa_events",
  aggregation: [["count"]],
  breakout: [BY_DAY],
  "order-by": [["desc", BY_DAY]]
}
const SITE = "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f"

const CONTEXT = questionContext({
  sites: [questionSite({ id: SITE, name: "Shop" })],
  segments: new Map<string, Clause>([[SITE, ["=", "event_type", 1]]]),
  cohorts: new Map<string, Clause>([[SITE, ["=", "event_type", 2]]])
})

const apply = (
  type: ParameterType,
  value: ParameterValue,
  target: ParameterTarget = [
    "dimension",
    ["field", type.startsWith("date") || type === "temporal-unit" ? "created_at" : "country"]
  ],
  query = QUESTION
) => applyParameters(query, [{ name: "It", type, target, value, pointer: "/parameters/0/value" }])

const changed = (...args: Parameters<typeof apply>): Query => {
  const query = Result.getOrThrow(apply(...args))
  // Whatever a parameter does, the question can still be asked.
  expect(Result.isSuccess(compileQuestion(CONTEXT, query, ENGINES.postgres))).toBe(true)
  return query
}

const refused = (...args: Parameters<typeof apply>) => {
  const result = apply(...args)
  return Result.isFailure(result) ? [result.failure.code, result.failure.pointer, result.failure.detail] : "accepted"
}

const AT = ["field", "created_at"]

describe("a date parameter", () => {
  test.each<[string, Clause | null]>([
    ["all", null],
    ["today", ["time-interval", AT, "current", "day"]],
    ["yesterday", ["time-interval", AT, -1, "day"]],
    ["thisweek", ["time-interval", AT, "current", "week"]],
    ["lastquarter", ["time-interval", AT, -1, "quarter"]],
    ["nextyear", ["time-interval", AT, 1, "year"]],
    ["past30days", ["time-interval", AT, -30, "day"]],
    ["past30days~", ["time-interval", AT, -30, "day", { "include-current": true }]],
    ["past12hours", ["time-interval", AT, -12, "hour"]],
    ["next2months~", ["time-interval", AT, 2, "month", { "include-current": true }]],
    ["past7days-from-2weeks", ["relative-time-interval", AT, -7, "day", -2, "week"]],
    ["2026-03", ["=", AT, "2026-03"]],
    ["Q1-2026", ["between", AT, "2026-01", "2026-03"]],
    ["Q4-2026", ["between", AT, "2026-10", "2026-12"]],
    ["2026-03-28", ["=", AT, "2026-03-28"]],
    ["2026-03-28T22:50", ["=", AT, "2026-03-28T22:50"]],
    ["2026-03-01~2026-03-31", ["between", AT, "2026-03-01", "2026-03-31"]],
    ["2026-03-01T10:00:00~2026-03-31", ["between", AT, "2026-03-01T10:00:00", "2026-03-31"]],
    ["2026-03-01~", [">=", AT, "2026-03-01"]],
    ["~2026-03-31", ["<=", AT, "2026-03-31"]]
  ])("set to %s filters by %j", (value, clause) => {
    expect(changed("date/all-options", value).filter ?? null).toEqual(clause)
  })

  test.each([
    "",
    "past30",
    "past30fortnights",
    "Q5-2026",
    "2026-13",
    "2026-02-30",
    "2026-02-01~2026-02-30",
    "2026-03-28T25:00",
    "2026-3-1",
    "~",
    "today ",
    "past30days; DROP TABLE x",
    "exclude-days-Mon"
  ])("refuses %j and names what it accepts", (value) => {
    const [code, pointer, detail] = refused("date/all-options", value)
    expect([code, pointer]).toEqual(["type-mismatch", "/parameters/0/value"])
    expect(detail).toContain("Give `today`, `yesterday`, `thisweek`")
  })

  test("filters by the moment, not by the unit of its target", () => {
    const target = ["dimension", ["field", "created_at", { "temporal-unit": "month" }]] as const
    expect(changed("date/range", "2026-03-28", target).filter).toEqual(["=", AT, "2026-03-28"])
  })

  test("set to several ranges filters by any of them", () => {
    expect(changed("date/all-options", ["2026-03", "2026-05"]).filter).toEqual([
      "or",
      ["=", AT, "2026-03"],
      ["=", AT, "2026-05"]
    ])
  })
})

const COUNTRY = ["field", "country"]

describe("a parameter of another type", () => {
  test.each<[ParameterType, ParameterValue, Clause]>([
    ["string/=", "DE", ["=", COUNTRY, "DE"]],
    ["string/=", ["DE", "FR", null], ["=", COUNTRY, "DE", "FR", null]],
    ["string/!=", ["DE"], ["!=", COUNTRY, "DE"]],
    ["string/contains", "D", ["contains", COUNTRY, "D"]],
    ["string/does-not-contain", ["D", "F"], ["does-not-contain", COUNTRY, "D", "F"]],
    ["string/starts-with", "D", ["starts-with", COUNTRY, "D"]],
    ["string/ends-with", "E", ["ends-with", COUNTRY, "E"]],
    ["id", "DE", ["=", COUNTRY, "DE"]]
  ])("%s set to %j filters by %j", (type, value, clause) => {
    expect(changed(type, value).filter).toEqual(clause)
  })

  const NUMBER = ["dimension", ["field", "lcp"]] as const
  const LCP = ["field", "lcp"]
  test.each<[ParameterType, ParameterValue, Clause | null]>([
    ["number/=", [1, "2.5"], ["=", LCP, 1, 2.5]],
    ["number/!=", 3, ["!=", LCP, 3]],
    ["number/>=", "10", [">=", LCP, 10]],
    ["number/<=", 10, ["<=", LCP, 10]],
    ["number/between", [1, 2], ["between", LCP, 1, 2]],
    ["number/between", [1, null], [">=", LCP, 1]],
    ["number/between", [null, 2], ["<=", LCP, 2]],
    ["number/between", [null, null], null]
  ])("%s set to %j filters by %j", (type, value, clause) => {
    expect(changed(type, value, NUMBER).filter ?? null).toEqual(clause)
  })

  test("a boolean is given as such or as a word", () => {
    const target = ["dimension", ["field", "is_entry"]] as const
    expect(changed("boolean/=", "true", target).filter).toEqual(["=", ["field", "is_entry"], true])
    expect(changed("boolean/=", [false], target).filter).toEqual(["=", ["field", "is_entry"], false])
    expect(refused("boolean/=", "yes", target)[0]).toBe("type-mismatch")
  })

  test("a site, a segment and a cohort are given by their ids", () => {
    expect(changed("site", SITE, ["dimension", ["field", "site_id"]]).filter).toEqual(["=", ["field", "site_id"], SITE])
    expect(changed("segment", SITE, ["segment"]).filter).toEqual(["segment", SITE])
    expect(changed("cohort", [SITE, SITE], ["segment"]).filter).toEqual(["or", ["cohort", SITE], ["cohort", SITE]])
  })

  test("a property and a field behind a foreign key are targets, too", () => {
    const property = ["prop", "plan", { event: "signup" }]
    expect(changed("string/=", "pro", ["dimension", property]).filter).toEqual(["=", property, "pro"])
    const through = ["field", "country", { "source-field": "session_id" }]
    expect(changed("string/=", "DE", ["dimension", through]).filter).toEqual(["=", through, "DE"])
  })

  test.each<[ParameterType, ParameterValue]>([
    ["number/=", "ten"],
    ["number/>=", [1, 2]],
    ["number/between", 1],
    ["string/contains", [null]],
    ["site", "shop"],
    ["site", [SITE, "shop"]],
    ["segment", true]
  ])("%s refuses %j", (type, value) => {
    expect(refused(type, value)).toEqual(["type-mismatch", "/parameters/0/value", expect.any(String)])
  })

  test.each(PARAMETER_TYPES.map((type) => [type]))("%s without a value leaves the question as it is", (type) => {
    expect(changed(type, null)).toEqual(QUESTION)
    expect(changed(type, [])).toEqual(QUESTION)
  })
})

test("a unit of time replaces the one by which the question groups and sorts", () => {
  const byWeek = ["field", "created_at", { "temporal-unit": "week" }] as const
  expect(changed("temporal-unit", "week")).toEqual({ ...QUESTION, breakout: [byWeek], "order-by": [["desc", byWeek]] })
  expect(refused("temporal-unit", "fortnight")[0]).toBe("type-mismatch")
  expect(refused("temporal-unit", "week", ["dimension", ["field", "country"]])[0]).toBe("bad-ast")
})

test("a comparison sets what the whole question is compared with, and adds no condition", () => {
  const settings = { timezone: "Europe/Berlin" }
  for (const compare of ["previous-period", "previous-year", "previous-year-same-weekday", "2026-02", "lastmonth"]) {
    expect(changed("compare", compare, ["compare"], { ...QUESTION, settings })).toEqual({
      ...QUESTION,
      settings: { ...settings, compare }
    })
  }
  for (const value of ["prev", "2026-02~", 7, ["previous-period", "previous-year"]]) {
    expect(refused("compare", value, ["compare"])[2]).toMatch(
      /^The parameter "It" can't be .* Give `previous-period`, /
    )
  }
})

test("conditions are added to those that the question has", () => {
  const query = { ...QUESTION, filter: ["=", "event_type", 1] as const }
  expect(changed("string/=", "DE", undefined, query).filter).toEqual([
    "and",
    ["=", "event_type", 1],
    ["=", COUNTRY, "DE"]
  ])
})

test("a parameter applies to the outermost query, or to the one that its stage names", () => {
  const inner: Query = { fql: 1, type: "query", source: "v_pa_events", aggregation: [["count"]], breakout: ["country"] }
  const query: Query = { fql: 1, type: "query", source: { query: inner }, fields: ["country"] }
  const filter = ["=", COUNTRY, "DE"]
  const target = (stage: number) => ["dimension", ["field", "country"], { "stage-number": stage }] as const
  expect(changed("string/=", "DE", undefined, query).filter).toEqual(filter as unknown as Clause)
  expect(changed("string/=", "DE", target(-1), query).filter).toEqual(filter as unknown as Clause)
  for (const stage of [0, -2]) {
    expect(changed("string/=", "DE", target(stage), query)).toEqual({
      ...query,
      source: { query: { ...inner, filter: filter as unknown as Clause } }
    })
  }
  expect(refused("string/=", "DE", target(2), query)).toEqual([
    "bad-ast",
    "/parameters/0/value",
    'The parameter "It" has the `stage-number` 2, but the question\'s stages are 0 to 1.'
  ])
})

test.each(["'; DROP TABLE x; --", "%", "_", "a,b:c", '["=","country","DE"]', "$1", "\\", "😀"])(
  "the value %j reaches the engine as a parameter and never as SQL",
  (value) => {
    for (const type of ["string/=", "string/!=", "string/contains", "string/starts-with", "id"] as const) {
      const compiled = Result.getOrThrow(compileQuestion(CONTEXT, changed(type, value), ENGINES.postgres))
      expect(compiled.query.parameters.some((parameter) => String(parameter.value).includes(value))).toBe(true)
      if (value.length > 1 && value !== "$1") expect(compiled.query.sql).not.toContain(value)
    }
  }
)

describe("the values of parameters", () => {
  const parameters = [
    { id: "date", name: "Date", slug: "date", type: "date/all-options", default: "past30days" },
    { id: "site", name: "Site", slug: "site", type: "site", required: true },
    { id: "country", name: "Country", slug: "country", type: "string/=", default: ["DE"], required: true },
    { id: "device", name: "Device", slug: "device", type: "string/=" }
  ] as const
  const values = (given: Readonly<Record<string, ParameterValue>>, firstSite: string | null = SITE) =>
    Object.fromEntries(
      [
        ...parameterValues(
          parameters,
          new Map(Object.entries(given).map(([id, value]) => [id, { value, pointer: `/${id}` }])),
          firstSite
        )
      ].map(([id, { value }]) => [id, value])
    )

  test("are the given ones, else their defaults, and the first site", () => {
    expect(values({})).toEqual({ date: "past30days", site: SITE, country: ["DE"], device: null })
    expect(values({ date: "today", site: "x", device: "mobile" })).toEqual({
      date: "today",
      site: "x",
      country: ["DE"],
      device: "mobile"
    })
    expect(values({}, null)["site"]).toBe(null)
  })

  test("given as nothing, filter nothing, unless the parameter is required", () => {
    expect(values({ date: null, site: [], country: null })).toEqual({
      date: null,
      site: SITE,
      country: ["DE"],
      device: null
    })
  })
})

describe("an error of a question with parameters points", () => {
  const pointerOf = (query: Query, ...parameters: ReadonlyArray<Parameters<typeof applyParameters>[1][number]>) => {
    const applied = Result.getOrThrow(applyParameters(query, parameters))
    const compiled = compileQuestion(CONTEXT, applied, ENGINES.postgres)
    return Result.isFailure(compiled) ? compiled.failure.pointer : "accepted"
  }
  const segment = (index: number) =>
    ({
      name: "Segment",
      type: "segment",
      target: ["segment"],
      value: "0198c5a0-0000-7000-8000-000000000001",
      pointer: `/parameters/${index}/value`
    }) as const
  const device = {
    name: "Device",
    type: "string/=",
    target: ["dimension", ["field", "device"]],
    value: "mobile",
    pointer: "/parameters/0/value"
  } as const
  const wrong = { ...device, target: ["dimension", ["field", "devise"]] } as const
  const isView = ["=", "event_type", 1] as const
  const typo = ["=", "event_typ", 1] as const

  test("to the parameter whose value or field does not exist, whatever the question filters", () => {
    expect(pointerOf(QUESTION, segment(0))).toBe("/parameters/0/value")
    expect(pointerOf({ ...QUESTION, filter: isView }, segment(0))).toBe("/parameters/0/value")
    expect(pointerOf({ ...QUESTION, filter: isView }, device, segment(1))).toBe("/parameters/1/value")
    expect(pointerOf({ ...QUESTION, filter: isView }, segment(1), device)).toBe("/parameters/1/value")
    expect(pointerOf(QUESTION, wrong)).toBe("/parameters/0/value")
    expect(pointerOf(QUESTION, device)).toBe("accepted")
  })

  test("to the question's own part as it was given", () => {
    expect(pointerOf({ ...QUESTION, filter: typo }, device)).toBe("/filter/1")
    expect(pointerOf({ ...QUESTION, filter: ["and", isView, typo] }, device, { ...device, pointer: "/x" })).toBe(
      "/filter/2/1"
    )
    expect(pointerOf({ ...QUESTION, breakout: ["countri"] }, device)).toBe("/breakout/0")
  })

  test("through the queries that a question is built on", () => {
    const { "order-by": _, ...unordered } = QUESTION
    const inner: Query = { ...unordered, filter: typo, breakout: ["country"] }
    const outer: Query = { fql: 1, type: "query", source: { query: inner }, fields: ["country"] }
    const stage = (index: number, options: object) => ({
      ...device,
      target: ["dimension", ["field", "device"], options] as const,
      pointer: `/parameters/${index}/value`
    })
    expect(pointerOf(outer, stage(0, { "stage-number": 0 }))).toBe("/source/query/filter/1")
    const right: Query = { ...outer, source: { query: { ...inner, filter: isView } } }
    expect(pointerOf(right, stage(0, { "stage-number": 0 }), stage(1, {}))).toBe("/parameters/1/value")
    expect(pointerOf(right, stage(0, { "stage-number": 0 }), stage(1, { "stage-number": 0 }))).toBe("accepted")
    const nowhere = { ...stage(0, {}), target: ["dimension", ["field", "devise"], { "stage-number": 0 }] as const }
    expect(pointerOf(right, nowhere)).toBe("/parameters/0/value")
  })
})
