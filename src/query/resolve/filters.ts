import type { ShownValue } from "../../domain/FieldStats.ts"
import { below, FqlError } from "../fql/FqlError.ts"
import { type Clause, LIMITS } from "../fql/schema.ts"
import { didYouMean, suggestion } from "../fql/suggest.ts"
import { viewOf } from "../metadata/views.ts"
import { call, columnOf, type Expression, type Select, typeOf, type ValueType, value } from "../plan/plan.ts"
import { wallTimeBound } from "../plan/time.ts"
import { isDimension, resolveDimension } from "./dimensions.ts"
import { constant, isNumber, isTime, mismatch, resolveExpression, resolveOperand, typeName } from "./expressions.ts"
import { FUNCTIONS } from "./functions.ts"
import {
  intervalOf,
  isClause,
  momentOf,
  type Period,
  shiftedIntervalOf,
  truncationUnit,
  wholeNumber
} from "./moments.ts"
import { checkPattern, inGroup, wildcardPattern } from "./patterns.ts"
import { isReversed, parseUuid, rangeOf, reversed } from "./ranges.ts"
import { type Build, type Labeled, SelectScope } from "./SelectScope.ts"
import { meantValue, noteUnlikely } from "./values.ts"

interface Condition {
  readonly scope: SelectScope
  readonly name: string
  readonly args: ReadonlyArray<unknown>
  readonly pointer: string
}

type Maker = (given: Condition) => Expression

const boolean = (name: Parameters<typeof call>[0], ...args: ReadonlyArray<Expression>) => call(name, "boolean", ...args)
const TRUE = value("boolean", true)
const isNull = (expression: Expression) => boolean("is-null", expression)
const either = (...conditions: ReadonlyArray<Expression>) =>
  conditions.length === 1 ? conditions[0]! : boolean("or", ...conditions)
export const both = (...conditions: ReadonlyArray<Expression>): Expression =>
  conditions.length === 0 ? TRUE : conditions.length === 1 ? conditions[0]! : boolean("and", ...conditions)

/** The operand of a filter: a string is a field's name. */
const labeledOperand = ({ args, name, pointer, scope }: Condition): Labeled => {
  const [given] = args
  if (given === undefined) throw new FqlError("bad-ast", pointer, `\`${name}\` needs a field.`)
  return typeof given === "string"
    ? resolveDimension(scope, given, below(pointer, 1))
    : resolveExpression(scope, given, below(pointer, 1))
}

const operand = (given: Condition): Expression => labeledOperand(given).expression

const valuesOf = ({ args, name, pointer }: Condition): ReadonlyArray<unknown> => {
  const values = args.slice(1)
  if (values.length === 0) throw new FqlError("bad-ast", pointer, `\`${name}\` needs at least one value.`)
  if (values.length > LIMITS.values) {
    throw new FqlError(
      "limit-exceeded",
      pointer,
      `\`${name}\` has ${values.length} values; at most ${LIMITS.values} are accepted.`
    )
  }
  return values
}

/** A number as text has it. */
const NUMBER_TEXT = /^-?\d+(?:\.\d+)?$/

/** A constant as a property of this type has it. New values may change the type at any time, so either way to write one is understood. */
const asProperty = (type: ValueType, given: unknown): unknown => {
  if (type === "text") return typeof given === "number" || typeof given === "boolean" ? String(given) : given
  if (typeof given !== "string") return given
  if (type === "boolean") return given === "true" || given === "false" ? given === "true" : given
  return NUMBER_TEXT.test(given) ? Number(given) : given
}

/** A constant of the type of a condition's operand. `meant`: the value that was probably meant. */
const constantLike = (
  of: Expression,
  written: unknown,
  { args: [field], name }: Condition,
  pointer: string,
  meant: ShownValue | null = null
): Expression => {
  const type = typeOf(of)
  const isProperty = Array.isArray(field) && (field[0] === "prop" || field[0] === "attr")
  const given = isProperty ? asProperty(type, written) : written
  const found = constant(given, pointer)
  const id = type === "uuid" && typeof given === "string" ? parseUuid(given) : null
  if (id !== null) return value("uuid", id)
  if (isNumber(of) ? isNumber(found) : type === typeOf(found)) return found
  throw new FqlError(
    "type-mismatch",
    pointer,
    `\`${name}\` compares ${typeName(of)} with ${JSON.stringify(written)}, which is ${type === "uuid" ? "not an id" : typeName(found)}.${suggestion(meant)}`
  )
}

