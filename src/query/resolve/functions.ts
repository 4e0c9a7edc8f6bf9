import { isZone } from "../../lib/timeZone.ts"
import { printFormula } from "../formula/print.ts"
import { below, FqlError } from "../fql/FqlError.ts"
import { didYouMean } from "../fql/suggest.ts"
import {
  call,
  EXTRACTION_UNITS,
  type Expression,
  type FunctionName,
  typeOf,
  type ValueType,
  value
} from "../plan/plan.ts"
import { isoOf, offsetsOf, wallTime } from "../plan/time.ts"
import { extracted, truncated } from "./dimensions.ts"
import { isNumber, isTime, mismatch, resolveOperand } from "./expressions.ts"
import { resolveFilter } from "./filters.ts"
import { momentOf, truncationUnit, wholeNumber } from "./moments.ts"
import { checkPattern } from "./patterns.ts"
import type { SelectScope } from "./SelectScope.ts"

export interface Call {
  readonly scope: SelectScope
  readonly name: string
  readonly args: ReadonlyArray<unknown>
  readonly pointer: string
}

type Maker = (given: Call) => Expression

/** Whether an argument is text that was probably meant as a field. */
const isLikeField = (scope: SelectScope, given: unknown): given is string =>
  typeof given === "string" && scope.hasField(given)

const asField = (name: string): string => `The field is \`["field", ${JSON.stringify(name)}]\`.`

/** An argument: text in it is text, also where a field has this name. */
const argument = ({ name, scope }: Call, given: unknown, pointer: string): Expression => {
  if (isLikeField(scope, given)) {
    scope.build.warn({
      code: "text-like-field",
      detail: `\`${given}\` in \`${name}\` is text. ${asField(given)}`
    })
  }
  return resolveOperand(scope, given, pointer)
}

const at = (given: Call, index: number): Expression =>
  argument(given, given.args[index], below(given.pointer, index + 1))

/** The error for an argument of the wrong type. */
const wrongArgument = (given: Call, index: number, expected: string, found: Expression): FqlError => {
  const { code, detail, pointer } = mismatch(below(given.pointer, index + 1), `\`${given.name}\``, expected, found)
  const raw = given.args[index]
  return new FqlError(code, pointer, isLikeField(given.scope, raw) ? `${detail} ${asField(raw)}` : detail)
}

const checkCount = (given: Call, least: number, most = least): void => {
  const { args, name, pointer } = given
  if (args.length >= least && args.length <= most) return
  const expected =
    least === most ? String(least) : most === Number.POSITIVE_INFINITY ? `at least ${least}` : `${least} to ${most}`
  throw new FqlError(
    "bad-ast",
    pointer,
    `\`${name}\` takes ${expected} argument${expected === "1" ? "" : "s"}, not ${args.length}.`
  )
}

const number = (given: Call, index: number): Expression => {
  const found = at(given, index)
  if (!isNumber(found)) throw wrongArgument(given, index, "a number", found)
  return found
}

/** Text, or a number as text. */
const text = (given: Call, index: number): Expression => {
  const found = at(given, index)
  const type = typeOf(found)
  if (type === "text") return found
  if (type === "uuid" || isNumber(found)) return call("to-text", "text", found)
  throw mismatch(below(given.pointer, index + 1), `\`${given.name}\``, "text", found)
}

const time = (given: Call, index: number): Expression => {
  const raw = given.args[index]
  const pointer = below(given.pointer, index + 1)
  if (isLikeField(given.scope, raw)) throw wrongArgument(given, index, "a time", value("text", raw))
  if (typeof raw === "string")
    return value("instant", isoOf(momentOf(given.scope.build, raw, pointer).from.toInstant()))
  const found = at(given, index)
  if (!isTime(found)) throw mismatch(pointer, `\`${given.name}\``, "a time", found)
  return found
}

