import { Result } from "effect"
import { nearest } from "../fql/suggest.ts"
import type { ViewName } from "../metadata/views.ts"
import { fieldNamed } from "./fields.ts"
import { ALIASES, COMPARISON_LEVEL, EXTRACTIONS, FLAGS, FUNCTIONS, levelOf } from "./names.ts"

/** A formula that is not understood, and where: lines and columns begin with 1. */
export interface FormulaProblem {
  readonly line: number
  readonly column: number
  readonly detail: string
}

/** What a formula may name. */
export interface FormulaScope {
  readonly source: ViewName
  /** Names of the question's custom columns. */
  readonly expressions: ReadonlyArray<string>
}

type Json = unknown

/** In characters. */
const MAX_LENGTH = 10_000
const MAX_DEPTH = 40

class Misunderstood extends Error {
  readonly at: number
  constructor(at: number, detail: string) {
    super(detail)
    this.at = at
  }
}

type Kind = "number" | "string" | "field" | "word" | "symbol" | "end"

interface Token {
  readonly kind: Kind
  readonly text: string
  readonly at: number
}

const SPACE = /(?:\s|--[^\n]*)*/y
const PATTERNS: ReadonlyArray<readonly [Kind, RegExp]> = [
  ["number", /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y],
  ["string", /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/sy],
  ["field", /\[(?:[^\]\\]|\\.)*\]/sy],
  ["word", /[A-Za-z_][A-Za-z0-9_-]*/y],
  ["symbol", /!=|<=|>=|[=<>+\-*/%(),]/y]
]

const tokensOf = (text: string): ReadonlyArray<Token> => {
  const tokens: Array<Token> = []
  let at = 0
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }
  for (;;) {
    at += match(SPACE)?.length ?? 0
    if (at >= text.length) return [...tokens, { kind: "end", text: "", at }]
    const found = PATTERNS.map(([kind, pattern]) => ({ kind, text: match(pattern) })).find(
      (one) => one.text !== undefined
    )
    if (found === undefined) {
      const opened = { '"': "quotation mark", "'": "quotation mark", "[": "bracket" }[text[at]!]
      throw new Misunderstood(
        at,
        opened === undefined ? `"${text[at]}" is not expected here.` : `This ${opened} is not closed.`
      )
    }
    tokens.push({ kind: found.kind, text: found.text!, at })
    at += found.text!.length
  }
}

const unquoted = (text: string): string => text.slice(1, -1).replaceAll(/\\(.)/gs, "$1")

const byName = new Map([...FUNCTIONS, ...ALIASES].map(([formula, clause]) => [formula.toLowerCase(), clause]))
const extractions = new Map(EXTRACTIONS.map(([formula, unit]) => [formula.toLowerCase(), unit]))
const ALL_NAMES = [
  ...FUNCTIONS.map(([formula]) => formula),
  ...EXTRACTIONS.map(([formula]) => formula),
  "case",
  "Metric",
  "not",
  "notIn",
  "timeSpan"
]

/** What `timeSpan(7, "day")` stands for: something to add to a time, or to subtract from it. */
class TimeSpan {
  readonly at: number
  readonly args: ReadonlyArray<Json>
  constructor(at: number, args: ReadonlyArray<Json>) {
    this.at = at
    this.args = args
  }
}

const withoutSpan = (json: Json): Json => {
  if (!(json instanceof TimeSpan)) return json
  throw new Misunderstood(json.at, 'Add timeSpan to a time, or subtract it, as in [Created at] + timeSpan(7, "day").')
}

/** A time moved by a span. */
const moved = (operator: string, left: Json, right: Json): Json => {
  const [time, span] = operator === "+" && left instanceof TimeSpan ? [right, left] : [left, right]
  if (!(span instanceof TimeSpan) || (operator !== "+" && operator !== "-")) return null
  const [count, ...unit] = span.args
  const isNow = Array.isArray(time) && time[0] === "now"
  if (isNow && typeof count === "number") return ["relative-datetime", operator === "-" ? -count : count, ...unit]
  return [operator === "+" ? "datetime-add" : "datetime-subtract", withoutSpan(time), count, ...unit]
}

