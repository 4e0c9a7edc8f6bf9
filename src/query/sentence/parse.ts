import { Result } from "effect"
import type { Clause, Query } from "../fql/schema.ts"
import { nearest } from "../fql/suggest.ts"
import { type SentenceProblem, type Token, tokensOf } from "./tokens.ts"
import {
  AGGREGATIONS,
  COMPARISONS,
  FIELDS,
  isEvent,
  KEYWORDS,
  METRICS,
  NUMBER_FIELDS,
  OPERATORS,
  TIME_PARTS,
  TIME_UNITS
} from "./words.ts"

/** A longer sentence is not typed by a person. */
const MAX_LENGTH = 2_000
const DEFAULT_DAYS = 30

class Misunderstood extends Error {
  readonly at: number
  constructor(at: number, detail: string) {
    super(detail)
    this.at = at
  }
}

type Dimension = string | Clause

/** Metrics that need an event to count as a goal. */
const GOALS: ReadonlySet<string> = new Set(["conversions", "conversion-rate"])
const AMOUNTS: ReadonlySet<string> = new Set(["revenue", "arpu"])

const isUnit = (word: string): word is (typeof TIME_UNITS)[number] =>
  (TIME_UNITS as ReadonlyArray<string>).includes(word)

const OPERATOR_PHRASES = OPERATORS.map(([clause, phrases]) => [clause, phrases] as const)

interface Measure {
  readonly clause: (currency: string | null) => Clause
  /** Whether its event is a goal, and not what is counted. */
  readonly isGoal: boolean
  /** Whether it is an amount of money. */
  readonly isAmount: boolean
}

class Parser {
  readonly #tokens: ReadonlyArray<Token>
  readonly #end: number
  #next = 0
  /** The event that the sentence is about, whose properties it means. */
  #event: string | null = null

  constructor(tokens: ReadonlyArray<Token>, end: number) {
    this.#tokens = tokens
    this.#end = end
  }