const string = (given: Call, index: number, what: string): string => {
  const found = given.args[index]
  if (typeof found === "string") return found
  throw new FqlError("bad-ast", below(given.pointer, index + 1), `\`${given.name}\` needs ${what} here, in quotes.`)
}

const isWhole = (expression: Expression) => typeOf(expression) === "integer"
const asFloat = (expression: Expression) =>
  typeOf(expression) === "float" ? expression : call("to-float", "float", expression)

/** Whole numbers stay whole; anything else becomes a double. */
const arithmetic =
  (name: "add" | "subtract" | "multiply"): Maker =>
  (given) => {
    checkCount(given, name === "subtract" ? 1 : 2, Number.POSITIVE_INFINITY)
    const numbers = given.args.map((_, index) => number(given, index))
    if (numbers.length === 1) return call("negate", typeOf(numbers[0]!), numbers[0]!)
    const isInteger = numbers.every(isWhole)
    const same = isInteger ? numbers : numbers.map(asFloat)
    return same.slice(1).reduce((left, right) => call(name, isInteger ? "integer" : "float", left, right), same[0]!)
  }

const division: Maker = (given) => {
  checkCount(given, 2, Number.POSITIVE_INFINITY)
  const numbers = given.args.map((_, index) => asFloat(number(given, index)))
  return numbers.slice(1).reduce((left, right) => call("divide", "float", left, right), numbers[0]!)
}

/** A function of one number. */
const ofNumber =
  (name: FunctionName, type: "same" | "float" | "integer"): Maker =>
  (given) => {
    checkCount(given, 1)
    const of = number(given, 0)
    return type === "same" ? call(name, typeOf(of), of) : call(name, type, asFloat(of))
  }

const round: Maker = (given) => {
  checkCount(given, 1, 2)
  const of = number(given, 0)
  if (given.args.length === 1) return isWhole(of) ? of : call("round", "integer", asFloat(of))
  const digits = wholeNumber(given.args[1], below(given.pointer, 2))
  if (digits < 0 || digits > 10)
    throw new FqlError("out-of-range", below(given.pointer, 2), "Round to 0 to 10 decimal places.")
  return call("round-to", "float", asFloat(of), value("integer", digits))
}

const ofText =
  (name: FunctionName, type: ValueType = "text"): Maker =>
  (given) => {
    checkCount(given, 1)
    return call(name, type, text(given, 0))
  }

/** Values as one type: the common one, or doubles where numbers differ. */
const inCommon = (values: ReadonlyArray<Expression>, pointer: string): ReadonlyArray<Expression> => {
  const known = values.filter(({ kind }) => kind !== "null")
  const types = new Set(known.map(typeOf))
  if (types.size === 0) throw new FqlError("bad-ast", pointer, "At least one value must not be null.")
  const type = types.size === 1 ? typeOf(known[0]!) : known.every(isNumber) ? "float" : null
  if (type === null) {
    throw new FqlError(
      "type-mismatch",
      pointer,
      "All values must be of the same type: all text, all numbers, all times or all yes/no."
    )
  }
  return values.map((one) => (one.kind === "null" ? { kind: "null", type } : types.size === 1 ? one : asFloat(one)))
}

const valueOrNull = (given: Call, raw: unknown, pointer: string): Expression =>
  raw === null ? { kind: "null", type: "text" } : argument(given, raw, pointer)

const coalesce: Maker = (given) => {
  checkCount(given, 1, 20)
  const values = inCommon(
    given.args.map((_, index) => at(given, index)),
    given.pointer
  )
  return call("coalesce", typeOf(values[0]!), ...values)
}

const cases = (given: Call, pairs: ReadonlyArray<readonly [Expression, Expression]>, last: Expression): Expression => {
  const values = inCommon([...pairs.map(([, then]) => then), last], given.pointer)
  const type = typeOf(values[0]!)
  return call("case", type, ...pairs.flatMap(([when], index) => [when, values[index]!]), values.at(-1)!)
}

