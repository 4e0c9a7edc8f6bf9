import { describe, expect, test } from "bun:test"
import { Result } from "effect"
import { FIELD_FIRST } from "../../src/query/formula/names.ts"
import { type FormulaScope, parseFormula } from "../../src/query/formula/parse.ts"
import { printFormula } from "../../src/query/formula/print.ts"
import { randomQuestions } from "../support/questions/randomQuestions.ts"
import { randomFrom } from "../support/replica/traffic.ts"

const scope: FormulaScope = { source: "v_pa_events", expressions: ["Net revenue"] }

const parse = (text: string): unknown =>
  Result.getOrThrowWith(
    parseFormula(text, scope),
    ({ column, detail, line }) => new Error(`${line}:${column}: ${detail}`)
  )

const NAME = ["field", "event_name"]

describe("a formula and its clause stand for each other", () => {
  test.each<[string, unknown]>([
    [
      'CountIf([Event name] = "signup") / Distinct([Session ID])',
      ["/", ["count-where", ["=", NAME, "signup"]], ["distinct", ["field", "session_id"]]]
    ],
    ["Count * 100 / (Count + 1)", ["/", ["*", ["count"], 100], ["+", ["count"], 1]]],
    ["1 - 2 - 3", ["-", ["-", 1, 2], 3]],
    ["1 - (2 - 3)", ["-", 1, ["-", 2, 3]]],
    ["[Revenue] * (-2)", ["*", ["field", "revenue"], -2]],
    [
      '[Visitors → Country] = "DE" and (isEmpty([Referrer domain]) or not contains([URL path], "/a", "case-sensitive"))',
      [
        "and",
        ["=", ["field", "v_pa_sessions.country"], "DE"],
        [
          "or",
          ["is-empty", ["field", "referrer_domain"]],
          ["not", ["contains", ["field", "url_path"], "/a", { "case-sensitive": true }]]
        ]
      ]
    ],
    ['in([Event name], "a", "b")', ["in", NAME, "a", "b"]],
    [
      'case([Properties → signup → plan] = "pro", 1, [Attributes → tier] = "gold", 2, 0)',
      [
        "case",
        [
          [["=", ["prop", "plan", { event: "signup" }], "pro"], 1],
          [["=", ["attr", "tier"], "gold"], 2]
        ],
        { default: 0 }
      ]
    ],
    [
      'Metric("revenue", "EUR") / Metric("visitors")',
      ["/", ["metric", "revenue", { currency: "EUR" }], ["metric", "visitors"]]
    ],
    [
      'Metric("conversion-rate", [Event name] = "signup")',
      ["metric", "conversion-rate", { goal: ["=", NAME, "signup"] }]
    ],
    [
      "weekday([Created at]) + [Net revenue]",
      ["+", ["temporal-extract", ["field", "created_at"], "day-of-week"], ["expression", "Net revenue"]]
    ],
    [
      'interval([Created at], -30, "day", "include-current")',
      ["time-interval", ["field", "created_at"], -30, "day", { "include-current": true }]
    ],
    ['concat([URL path], "\\"", "\\\\")', ["concat", ["field", "url_path"], '"', "\\"]],
    ['notIn([Event name], "a", "b")', ["!=", NAME, "a", "b"]],
    [
      'startsWith([URL path], "/a", "/b", "case-insensitive")',
      ["starts-with", ["field", "url_path"], "/a", "/b", { "case-sensitive": false }]
    ],
    [
      'matches([URL path], "^/a", "case-sensitive")',
      ["matches", ["field", "url_path"], "^/a", { "case-sensitive": true }]
    ],
    [
      'intervalStartingFrom([Created at], -7, "day", -1, "month")',
      ["relative-time-interval", ["field", "created_at"], -7, "day", -1, "month"]
    ],
    ['[Created at] > relativeDateTime(-3, "day")', [">", ["field", "created_at"], ["relative-datetime", -3, "day"]]],
    [
      'datetimeDiff([Created at], convertTimezone(now, "Asia/Tokyo"), "hour")',
      ["datetime-diff", ["field", "created_at"], ["convert-timezone", ["now"], "Asia/Tokyo"], "hour"]
    ],
    [
      "concat(dayName(weekday([Created at])), monthName(month([Created at])), quarterName(quarter([Created at])))",
      [
        "concat",
        ["day-name", ["temporal-extract", ["field", "created_at"], "day-of-week"]],
        ["month-name", ["temporal-extract", ["field", "created_at"], "month-of-year"]],
        ["quarter-name", ["temporal-extract", ["field", "created_at"], "quarter-of-year"]]
      ]
    ],
    [
      "year([Created at]) + second([Created at])",
      [
        "+",
        ["temporal-extract", ["field", "created_at"], "year-of-era"],
        ["temporal-extract", ["field", "created_at"], "second-of-minute"]
      ]
    ],
    [
      'week([Created at], "ISO") + week([Created at])',
      [
        "+",
        ["temporal-extract", ["field", "created_at"], "week-of-year", "ISO"],
        ["temporal-extract", ["field", "created_at"], "week-of-year"]
      ]
    ],
    [
      'dayName(weekday([Created at]), "short")',
      ["day-name", ["temporal-extract", ["field", "created_at"], "day-of-week"], "short"]
    ],
    ['in([Event name], "signup")', ["in", NAME, "signup"]],
    [
      '[Entry] and [Visits → Bounce] and [Subdivision1] = "US-CA"',
      ["and", ["field", "is_entry"], ["field", "v_pa_visits.is_bounce"], ["=", ["field", "subdivision1"], "US-CA"]]
    ],
    ["[Visits → Duration] / 60", ["/", ["field", "v_pa_visits.duration_s"], 60]],
    ["rTrim(lTrim([Tag]))", ["rtrim", ["ltrim", ["field", "tag"]]]]
  ])("%s", (text, clause) => {
    expect(parse(text)).toEqual(clause)
    expect(printFormula(clause)).toBe(text)
  })
})