class Parser {
  readonly #tokens: ReadonlyArray<Token>
  readonly #scope: FormulaScope
  #next = 0
  #depth = 0

  constructor(tokens: ReadonlyArray<Token>, scope: FormulaScope) {
    this.#tokens = tokens
    this.#scope = scope
  }

  whole(): Json {
    const value = withoutSpan(this.#expression(0))
    const rest = this.#peek()
    if (rest.kind !== "end")
      throw new Misunderstood(rest.at, `"${rest.text}" is not expected here: an operator or the end is.`)
    return value
  }

  /** Operators from this level up, from left to right. */
  #expression(level: number): Json {
    if (++this.#depth > MAX_DEPTH)
      throw new Misunderstood(this.#peek().at, `The formula is nested more than ${MAX_DEPTH} deep.`)
    let left = this.#unary()
    for (;;) {
      const token = this.#peek()
      const operator = token.text.toLowerCase()
      const own = token.kind === "symbol" || token.kind === "word" ? levelOf(operator) : null
      if (own === null || own < level) break
      this.#next++
      const right = this.#expression(own + 1)
      left = join(operator, left, right)
      if (own === COMPARISON_LEVEL && levelOf(this.#peek().text) === COMPARISON_LEVEL) {
        throw new Misunderstood(this.#peek().at, "Comparisons do not chain: combine two of them with and.")
      }
    }
    this.#depth--
    return left
  }

  #unary(): Json {
    const token = this.#peek()
    if (token.kind === "word" && token.text.toLowerCase() === "not") {
      this.#next++
      return ["not", withoutSpan(this.#expression(COMPARISON_LEVEL))]
    }
    if (token.text !== "-" || token.kind !== "symbol") return this.#primary()
    this.#next++
    const of = withoutSpan(this.#unary())
    return typeof of === "number" ? -of : ["-", 0, of]
  }

  #primary(): Json {
    const token = this.#peek()
    this.#next++
    switch (token.kind) {
      case "number": {
        const number = Number(token.text)
        if (!Number.isFinite(number)) throw new Misunderstood(token.at, "This number is too large.")
        return number
      }
      case "string":
        return unquoted(token.text)
      case "field":
        return this.#field(token)
      case "word":
        return this.#word(token)
      case "symbol":
        if (token.text !== "(") throw new Misunderstood(token.at, `"${token.text}" is not expected here: a value is.`)
        return this.#closed(this.#expression(0))
      case "end":
        throw new Misunderstood(token.at, "The formula ends here, where a value is expected.")
    }
  }

  #closed<A>(value: A): A {
    const token = this.#peek()
    if (token.text !== ")" || token.kind !== "symbol")
      throw new Misunderstood(token.at, "A closing parenthesis is missing.")
    this.#next++
    return value
  }

  #field({ at, text }: Token): Json {
    const name = unquoted(text)
    const found = fieldNamed(this.#scope.source, this.#scope.expressions, name)
    if ("clause" in found) return found.clause
    throw new Misunderstood(
      at,
      `There is no field [${name}].${found.near === null ? "" : ` Did you mean [${found.near}]?`}`
    )
  }

  #word(token: Token): Json {
    const name = token.text.toLowerCase()
    if (name === "true" || name === "false") return name === "true"
    if (name === "null") return null
    const args = this.#isNext("(") ? this.#arguments() : []
    if (name === "case") return caseClause(token, args)
    if (name === "in" || name === "notin") return listClause(token, args)
    if (name === "timespan") return timeSpan(token, args)
    if (name === "metric") return metricClause(token, args)
    const unit = extractions.get(name)
    if (unit !== undefined) return ["temporal-extract", ...args.slice(0, 1), unit, ...args.slice(1)]
    const clause = byName.get(name)
    if (clause !== undefined) return [clause, ...withFlags(clause, args)]
    const near = nearest(token.text, ALL_NAMES)
    throw new Misunderstood(
      token.at,
      `There is no function ${token.text}.${near === null ? "" : ` Did you mean ${near}?`}`
    )
  }

  #arguments(): Array<Json> {
    this.#next++
    const args: Array<Json> = []
    if (this.#isNext(")")) return this.#closed(args)
    for (;;) {
      args.push(withoutSpan(this.#expression(0)))
      if (!this.#isNext(",")) return this.#closed(args)
      this.#next++
    }
  }

  #isNext(symbol: string): boolean {
    const token = this.#peek()
    return token.kind === "symbol" && token.text === symbol
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)]!
  }
}

/** A chain of the same connective, or of additions and so on, is one clause. */
const CHAINS: ReadonlySet<string> = new Set(["and", "or", "+", "*"])

const join = (operator: string, left: Json, right: Json): Json => {
  const time = moved(operator, left, right)
  if (time !== null) return time
  const [one, other] = [withoutSpan(left), withoutSpan(right)]
  return CHAINS.has(operator) && Array.isArray(one) && one[0] === operator ? [...one, other] : [operator, one, other]
}

const timeSpan = ({ at }: Token, args: ReadonlyArray<Json>): TimeSpan => {
  if (args.length === 2) return new TimeSpan(at, args)
  throw new Misunderstood(at, 'timeSpan takes a number and a unit, as in timeSpan(7, "day").')
}

const caseClause = ({ at }: Token, args: ReadonlyArray<Json>): Json => {
  if (args.length < 2)
    throw new Misunderstood(at, "case takes pairs of a condition and a value, and a default at the end.")
  const pairs = Array.from({ length: Math.floor(args.length / 2) }, (_, index) => [
    args[2 * index],
    args[2 * index + 1]
  ])
  return args.length % 2 === 0 ? ["case", pairs] : ["case", pairs, { default: args.at(-1) }]
}

const listClause = ({ at, text }: Token, args: ReadonlyArray<Json>): Json => {
  if (args.length > 1) return [text.toLowerCase() === "in" ? "in" : "!=", ...args]
  throw new Misunderstood(at, `${text} takes a field and at least one value, as in ${text}([Country], "DE", "FR").`)
}

const metricClause = ({ at }: Token, [name, option, ...more]: ReadonlyArray<Json>): Json => {
  if (typeof name !== "string" || more.length > 0) {
    throw new Misunderstood(
      at,
      'Metric takes a name, and for some a currency or a goal, as in Metric("revenue", "EUR").'
    )
  }
  if (option === undefined) return ["metric", name]
  return ["metric", name, typeof option === "string" ? { currency: option } : { goal: option }]
}

const withFlags = (clause: string, args: ReadonlyArray<Json>): ReadonlyArray<Json> => {
  const flag = FLAGS[clause]?.find(([word]) => word === args.at(-1))
  return flag === undefined || args.length < 3 ? args : [...args.slice(0, -1), { [flag[1]]: flag[2] }]
}

const placeOf = (text: string, at: number): { readonly line: number; readonly column: number } => {
  const lines = text.slice(0, at).split("\n")
  return { line: lines.length, column: lines.at(-1)!.length + 1 }
}

/**
 * Reads a formula as a clause of FQL: a custom column, a condition or an aggregation, such as
 * `CountIf([Event name] = "signup") / Distinct([Session id])`.
 */
export const parseFormula = (text: string, scope: FormulaScope): Result.Result<Json, FormulaProblem> => {
  if (text.length > MAX_LENGTH) {
    return Result.fail({ ...placeOf(text, MAX_LENGTH), detail: `A formula has at most ${MAX_LENGTH} characters.` })
  }
  try {
    return Result.succeed(new Parser(tokensOf(text), scope).whole())
  } catch (error) {
    if (!(error instanceof Misunderstood)) throw error
    return Result.fail({ ...placeOf(text, error.at), detail: error.message })
  }
}