/** `["case", [[condition, value], …], {"default": value}]`. */
const caseOf: Maker = (given) => {
  checkCount(given, 1, 2)
  const [pairs, options] = given.args
  if (!Array.isArray(pairs) || pairs.length === 0 || pairs.length > 50) {
    throw new FqlError("bad-ast", below(given.pointer, 1), "`case` needs 1 to 50 pairs of a condition and a value.")
  }
  const resolved = pairs.map((pair, index) => {
    const pointer = below(given.pointer, 1, index)
    if (!Array.isArray(pair) || pair.length !== 2)
      throw new FqlError("bad-ast", pointer, "This is not a pair of a condition and a value.")
    return [
      resolveFilter(given.scope, pair[0], below(pointer, 0)),
      valueOrNull(given, pair[1], below(pointer, 1))
    ] as const
  })
  return cases(given, resolved, defaultOf(given, options))
}

const defaultOf = (given: Call, options: unknown): Expression => {
  if (options === undefined || options === null) return { kind: "null", type: "text" }
  const pointer = below(given.pointer, 2)
  if (typeof options !== "object" || Array.isArray(options) || Object.keys(options).some((key) => key !== "default")) {
    throw new FqlError("bad-ast", pointer, 'The only option of `case` is {"default": value}.')
  }
  const fallback = (options as { readonly default?: unknown }).default
  return fallback === undefined
    ? { kind: "null", type: "text" }
    : valueOrNull(given, fallback, below(pointer, "default"))
}

const ifOf: Maker = (given) => {
  checkCount(given, 2, 41)
  const { args, pointer, scope } = given
  const pairs: Array<readonly [Expression, Expression]> = []
  for (let index = 0; index + 1 < args.length; index += 2) {
    pairs.push([
      resolveFilter(scope, args[index], below(pointer, index + 1)),
      valueOrNull(given, args[index + 1], below(pointer, index + 2))
    ])
  }
  const last: Expression =
    args.length % 2 === 1
      ? valueOrNull(given, args.at(-1), below(pointer, args.length))
      : { kind: "null", type: "text" }
  return cases(given, pairs, last)
}

const concat: Maker = (given) => {
  checkCount(given, 2, 20)
  return call("concat", "text", ...given.args.map((_, index) => text(given, index)))
}

const positive = (given: Call, index: number, least: number): Expression => {
  const pointer = below(given.pointer, index + 1)
  const count = wholeNumber(given.args[index], pointer)
  if (count < least) throw new FqlError("out-of-range", pointer, `This must be at least ${least}.`)
  return value("integer", count)
}

const substring: Maker = (given) => {
  checkCount(given, 2, 3)
  const length = given.args.length === 3 ? [positive(given, 2, 0)] : []
  return call("substring", "text", text(given, 0), positive(given, 1, 1), ...length)
}

const replace: Maker = (given) => {
  checkCount(given, 3)
  return call(
    "replace",
    "text",
    text(given, 0),
    value("text", string(given, 1, "text")),
    value("text", string(given, 2, "text"))
  )
}

const regexMatchFirst: Maker = (given) => {
  checkCount(given, 2)
  const pattern = checkPattern(string(given, 1, "a pattern"), below(given.pointer, 2))
  return call("regex-match-first", "text", text(given, 0), value("text", pattern))
}

const splitPart: Maker = (given) => {
  checkCount(given, 3)
  const separator = string(given, 1, "a separator")
  if (separator === "") throw new FqlError("out-of-range", below(given.pointer, 2), "The separator must not be empty.")
  return call("split-part", "text", text(given, 0), value("text", separator), positive(given, 2, 1))
}

const urlParam: Maker = (given) => {
  checkCount(given, 2)
  const name = string(given, 1, "the name of a parameter")
  if (!/^[\w.~-]{1,100}$/.test(name)) {
    throw new FqlError(
      "out-of-range",
      below(given.pointer, 2),
      "The name of a parameter has 1 to 100 letters, digits, `_`, `-`, `.` and `~`."
    )
  }
  return call("url-param", "text", text(given, 0), value("text", `(?:^|[?&])${name.replaceAll(".", "\\.")}=([^&#]*)`))
}