test("fields are found by their names, too", () => {
  expect(parse("[is_entry] and [Visits → duration_s] > 9")).toEqual(parse("[Entry] and [Visits → Duration] > 9"))
})

test("names are read in any case, with comments, single quotes and line breaks", () => {
  expect(parse("countif([event NAME] = 'signup') -- those who\n  / count")).toEqual([
    "/",
    ["count-where", ["=", NAME, "signup"]],
    ["count"]
  ])
  expect(parse("[visitors > country] != null")).toEqual(["!=", ["field", "v_pa_sessions.country"], null])
})

test("a span is added to a time, or subtracted from it", () => {
  const time = ["field", "created_at"]
  expect(parse('[Created at] + timeSpan(7, "day") - timeSpan(1, "hour")')).toEqual([
    "datetime-subtract",
    ["datetime-add", time, 7, "day"],
    1,
    "hour"
  ])
  expect(parse('timeSpan(-1, "month") + [Created at]')).toEqual(["datetime-add", time, -1, "month"])
  expect(parse('between([Created at], now - timeSpan(2, "week"), now())')).toEqual([
    "between",
    time,
    ["relative-datetime", -2, "week"],
    ["now"]
  ])
})

test("older names of functions are read, too", () => {
  expect(parse('relativeInterval([Created at], -7, "day", -1, "month")')).toEqual(
    parse('intervalStartingFrom([Created at], -7, "day", -1, "month")')
  )
})

test("a name that would be read as another one has no formula", () => {
  const names = [
    ["prop", "size>10"],
    ["prop", "a → b"],
    ["prop", " b "],
    ["prop", "plan", { event: "Checkout > Paid" }],
    ["prop", "plan", { event: "a]b" }],
    ["attr", "size>10"],
    ["expression", "a[0]"]
  ]
  expect(names.map((clause) => printFormula(clause))).toEqual(names.map(() => null))
})