/** Whether a time lies in a period. */
const within = (of: Expression, period: Period): Expression => {
  const bounds: Array<Expression> = []
  if (typeOf(of) === "instant") {
    const { from, until } = rangeOf(period)
    if (from !== null) bounds.push(boolean("ge", of, value("instant", from)))
    if (until !== null) bounds.push(boolean("lt", of, value("instant", until)))
  } else {
    if (period.from !== null) bounds.push(boolean("ge", of, value("local", wallTimeBound(period.from))))
    if (period.until !== null) bounds.push(boolean("lt", of, value("local", wallTimeBound(period.until))))
  }
  return both(...bounds)
}

/** `=` with one value or several; null means the rows without a value. */
const equals = (given: Condition): Expression => {
  const { pointer, scope } = given
  const { expression: of, label } = labeledOperand(given)
  const values = valuesOf(given)
  const known = values.filter((one) => one !== null)
  const parts: Array<Expression> = known.length < values.length ? [isNull(of)] : []
  if (isEventName(of)) for (const one of known) if (typeof one === "string") scope.build.events.add(one)
  const position = (one: unknown) => below(pointer, values.indexOf(one) + 2)
  if (isTime(of))
    parts.push(
      ...known.map((one) =>
        isClause(one) ? equal(scope, of, one, position(one)) : within(of, momentOf(scope.build, one, position(one)))
      )
    )
  else {
    const clauses = known.filter((one) => Array.isArray(one))
    parts.push(...clauses.map((one) => equal(scope, of, one, position(one))))
    const constants = known
      .filter((one) => !Array.isArray(one))
      .map((one) => {
        const meant = meantValue(scope.build, label, one)
        const like = constantLike(of, one, given, position(one), meant)
        noteUnlikely(scope.build, label, one, meant)
        return like
      })
    // No list of whole numbers can hold a fraction.
    const isFraction = (one: Expression) => typeOf(of) === "integer" && typeOf(one) === "float"
    const listed = constants.filter((one) => !isFraction(one))
    if (listed.length > 0) parts.push(oneOf(of, listed))
    parts.push(...constants.filter(isFraction).map((one) => boolean("eq", of, one)))
  }
  return either(...parts)
}

const isEventName = (of: Expression): boolean =>
  of.kind === "column" &&
  of.column === "event_name" &&
  of.relation.source.kind === "view" &&
  of.relation.source.view === "v_pa_events"

const oneOf = (of: Expression, constants: ReadonlyArray<Expression>): Expression => ({
  kind: "in",
  of,
  values: constants.flatMap((one) => (one.kind === "value" ? [one.value] : []))
})

/** Whether two expressions have the same value. */
const equal = (scope: SelectScope, left: Expression, given: unknown, pointer: string): Expression => {
  const right = resolveOperand(scope, given, pointer)
  return boolean("eq", ...comparable(scope, left, right, "`=`", pointer))
}

/** Two expressions as one type. */
const comparable = (
  scope: SelectScope,
  left: Expression,
  right: Expression,
  what: string,
  pointer: string
): ReadonlyArray<Expression> => {
  if (typeOf(left) === typeOf(right) || (isNumber(left) && isNumber(right))) return [left, right]
  if (isTime(left) && isTime(right)) return [scope.local(left), scope.local(right)]
  throw new FqlError("type-mismatch", pointer, `${what} compares ${typeName(left)} with ${typeName(right)}.`)
}

/** Negative conditions keep the rows without a value. */
const notTrue = (condition: Expression): Expression => boolean("is-not-true", condition)

const differs: Maker = (given) => {
  const hasNull = given.args.slice(1).includes(null)
  const found = equals(given)
  return hasNull ? boolean("not", found) : notTrue(found)
}

const ORDER = { "<": "lt", "<=": "le", ">": "gt", ">=": "ge" } as const

const compares =
  (operator: keyof typeof ORDER): Maker =>
  (given) => {
    const { pointer, scope } = given
    const of = operand(given)
    const values = valuesOf(given)
    if (values.length !== 1) throw new FqlError("bad-ast", pointer, `\`${operator}\` takes one value.`)
    const [other] = values
    const at = below(pointer, 2)
    if (isTime(of) && !isClause(other)) {
      const { from, until } = momentOf(scope.build, other, at)
      const period = {
        "<": { from: null, until: from },
        "<=": { from: null, until },
        ">": { from: until, until: null },
        ">=": { from, until: null }
      }[operator]
      return within(of, period)
    }
    if (!isNumber(of) && !isTime(of)) throw mismatch(below(pointer, 1), `\`${operator}\``, "a number or a time", of)
    const right = Array.isArray(other) ? resolveOperand(scope, other, at) : constantLike(of, other, given, at)
    return boolean(ORDER[operator], ...comparable(scope, of, right, `\`${operator}\``, at))
  }