const now: Maker = (given) => {
  checkCount(given, 0)
  return value("instant", isoOf(given.scope.build.context.now))
}

/** As many units from now. */
const relativeDatetime: Maker = ({ args, name, pointer, scope }) =>
  value("instant", isoOf(momentOf(scope.build, [name, ...args], pointer).from.toInstant()))

/** Names of a part of a time in either length: the first three letters, or in full. */
const NAME_MODES = ["short", "full"] as const
type NameMode = (typeof NAME_MODES)[number]

const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
const MONTHS_OF_YEAR = [
  ...["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"],
  "December"
]
const QUARTERS = ["Q1", "Q2", "Q3", "Q4"]

/** One of a function's modes, in upper or lower case. */
const modeOf = <Mode extends string>(given: Call, index: number, modes: ReadonlyArray<Mode>): Mode => {
  const raw = given.args[index]
  const mode = modes.find((one) => typeof raw === "string" && one === raw.toLowerCase())
  if (mode !== undefined) return mode
  const known = modes.map((one) => `\`${one}\``).join(", ")
  throw new FqlError(
    "bad-ast",
    below(given.pointer, index + 1),
    `${JSON.stringify(raw)} is not a mode of \`${given.name}\`: use one of ${known}.`
  )
}

/** The part of a time that a function names. */
const NAMED_PARTS: Readonly<Record<string, string>> = {
  "day-name": "day-of-week",
  "month-name": "month-of-year",
  "quarter-name": "quarter-of-year"
}

/** The error for a time where the number of its part belongs. */
const wholeTime = (given: Call, found: Expression): FqlError => {
  const { code, detail, pointer } = wrongArgument(given, 0, "a number", found)
  const clause = [given.name, ["temporal-extract", given.args[0], NAMED_PARTS[given.name]]]
  const formula = printFormula(clause)
  const inFormula = formula === null ? "" : `; in a formula, \`${formula}\``
  return new FqlError(
    code,
    pointer,
    `${detail} Take the part of the time first, as in \`${clauseText(clause)}\`${inFormula}.`
  )
}

/** A clause as people write it in JSON. */
const clauseText = (clause: unknown): string =>
  Array.isArray(clause) ? `[${clause.map(clauseText).join(", ")}]` : JSON.stringify(clause)

/** The name for a number that counts from 1; null for other numbers. */
const numbered = (given: Call, names: ReadonlyArray<string>): Expression => {
  const of = at(given, 0)
  if (isTime(of)) throw wholeTime(given, of)
  if (!isNumber(of)) throw wrongArgument(given, 0, "a number", of)
  const cases = names.flatMap((name, index) => [
    call("eq", "boolean", of, value("integer", index + 1)),
    value("text", name)
  ])
  return call("case", "text", ...cases, { kind: "null", type: "text" })
}

const named =
  (namesOf: (scope: SelectScope) => ReadonlyArray<string>, usual: NameMode): Maker =>
  (given) => {
    checkCount(given, 1, 2)
    const mode = given.args.length === 1 ? usual : modeOf(given, 1, NAME_MODES)
    const names = namesOf(given.scope)
    return numbered(given, mode === "full" ? names : names.map((name) => name.slice(0, 3)))
  }

/** Weekdays count from the start of the week, as `day-of-week` does. */
const dayName = named(
  ({ build }) => (build.weekStart === "monday" ? WEEKDAYS : [WEEKDAYS.at(-1)!, ...WEEKDAYS.slice(0, -1)]),
  "full"
)

const monthName = named(() => MONTHS_OF_YEAR, "short")

const quarterName: Maker = (given) => {
  checkCount(given, 1)
  return numbered(given, QUARTERS)
}

const today: Maker = (given) => {
  checkCount(given, 0)
  return value("local", wallTime(given.scope.build.context.now.toZonedDateTimeISO(given.scope.build.zone).startOfDay()))
}