  query(): Query {
    const filters: Array<Clause> = []
    const measure = this.#measure()
    if (this.#event !== null && !measure.isGoal) filters.push(isEvent(this.#event))
    const breakout: Array<Dimension> = []
    let range: Clause | null | undefined
    let limit: number | null = null
    let currency: string | null = null
    while (this.#next < this.#tokens.length) {
      const keyword = this.#keyword()
      switch (keyword?.text) {
        case "where":
          filters.push(...this.#conditions())
          break
        case "by":
          breakout.push(...this.#dimensions())
          break
        case "over":
          range = this.#range()
          break
        case "on":
          filters.push(["=", "v_pa_sites.name", this.#value("the name of a site")])
          break
        case "in":
          if (!measure.isAmount) {
            throw new Misunderstood(keyword.at, "A currency applies to revenue only, as in: revenue in EUR by day.")
          }
          currency = this.#currency()
          break
        case "top":
          limit = this.#wholeNumber("top", 10_000)
          break
        default:
          throw this.#unexpected()
      }
    }
    if (range === undefined) range = lastUnits(DEFAULT_DAYS, "day")
    if (range !== null) filters.push(range)
    return {
      fql: 1,
      type: "query",
      source: "v_pa_events",
      ...(filters.length === 1 && { filter: filters[0]! }),
      ...(filters.length > 1 && { filter: ["and", ...filters] }),
      aggregation: [measure.clause(currency)],
      ...(breakout.length > 0 && { breakout }),
      ...(limit !== null && { "order-by": [["desc", ["aggregation", 0]] as const], limit })
    }
  }

  /** What is computed, and of which event. */
  #measure(): Measure {
    // "unique visitors" is a metric, though "unique" is an aggregation.
    const isMetric = this.#lengthOf(METRICS) > this.#lengthOf(AGGREGATIONS)
    const aggregation = isMetric ? null : this.#phrase(AGGREGATIONS)
    if (aggregation !== null) {
      const ofField = this.#fieldBeforeEvent()
      return { clause: () => [aggregation, asNumber(aggregation, ofField())], isGoal: false, isAmount: false }
    }
    const metric = this.#phrase(METRICS)
    if (metric !== null) {
      const isGoal = GOALS.has(metric)
      this.#ofEvent(isGoal)
      const goal = this.#event
      return {
        isGoal,
        isAmount: AMOUNTS.has(metric),
        clause: (currency) => {
          const options = {
            ...(isGoal && goal !== null && { goal: isEvent(goal) }),
            ...(AMOUNTS.has(metric) && currency !== null && { currency })
          }
          return Object.keys(options).length === 0 ? ["metric", metric] : ["metric", metric, options]
        }
      }
    }
    if (this.#word("count") || this.#word("number")) {
      if (this.#peek()?.text.toLowerCase() === "of") {
        const [kind] = this.#after(1)
        const counted = kind === undefined || kind.isQuoted ? null : this.#phraseAt(METRICS, this.#next + 1)
        if (counted !== null && !GOALS.has(counted.meaning) && !AMOUNTS.has(counted.meaning)) {
          this.#next = counted.end
          return { clause: () => ["metric", counted.meaning], isGoal: false, isAmount: false }
        }
        if (kind !== undefined && !kind.isQuoted && kind.text.toLowerCase() === "events") this.#next += 2
        else this.#ofEvent(true)
      }
      return { clause: () => ["count"], isGoal: false, isAmount: false }
    }
    const token = this.#peek()
    const known = [...METRICS, ...AGGREGATIONS].flatMap(([, phrases]) => phrases)
    const near = token === undefined ? null : nearest(token.text, known)
    throw new Misunderstood(
      token?.at ?? this.#end,
      `Begin with what to compute: count of an event, visitors, visits, pageviews, bounce rate, revenue, or sum, average or median of a property.${near === null ? "" : ` Did you mean "${near}"?`}`
    )
  }

  /** `of signup`; required if nothing else says what is meant. */
  #ofEvent(isRequired: boolean): void {
    if (this.#word("of")) this.#event = this.#value("the name of an event")
    else if (isRequired) throw new Misunderstood(this.#peek()?.at ?? this.#end, 'Name an event, as in "of signup".')
  }

  /** `price of order`: the field is one of the event that follows it. */
  #fieldBeforeEvent(): () => Dimension {
    const start = this.#next
    this.#field()
    this.#ofEvent(false)
    const end = this.#next
    return () => {
      const next = this.#next
      this.#next = start
      const field = this.#field()
      this.#next = Math.max(next, end)
      return field
    }
  }

  #conditions(): ReadonlyArray<Clause> {
    const conditions = [this.#condition()]
    while (this.#word("and")) conditions.push(this.#condition())
    return conditions
  }

  #condition(): Clause {
    const field = this.#field()
    const at = this.#peek()?.at ?? this.#end
    const operator = this.#phrase(OPERATOR_PHRASES)
    if (operator === null) {
      if (this.#word("or")) throw new Misunderstood(at, OR_JOINS_VALUES)
      throw new Misunderstood(
        at,
        "Continue with a condition: is, is not, contains, does not contain, starts with, ends with, is like, is empty, is not empty, is more than, is less than, is at least or is at most."
      )
    }
    if (!OPERATORS.find(([clause]) => clause === operator)![2]) return [operator, field]
    const values = [this.#value("a value")]
    while (this.#word("or")) values.push(this.#value("a value"))
    if (!COMPARISONS.has(operator) && !NUMBER_FIELDS.has(String(field))) return [operator, field, ...values]
    const numbers = values.map(Number)
    if (numbers.some(Number.isNaN)) throw new Misunderstood(at, "Compare with a number.")
    if (!numbers.every(Number.isFinite)) throw new Misunderstood(at, "Compare with a smaller number.")
    return [operator, asNumber(operator, field), ...numbers]
  }

  #dimensions(): ReadonlyArray<Dimension> {
    const dimensions = [this.#dimension()]
    while (this.#word(",") || this.#word("and")) dimensions.push(this.#dimension())
    return dimensions
  }

  #dimension(): Dimension {
    const part = this.#phrase(TIME_PARTS)
    if (part !== null) return ["field", "created_at", { "temporal-unit": part }]
    const token = this.#peek()
    const unit = token?.text.toLowerCase() ?? ""
    if (token !== undefined && !token.isQuoted && isUnit(unit)) {
      this.#next++
      return ["field", "created_at", { "temporal-unit": unit }]
    }
    return this.#field()
  }

  /** A field by its words or its name, otherwise a property of the event, or a visitor's attribute. */
  #field(): Dimension {
    if (this.#word("attribute")) return ["attr", this.#value("the name of an attribute")]
    const isProperty = this.#word("property")
    const known = isProperty ? null : this.#phrase(FIELDS)
    if (known !== null) return known
    const token = this.#peek()
    const isName = token !== undefined && !isProperty && !token.isQuoted && FIELDS.some(([name]) => name === token.text)
    const name = this.#value("a field or a property")
    if (isName) return name
    return this.#event === null ? ["prop", name] : ["prop", name, { event: this.#event }]
  }

  #range(): Clause | null {
    if (this.#words("all", "time")) return null
    if (this.#word("today")) return ["time-interval", "created_at", "current", "day"]
    if (this.#word("yesterday")) return ["time-interval", "created_at", -1, "day"]
    if (this.#word("this")) return ["time-interval", "created_at", "current", this.#unit()]
    if (this.#word("last") || this.#word("past")) {
      const token = this.#peek()
      if (token === undefined || !/^-?\d/.test(token.text)) return ["time-interval", "created_at", -1, this.#unit()]
      const count = this.#wholeNumber("last", 10_000)
      return lastUnits(count, this.#unit())
    }
    return this.#dates()
  }

  /** `2026-03-01 to 2026-03-31`, a day, a month or a year. */
  #dates(): Clause {
    const at = this.#peek()?.at ?? this.#end
    const from = daysOf(this.#peek()?.text ?? "")
    if (from === null) {
      const text = this.#peek()?.text ?? ""
      const near = nearest(text, ["last", "past", "this", "today", "yesterday"])
      throw new Misunderstood(
        at,
        impossibleDay(text) ??
          `Give a range: last 30 days, this month, last week, today, yesterday, 2026-03, 2026-03-01 to 2026-03-31, or all time.${near === null ? "" : ` Did you mean "${near}"?`}`
      )
    }
    this.#next++
    if (!this.#word("to")) return ["between", "created_at", ...from]
    const until = daysOf(this.#peek()?.text ?? "")
    if (until === null) {
      throw new Misunderstood(
        this.#peek()?.at ?? this.#end,
        impossibleDay(this.#peek()?.text ?? "") ?? "Give the range's last day, as in 2026-03-31."
      )
    }
    this.#next++
    return ["between", "created_at", from[0], until[1]]
  }

  #unit(): string {
    const token = this.#peek()
    const unit = token?.text.toLowerCase().replace(/s$/, "") ?? ""
    if (token === undefined || !isUnit(unit)) {
      throw new Misunderstood(token?.at ?? this.#end, `Give a unit of time: ${TIME_UNITS.join(", ")}.`)
    }
    this.#next++
    return unit
  }

  #currency(): string {
    const token = this.#peek()
    if (token === undefined || !/^[a-z]{3}$/i.test(token.text)) {
      throw new Misunderstood(token?.at ?? this.#end, "Give a currency, as in EUR.")
    }
    this.#next++
    return token.text.toUpperCase()
  }

  #wholeNumber(what: string, most: number): number {
    const token = this.#peek()
    const number = Number(token?.text)
    if (token === undefined || !/^\d+$/.test(token.text) || number < 1 || number > most) {
      throw new Misunderstood(token?.at ?? this.#end, `Give a whole number from 1 to ${most} after "${what}".`)
    }
    this.#next++
    return number
  }

  /** A quoted text, or words up to the next keyword. */
  #value(what: string): string {
    const token = this.#peek()
    if (
      token === undefined ||
      (!token.isQuoted && (KEYWORDS.includes(token.text.toLowerCase()) || token.text === ","))
    ) {
      throw new Misunderstood(
        token?.at ?? this.#end,
        `Give ${what}. Put it in quotation marks if it has spaces or is a word such as "by".`
      )
    }
    this.#next++
    return token.text
  }

  #keyword(): Token | null {
    const token = this.#peek()
    if (token === undefined || token.isQuoted || !KEYWORDS.includes(token.text.toLowerCase())) return null
    this.#next++
    return { ...token, text: token.text.toLowerCase() }
  }

  #unexpected(): Misunderstood {
    const token = this.#tokens[Math.min(this.#next, this.#tokens.length - 1)]!
    const or = this.#tokens[this.#next - 2]
    if (or?.text.toLowerCase() === "or" && !or.isQuoted && this.#phraseAt(OPERATOR_PHRASES, this.#next) !== null) {
      return new Misunderstood(or.at, OR_JOINS_VALUES)
    }
    const near = nearest(token.text, KEYWORDS)
    return new Misunderstood(
      token.at,
      `"${token.text}" is not expected here. Continue with where, by, over, on, in or top.${near === null || near === token.text ? "" : ` Did you mean "${near}"?`}`
    )
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#next]
  }

  #after(count: number): ReadonlyArray<Token> {
    return this.#tokens.slice(this.#next + count, this.#next + count + 1)
  }

  #word(word: string): boolean {
    const token = this.#peek()
    if (token === undefined || token.isQuoted || token.text.toLowerCase() !== word) return false
    this.#next++
    return true
  }

  #words(...words: ReadonlyArray<string>): boolean {
    const start = this.#next
    if (words.every((word) => this.#word(word))) return true
    this.#next = start
    return false
  }

  /** The meaning of the longest phrase that comes next; null if none does. */
  #phrase(known: ReadonlyArray<readonly [string, ReadonlyArray<string>]>): string | null {
    const found = this.#phraseAt(known, this.#next)
    if (found === null) return null
    this.#next = found.end
    return found.meaning
  }

  /** How many words of a phrase come next. */
  #lengthOf(known: ReadonlyArray<readonly [string, ReadonlyArray<string>]>): number {
    return (this.#phraseAt(known, this.#next)?.end ?? this.#next) - this.#next
  }

  #phraseAt(
    known: ReadonlyArray<readonly [string, ReadonlyArray<string>]>,
    start: number
  ): { readonly meaning: string; readonly end: number } | null {
    let best: { readonly meaning: string; readonly end: number } | null = null
    for (const [meaning, phrases] of known) {
      for (const phrase of phrases) {
        const words = phrase.split(" ")
        const isHere = words.every((word, index) => {
          const token = this.#tokens[start + index]
          return token !== undefined && !token.isQuoted && token.text.toLowerCase() === word
        })
        if (isHere && start + words.length > (best?.end ?? 0)) best = { meaning, end: start + words.length }
      }
    }
    return best
  }
}

/** A property as a number, where one is needed. */
const asNumber = (what: string, field: Dimension): Dimension =>
  what !== "distinct" && Array.isArray(field) && (field[0] === "prop" || field[0] === "attr")
    ? [field[0], field[1], { ...(field[2] as object | undefined), type: "number" }]
    : field

/** The running unit and those before it. */
const lastUnits = (count: number, unit: string): Clause =>
  count === 1
    ? ["time-interval", "created_at", "current", unit]
    : ["time-interval", "created_at", 1 - count, unit, { "include-current": true }]

/** The first and the last day of a day, a month or a year. */
const daysOf = (text: string): readonly [string, string] | null => {
  const [, year, month, day] = /^(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$/.exec(text) ?? []
  if (year === undefined) return null
  try {
    if (month === undefined) return [`${year}-01-01`, `${year}-12-31`]
    const first = Temporal.PlainDate.from(`${year}-${month}-${day ?? "01"}`)
    const last = day === undefined ? first.with({ day: first.daysInMonth }) : first
    return [first.toString(), last.toString()]
  } catch {
    return null
  }
}

const MONTHS = [
  ...["January", "February", "March", "April", "May", "June"],
  ...["July", "August", "September", "October", "November", "December"]
]

/** Why a day or month that is written like one does not exist; null for other text. */
const impossibleDay = (text: string): string | null => {
  const [, year, month, day] = /^(\d{4})-(\d\d)(?:-(\d\d))?$/.exec(text) ?? []
  if (year === undefined) return null
  const name = MONTHS[Number(month) - 1]
  if (name === undefined) return `There is no month ${month}: give one from 01 to 12.`
  const { daysInMonth } = Temporal.PlainYearMonth.from(`${year}-${month}`)
  if (day === undefined || (Number(day) >= 1 && Number(day) <= daysInMonth)) return null
  return `There is no day ${day} of this month: ${name}${name === "February" ? ` ${year}` : ""} has ${daysInMonth} days.`
}

/** Both `a or b is 3` and `a is 3 or b is 4` would join conditions, which a sentence can't. */
const OR_JOINS_VALUES =
  'In a sentence, "or" stands between values, as in country is DE or FR, and conditions are joined with "and". A question in JSON can join conditions with "or".'

/**
 * Reads a question in a sentence, such as `count of signup by plan over last 30 days`. Without a range, it is about the last 30 days.
 * Parts: what to compute (`of` an event), `where`, `by`, `over`, `on` a site, `in` a currency, `top`.
 */
export const parseSentence = (sentence: string): Result.Result<Query, SentenceProblem> => {
  if (sentence.length > MAX_LENGTH) {
    return Result.fail({ at: MAX_LENGTH + 1, detail: `A sentence has at most ${MAX_LENGTH} characters.` })
  }
  return Result.flatMap(tokensOf(sentence), (tokens) => {
    try {
      return Result.succeed(new Parser(tokens, sentence.length + 1).query())
    } catch (error) {
      if (error instanceof Misunderstood) return Result.fail({ at: error.at, detail: error.message })
      throw error
    }
  })
}