const between: Maker = (given) => {
  const { args, pointer, scope } = given
  if (args.length !== 3) throw new FqlError("bad-ast", pointer, "`between` takes a field and two values.")
  const of = operand(given)
  if (isTime(of)) {
    const from = momentOf(scope.build, args[1], below(pointer, 2)).from
    const period = { from, until: momentOf(scope.build, args[2], below(pointer, 3)).until }
    if (isReversed(period)) scope.build.warn(reversed(args, "after"))
    return within(of, period)
  }
  if (!isNumber(of)) throw mismatch(below(pointer, 1), "`between`", "a number or a time", of)
  const bound = (index: number) =>
    Array.isArray(args[index])
      ? resolveOperand(scope, args[index], below(pointer, index + 1))
      : constantLike(of, args[index], given, below(pointer, index + 1))
  const [least, most] = [bound(1), bound(2)]
  if (least.kind === "value" && most.kind === "value" && Number(least.value) > Number(most.value))
    scope.build.warn(reversed(args, "more than"))
  return both(
    boolean("ge", ...comparable(scope, of, least, "`between`", pointer)),
    boolean("le", ...comparable(scope, of, most, "`between`", pointer))
  )
}

/** The operand as text, and the strings that follow it. Options may come last. */
const textArguments = (
  given: Condition
): {
  readonly of: Expression
  readonly strings: ReadonlyArray<readonly [string, string]>
  readonly isCaseSensitive: boolean
} => {
  const { args, name, pointer } = given
  const of = operand(given)
  if (typeOf(of) !== "text") throw mismatch(below(pointer, 1), `\`${name}\``, "text", of)
  const last = args.at(-1)
  const hasOptions = args.length > 1 && typeof last === "object" && last !== null && !Array.isArray(last)
  const values = valuesOf({ ...given, args: hasOptions ? args.slice(0, -1) : args })
  const strings = values.map((one, index) => {
    if (typeof one === "string") return [one, below(pointer, index + 2)] as const
    throw new FqlError(
      "type-mismatch",
      below(pointer, index + 2),
      `\`${name}\` compares text with ${JSON.stringify(one)}, which is not text.`
    )
  })
  return { of, strings, isCaseSensitive: hasOptions && caseSensitive(last, below(pointer, args.length)) }
}

const caseSensitive = (options: object, pointer: string): boolean => {
  const { "case-sensitive": flag, ...others } = options as Readonly<Record<string, unknown>>
  if (Object.keys(others).length === 0 && (flag === undefined || typeof flag === "boolean")) return flag === true
  throw new FqlError("bad-ast", pointer, "The only option here is `case-sensitive`, true or false.")
}

const textTest =
  (test: "contains" | "starts-with" | "ends-with"): Maker =>
  (given) => {
    const { isCaseSensitive, of, strings } = textArguments(given)
    const name = isCaseSensitive ? test : (`${test}-any-case` as const)
    return either(...strings.map(([part]) => boolean(name, of, value("text", part))))
  }

const patternTest: Maker = (given) => {
  const { isCaseSensitive, of, strings } = textArguments(given)
  const name = isCaseSensitive ? "matches-case" : "matches"
  return either(...strings.map(([pattern, at]) => boolean(name, of, value("text", inGroup(checkPattern(pattern, at))))))
}

const wildcard: Maker = (given) => {
  const { of, strings } = textArguments(given)
  return either(...strings.map(([glob, at]) => boolean("matches-case", of, value("text", wildcardPattern(glob, at)))))
}

const negated =
  (test: Maker): Maker =>
  (given) =>
    notTrue(test(given))

const onlyField = (given: Condition): Expression => {
  if (given.args.length !== 1)
    throw new FqlError("bad-ast", given.pointer, `\`${given.name}\` takes a field and nothing else.`)
  return operand(given)
}

const isEmpty: Maker = (given) => {
  const of = onlyField(given)
  if (typeOf(of) !== "text") throw mismatch(below(given.pointer, 1), `\`${given.name}\``, "text", of)
  return either(isNull(of), { kind: "in", of, values: [""] })
}