const SECONDS: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3_600, day: 86_400, week: 604_800 }
const MONTHS: Readonly<Record<string, number>> = { month: 1, quarter: 3, year: 12 }

/** Every engine knows the times that are so far from those of the years 1 to 9999. */
const MAX_YEARS_ADDED = 4_000
const MAX_ADDED = { months: 12 * MAX_YEARS_ADDED, seconds: 365 * SECONDS["day"]! * MAX_YEARS_ADDED }

/** Adds to the wall-clock time in the report's zone: a day later is the same time of the next day. */
const addTime =
  (sign: 1 | -1): Maker =>
  (given) => {
    checkCount(given, 3)
    const start = given.scope.local(time(given, 0))
    const count = sign * wholeNumber(given.args[1], below(given.pointer, 2))
    const unit = given.args[2] === "second" ? "second" : truncationUnit(given.args[2], below(given.pointer, 3))
    const seconds = SECONDS[unit]
    const added = count * (seconds ?? MONTHS[unit]!)
    if (Math.abs(added) > (seconds === undefined ? MAX_ADDED.months : MAX_ADDED.seconds)) {
      throw new FqlError(
        "out-of-range",
        below(given.pointer, 2),
        `\`${given.name}\` moves a time by at most ${MAX_YEARS_ADDED.toLocaleString("en-US")} years.`
      )
    }
    return call(seconds === undefined ? "add-months" : "add-seconds", "local", start, value("integer", added))
  }

/** Whole units from one time to another. */
const difference: Maker = (given) => {
  checkCount(given, 3)
  const { pointer, scope } = given
  const first = time(given, 0)
  const last = time(given, 1)
  const unit = given.args[2] === "second" ? "second" : truncationUnit(given.args[2], below(pointer, 3))
  const isElapsed =
    ["second", "minute", "hour"].includes(unit) && typeOf(first) === "instant" && typeOf(last) === "instant"
  const [from, until] = isElapsed ? [first, last] : [scope.local(first), scope.local(last)]
  const seconds = SECONDS[unit]
  return seconds === undefined
    ? call("months-between", "integer", from, until, value("integer", MONTHS[unit]!))
    : call("seconds-between", "integer", from, until, value("integer", seconds))
}

/** How weeks of the year are numbered, as in Metabase. */
const WEEK_MODES = ["iso", "us", "instance"] as const

/**
 * The number of a time's week. `iso`: weeks begin on Monday, and the first one has a Thursday; `us`: the first one begins on 1 January, and the
 * others on Sunday; `instance`: the first one begins on 1 January, and the others on the first day of the week.
 */
const weekOfYear = (given: Call, mode: (typeof WEEK_MODES)[number]): Expression => {
  const { scope } = given
  const of = time(given, 0)
  if (mode !== "instance" || scope.build.weekStart === "sunday")
    return extracted(scope, of, "week-of-year", mode === "iso" ? "monday" : "sunday")
  const dayOfYear = extracted(scope, of, "day-of-year")
  const firstWeekday = extracted(scope, truncated(scope, of, "year"), "day-of-week")
  // Days since the Monday of the week with 1 January.
  const days = call("add", "integer", dayOfYear, firstWeekday, value("integer", -2))
  const weeks = call("floor", "integer", call("divide", "float", asFloat(days), value("float", 7)))
  return call("add", "integer", weeks, value("integer", 1))
}

const extract: Maker = (given) => {
  checkCount(given, 2, given.args[1] === "week-of-year" ? 3 : 2)
  const unit = EXTRACTION_UNITS.find((one) => one === given.args[1])
  if (unit !== undefined && given.args.length === 3) return weekOfYear(given, modeOf(given, 2, WEEK_MODES))
  if (unit !== undefined) return extracted(given.scope, time(given, 0), unit)
  const meant = didYouMean(String(given.args[1]), EXTRACTION_UNITS)
  throw new FqlError("bad-unit", below(given.pointer, 2), `Use one of ${EXTRACTION_UNITS.join(", ")}.${meant}`)
}