test("a custom column is found by its name, whatever is in it", () => {
  const parsed = parseFormula("[A > B] + [A → B]", { ...scope, expressions: ["A > B", "A → B"] })
  expect(Result.getOrThrow(parsed)).toEqual(["+", ["expression", "A > B"], ["expression", "A → B"]])
})

test("a list without values has no formula", () => {
  expect(["=", "!="].map((name) => printFormula([name, NAME]))).toEqual([null, null])
})

test("a value that would be read as an option has no formula", () => {
  expect(printFormula(["contains", "url_path", "a", "case-sensitive"])).toBeNull()
  expect(printFormula(["contains", "url_path", "case-sensitive"])).toBe('contains([URL path], "case-sensitive")')
})

/** With `["field", name]` wherever a bare name stands for one, and lists of values as `in`. */
const canonical = (json: unknown): unknown => {
  if (!Array.isArray(json)) return json
  const [name, first, ...others] = json
  const rest = others.filter((one) => JSON.stringify(one) !== "{}")
  if (name === "case") return ["case", first.map((pair: Array<unknown>) => pair.map(canonical)), ...rest]
  const of = FIELD_FIRST.has(name) && typeof first === "string" ? ["field", first] : canonical(first)
  const all = json.length === 1 ? [name] : [name, of, ...rest.map(canonicalOption)]
  if (name === "=" && all.length > 3) return ["in", ...all.slice(1)]
  return CHAINS.has(name) && Array.isArray(of) && of[0] === name ? [name, ...of.slice(1), ...all.slice(2)] : all
}
const CHAINS = new Set(["and", "or", "+", "*"])
const canonicalOption = (json: unknown): unknown =>
  typeof json === "object" && json !== null && "goal" in json ? { goal: canonical(json.goal) } : canonical(json)

test("2,000 random clauses print formulas that read back as the same clauses", () => {
  const questions = randomQuestions(randomFrom(11))
  let printed = 0
  for (let turn = 0; turn < 2_000; turn++) {
    const clause = questions.clause()
    const text = printFormula(clause)
    if (text === null) continue
    printed++
    expect({ text, clause: parse(text) }).toEqual({ text, clause: canonical(clause) })
  }
  expect(printed).toBeGreaterThan(1_000)
})

describe("a formula that is not understood says where", () => {
  test.each<[string, number, number, string]>([
    ["Count(", 1, 7, "ends here"],
    ["[Revenue] > 1e999", 1, 13, "too large"],
    ["Conut", 1, 1, "Did you mean Count?"],
    ["[Event nme]", 1, 1, "Did you mean [Event name]?"],
    ["Count +\n  [", 2, 3, "bracket is not closed"],
    ['"abc', 1, 1, "quotation mark is not closed"],
    ["1 < 2 < 3", 1, 7, "do not chain"],
    ["Count Count", 1, 7, "not expected here"],
    ["(1 + 2", 1, 7, "closing parenthesis"],
    ["case(1)", 1, 1, "pairs"],
    ['timeSpan(7, "day")', 1, 1, "Add timeSpan to a time"],
    ['[Created at] * timeSpan(7, "day")', 1, 16, "Add timeSpan to a time"],
    ['abs(timeSpan(7, "day"))', 1, 5, "Add timeSpan to a time"],
    ["1 + in([Country])", 1, 5, 'in takes a field and at least one value, as in in([Country], "DE", "FR").'],
    ["notIn()", 1, 1, "notIn takes a field and at least one value"],
    ["now - timeSpan(7)", 1, 7, "takes a number and a unit"],
    ["@", 1, 1, "not expected"],
    ["(".repeat(100), 1, 41, "nested"]
  ])("%s", (text, line, column, detail) => {
    const parsed = parseFormula(text, scope)
    expect(Result.isFailure(parsed) && parsed.failure).toEqual({
      line,
      column,
      detail: expect.stringContaining(detail)
    })
  })
})
