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
    ['concat([URL path], "\\"", "\\\\")', ["concat", ["field", "url_path"], '"', "\\"]]
  ])("%s", (text, clause) => {
    expect(parse(text)).toEqual(clause)
    expect(printFormula(clause)).toBe(text)
  })
})

test("names are read in any case, with comments, single quotes and line breaks", () => {
  expect(parse("countif([event NAME] = 'signup') -- those who\n  / count")).toEqual([
    "/",
    ["count-where", ["=", NAME, "signup"]],
    ["count"]
  ])
  expect(parse("[visitors > country] != null")).toEqual(["!=", ["field", "v_pa_sessions.country"], null])
})

/** With `["field", name]` wherever a bare name stands for one, and lists of values as `in`. */
const canonical = (json: unknown): unknown => {
  if (!Array.isArray(json)) return json
  const [name, first, ...others] = json
  const rest = others.filter((one) => JSON.stringify(one) !== "{}")
  if (name === "case") return ["case", first.map((pair: Array<unknown>) => pair.map(canonical)), ...rest]
  const of = FIELD_FIRST.has(name) && typeof first === "string" ? ["field", first] : canonical(first)
  const all = json.length === 1 ? [name] : [name, of, ...rest.map(canonicalOption)]
  if ((name === "=" || name === "!=") && all.length > 3) {
    const list = ["in", ...all.slice(1)]
    return name === "=" ? list : ["not", list]
  }
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
    ["Conut", 1, 1, "Did you mean Count?"],
    ["[Event nme]", 1, 1, "Did you mean [Event name]?"],
    ["Count +\n  [", 2, 3, "bracket is not closed"],
    ['"abc', 1, 1, "quotation mark is not closed"],
    ["1 < 2 < 3", 1, 7, "do not chain"],
    ["Count Count", 1, 7, "not expected here"],
    ["(1 + 2", 1, 7, "closing parenthesis"],
    ["case(1)", 1, 1, "pairs"],
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