const date: Maker = (given) => {
  checkCount(given, 1)
  return truncated(given.scope, time(given, 0), "day")
}

const convertTimezone: Maker = (given) => {
  checkCount(given, 2)
  const of = time(given, 0)
  const zone = string(given, 1, "a time zone")
  if (!isZone(zone)) {
    throw new FqlError(
      "bad-timezone",
      below(given.pointer, 2),
      `\`${zone}\` is not a time zone. Use a name such as \`Europe/Berlin\`.`
    )
  }
  if (typeOf(of) !== "instant") throw mismatch(below(given.pointer, 1), "`convert-timezone`", "a moment", of)
  return { kind: "local", of, offsets: offsetsOf(zone, null, null, given.scope.build.context.now), type: "local" }
}

const toText: Maker = (given) => {
  checkCount(given, 1)
  const of = at(given, 0)
  if (isTime(of)) throw mismatch(below(given.pointer, 1), "`text`", "a number, an id or a yes/no value", of)
  return typeOf(of) === "text" ? of : call("to-text", "text", of)
}

const toNumber =
  (name: "to-integer" | "to-float", type: "integer" | "float"): Maker =>
  (given) => {
    checkCount(given, 1)
    const of = at(given, 0)
    const decimal = typeOf(of) === "text" ? call("text-to-decimal", "decimal", of) : of
    if (!isNumber(decimal)) throw mismatch(below(given.pointer, 1), `\`${given.name}\``, "text or a number", of)
    return typeOf(decimal) === type ? decimal : call(name, type, decimal)
  }

/** Every function of custom columns. */
export const FUNCTIONS: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ["+", arithmetic("add")],
  ["-", arithmetic("subtract")],
  ["*", arithmetic("multiply")],
  ["/", division],
  [
    "%",
    (given) => {
      checkCount(given, 2)
      const numbers = [number(given, 0), number(given, 1)]
      return numbers.every(isWhole)
        ? call("modulo", "integer", ...numbers)
        : call("modulo", "float", ...numbers.map(asFloat))
    }
  ],
  ["abs", ofNumber("abs", "same")],
  ["round", round],
  ["floor", ofNumber("floor", "integer")],
  ["ceil", ofNumber("ceil", "integer")],
  ["sqrt", ofNumber("sqrt", "float")],
  ["log", ofNumber("log", "float")],
  ["exp", ofNumber("exp", "float")],
  [
    "power",
    (given) => {
      checkCount(given, 2)
      return call("power", "float", asFloat(number(given, 0)), asFloat(number(given, 1)))
    }
  ],
  ["coalesce", coalesce],
  ["case", caseOf],
  ["if", ifOf],
  ["concat", concat],
  ["substring", substring],
  ["length", ofText("length", "integer")],
  ["trim", ofText("trim")],
  ["ltrim", ofText("ltrim")],
  ["rtrim", ofText("rtrim")],
  ["lower", ofText("lower")],
  ["upper", ofText("upper")],
  ["replace", replace],
  ["regex-match-first", regexMatchFirst],
  ["split-part", splitPart],
  ["host", ofText("host")],
  ["domain", ofText("domain")],
  ["subdomain", ofText("subdomain")],
  ["path", ofText("path")],
  ["url-param", urlParam],
  ["now", now],
  ["today", today],
  ["relative-datetime", relativeDatetime],
  ["datetime-add", addTime(1)],
  ["datetime-subtract", addTime(-1)],
  ["datetime-diff", difference],
  ["temporal-extract", extract],
  ["day-name", dayName],
  ["month-name", monthName],
  ["quarter-name", quarterName],
  ["date", date],
  ["convert-timezone", convertTimezone],
  ["text", toText],
  ["integer", toNumber("to-integer", "integer")],
  ["float", toNumber("to-float", "float")]
])