const combined =
  (name: "and" | "or"): Maker =>
  ({ args, pointer, scope }) => {
    if (args.length === 0) throw new FqlError("bad-ast", pointer, `\`${name}\` needs at least one condition.`)
    const conditions = args.map((one, index) => resolveFilter(scope, one, below(pointer, index + 1)))
    return conditions.length === 1 ? conditions[0]! : boolean(name, ...conditions)
  }

const not: Maker = ({ args, pointer, scope }) => {
  if (args.length !== 1) throw new FqlError("bad-ast", pointer, "`not` takes one condition.")
  return notTrue(resolveFilter(scope, args[0], below(pointer, 1)))
}

const interval =
  (read: (build: Build, args: ReadonlyArray<unknown>, pointer: string) => Period): Maker =>
  (given) => {
    const of = operand(given)
    if (!isTime(of)) throw mismatch(below(given.pointer, 1), `\`${given.name}\``, "a time", of)
    return within(of, read(given.scope.build, given.args.slice(1), given.pointer))
  }

const saved =
  (what: "segment" | "cohort"): Maker =>
  ({ args, pointer, scope }) => {
    const [id] = args
    const known = what === "segment" ? scope.build.context.segments : scope.build.context.cohorts
    const filter = typeof id === "string" && args.length === 1 ? known.get(id.toLowerCase()) : undefined
    if (filter === undefined) {
      const shown = JSON.stringify(id) ?? ""
      const detail =
        typeof id === "string" && scope.build.context.trashed.has(id.toLowerCase())
          ? `The ${what} ${shown} is in the trash. Restore it to use it.`
          : `There is no ${what} ${shown}.`
      throw new FqlError("not-found", below(pointer, 1), detail)
    }
    return what === "segment" ? resolveFilter(scope, filter, pointer) : didOf(scope, filter, {}, pointer)
  }

/** `["did", filter, {"min": 2, "within": {"n": 7, "unit": "day"}}]`: visitors with at least so many matching events. */
const did: Maker = ({ args, pointer, scope }) => {
  const [filter, options = {}] = args
  if (args.length < 1 || args.length > 2 || typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new FqlError(
      "bad-ast",
      pointer,
      'Write ["did", condition] or ["did", condition, {"min": 2, "within": {"n": 7, "unit": "day"}}].'
    )
  }
  return didOf(scope, filter, options as Readonly<Record<string, unknown>>, pointer)
}

const visited: Maker = ({ args, pointer, scope }) => {
  const [path] = args
  if (args.length !== 1 || typeof path !== "string")
    throw new FqlError("bad-ast", pointer, 'Write ["visited", "/path"]; `*` stands for any text.')
  return didOf(scope, ["and", ["=", "event_type", 1], ["wildcard", "url_path", path]], {}, pointer)
}

const didOf = (
  scope: SelectScope,
  filter: unknown,
  options: Readonly<Record<string, unknown>>,
  pointer: string
): Expression => {
  const build = { ...scope.build, within: scope.build.within + 1 }
  if (build.within > LIMITS.did)
    throw new FqlError(
      "limit-exceeded",
      pointer,
      `Conditions with \`did\` may be nested at most ${LIMITS.did} levels deep.`
    )
  const { min = 1, within: span, ...others } = options
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw new FqlError("bad-ast", below(pointer, 2), `There is no option \`${unknown}\`; use min and within.`)
  const least = wholeNumber(min, below(pointer, 2, "min"))
  if (least < 1)
    throw new FqlError(
      "out-of-range",
      below(pointer, 2, "min"),
      "`min` is a whole number from 1: negate the condition for visitors who have no such event."
    )
  const range = span === undefined ? scope.rows.range : rangeOf(spanPeriod(build, span, below(pointer, 2, "within")))
  const rows = { sites: scope.rows.sites, range }
  const inner = new SelectScope(
    build,
    { alias: build.alias(), source: { kind: "view", view: "v_pa_events", scope: rows, used: new Set() } },
    rows,
    viewOf("v_pa_events"),
    {}
  )
  const where = resolveFilter(inner, filter, below(pointer, 1))
  const session = columnOf(inner.from, "session_id", "uuid")
  const select = grouped(inner, where, session, least)
  return { kind: "among", of: scope.visitor(pointer), select: least <= 1 ? select : atLeast(build, select, least) }
}

const spanPeriod = (build: Build, given: unknown, pointer: string): Period => {
  const { n, unit } = (typeof given === "object" && given !== null ? given : {}) as Readonly<Record<string, unknown>>
  return intervalOf(
    build,
    [
      -Math.abs(wholeNumber(n, below(pointer, "n"))),
      truncationUnit(unit, below(pointer, "unit")),
      { "include-current": true }
    ],
    pointer
  )
}

/** The visitors with a matching row, with the number of such rows if it matters. */
const grouped = (scope: SelectScope, where: Expression, session: Expression, least: number): Select => ({
  from: scope.from,
  joins: scope.joins,
  where: [where],
  columns: [
    { alias: "c0", expression: session },
    ...(least <= 1
      ? []
      : [
          {
            alias: "c1",
            expression: { kind: "aggregate", name: "count", of: null, where: null, type: "integer" } as const
          }
        ])
  ],
  groupBy: 1,
  isDistinct: false,
  orderBy: [],
  limit: null,
  offset: 0
})

const atLeast = (build: Build, select: Select, least: number): Select => {
  const relation = { alias: build.alias(), source: { kind: "select", select } } as const
  return {
    ...select,
    from: relation,
    joins: [],
    where: [boolean("ge", columnOf(relation, "c1", "integer"), value("integer", least))],
    columns: [{ alias: "c0", expression: columnOf(relation, "c0", "uuid") }],
    groupBy: null
  }
}

/** Every operator of filters. */
export const FILTERS: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ["=", equals],
  ["!=", differs],
  ["in", equals],
  ["<", compares("<")],
  ["<=", compares("<=")],
  [">", compares(">")],
  [">=", compares(">=")],
  ["between", between],
  ["contains", textTest("contains")],
  ["does-not-contain", negated(textTest("contains"))],
  ["starts-with", textTest("starts-with")],
  ["ends-with", textTest("ends-with")],
  ["is-null", (given) => isNull(onlyField(given))],
  ["not-null", (given) => boolean("not", isNull(onlyField(given)))],
  ["is-empty", isEmpty],
  ["not-empty", (given) => boolean("not", isEmpty(given))],
  ["matches", patternTest],
  ["does-not-match", negated(patternTest)],
  ["wildcard", wildcard],
  ["and", combined("and")],
  ["or", combined("or")],
  ["not", not],
  ["time-interval", interval(intervalOf)],
  ["relative-time-interval", interval(shiftedIntervalOf)],
  ["segment", saved("segment")],
  ["cohort", saved("cohort")],
  ["visited", visited],
  ["did", did],
  ["did-not", negated(did)]
])

/** Operators under their names in other languages, to suggest Footfall's. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "=": ["equals", "equal", "eq", "is", "=="],
    "!=": ["not-equals", "not-equal", "neq", "ne", "is-not", "<>", "not-in"],
    "<": ["lt"],
    "<=": ["lte", "le"],
    ">": ["gt"],
    ">=": ["gte", "ge"],
    wildcard: ["like"],
    matches: ["regex"],
    "not-null": ["is-not-null"],
    "not-empty": ["is-not-empty"],
    and: ["&&"],
    or: ["||"],
    not: ["!"]
  }).flatMap(([name, others]) => others.map((other) => [other, name] as const))
)

/** A condition per row. */
export const resolveFilter = (scope: SelectScope, given: unknown, pointer: string): Expression => {
  scope.build.countFilter(pointer)
  if (typeof given === "boolean") return value("boolean", given)
  if (typeof given === "string" || isDimension(given))
    return truth(resolveDimension(scope, given, pointer).expression, pointer)
  if (!Array.isArray(given) || typeof given[0] !== "string") {
    throw new FqlError("bad-ast", pointer, 'A condition is an array such as ["=", "country", "DE"].')
  }
  const [name, ...args] = given as unknown as Clause
  const make = FILTERS.get(name)
  if (make !== undefined) return make({ scope, name, args, pointer })
  if (FUNCTIONS.has(name)) return truth(resolveExpression(scope, given, pointer).expression, pointer)
  const usual = OTHER_NAMES.get(name.toLowerCase().replaceAll("_", "-"))
  const hint = usual === undefined ? didYouMean(name, FILTERS.keys()) : suggestion(usual)
  throw new FqlError(
    "bad-ast",
    below(pointer, 0),
    `There is no operator \`${name}\`.${hint} The operators are ${[...FILTERS.keys()].map((known) => `\`${known}\``).join(", ")}.`
  )
}

const truth = (expression: Expression, pointer: string): Expression => {
  if (typeOf(expression) === "boolean") return expression
  throw mismatch(pointer, "A condition", "a yes/no value", expression)
}
