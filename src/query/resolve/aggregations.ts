import { FUNCTIONS as FORMULA_FUNCTIONS } from "../formula/names.ts"
import { below, FqlError } from "../fql/FqlError.ts"
import { didYouMean, suggestion } from "../fql/suggest.ts"
import {
  type AggregateName,
  call,
  columnOf,
  type Expression,
  type Relation,
  typeOf,
  type ValueType,
  value
} from "../plan/plan.ts"
import { isoOf, moveBy, startOf, wallTime } from "../plan/time.ts"
import { type Dimension, resolveDimension } from "./dimensions.ts"
import { isNumber, isTime, mismatch, resolveExpression } from "./expressions.ts"
import { resolveFilter } from "./filters.ts"
import { metricOf } from "./metrics.ts"
import { wholeNumber } from "./moments.ts"
import { type Labeled, plainLabel, type SelectScope } from "./SelectScope.ts"

/** Where an aggregate is computed: over the rows, or over the visits that the rows belong to. */
export type Part = "rows" | "visits"

/** A column of the grouped rows. In the part of visits, the expression is over `VisitColumns`. */
export interface Leaf {
  readonly part: Part
  readonly alias: string
  /** Made when the part is built, in its scope. */
  readonly make: (scope: SelectScope, visits: Relation | null) => Expression
  readonly type: ValueType
}

/** The breakout by pages, if there is one: then bounces and time are those of the visits that began on the group's page. */
export const pageAmong = (breakouts: ReadonlyArray<Dimension>): Dimension | null =>
  breakouts.find(({ own }) => own === "url_path" || own === "v_pa_events.url_path") ?? null

/** What the rows are grouped by. A sum of groups by page has no breakouts, but still their page. */
interface GroupedBy {
  readonly breakouts: ReadonlyArray<Dimension>
  readonly page: Dimension | null
}

/** The groups of a question: what its aggregations need of each group. */
export class Grouping {
  /** The rows before grouping. */
  readonly rows: SelectScope
  readonly breakouts: ReadonlyArray<Dimension>
  readonly page: Dimension | null
  /** The grouped rows: columns `b0`, `b1` … and the leaves. */
  readonly relation: Relation
  readonly leaves: Array<Leaf> = []
  readonly #known = new Map<string, Leaf>()

  constructor(rows: SelectScope, { breakouts, page }: GroupedBy, relation: Relation) {
    this.rows = rows
    this.breakouts = breakouts
    this.page = page
    this.relation = relation
  }

  /** A value of each group; the same one for the same key. */
  leaf(key: string, part: Part, type: ValueType, make: Leaf["make"]): Expression {
    let leaf = this.#known.get(key)
    if (leaf === undefined) {
      leaf = { part, alias: `a${this.leaves.length}`, make, type }
      this.leaves.push(leaf)
      this.#known.set(key, leaf)
    }
    return columnOf(this.relation, leaf.alias, leaf.type)
  }

  breakoutColumn(index: number): Expression {
    return columnOf(this.relation, `b${index}`, typeOf(this.breakouts[index]!.expression))
  }
}

interface Call {
  readonly grouping: Grouping
  /** The scope after grouping, where an aggregation's arguments may be aggregations. */
  readonly after: SelectScope
  readonly name: string
  readonly args: ReadonlyArray<unknown>
  readonly pointer: string
}

type Maker = (given: Call) => Labeled

const checkCount = ({ args, name, pointer }: Call, least: number, most: number): void => {
  if (args.length >= least && args.length <= most) return
  const expected = least === most ? String(least) : `${least} or ${most}`
  throw new FqlError(
    "bad-ast",
    pointer,
    `\`${name}\` takes ${expected} argument${expected === "1" ? "" : "s"}, not ${args.length}.`
  )
}

/** An aggregation's argument: a field's name, or an expression. */
const argumentOf = (scope: SelectScope, given: unknown, pointer: string): Labeled =>
  typeof given === "string" ? resolveDimension(scope, given, pointer) : resolveExpression(scope, given, pointer)

const labels = (name: string, of: Labeled | null, display: string): Labeled["label"] => ({
  ...plainLabel(name, of === null ? display : `${display} ${of.label.display}`),
  semantic: of?.label.semantic ?? null,
  unit: of?.label.unit ?? null
})

/** An aggregate over rows. Its argument is resolved now, so that its errors are found whatever part is built. */
const overRows = (
  given: Call,
  name: AggregateName,
  type: (of: Expression | null) => ValueType,
  operand: { readonly of: number | null; readonly where: number | null; readonly fraction?: number },
  display: string
): Labeled => {
  const { args, grouping, name: clause, pointer } = given
  const resolve = (scope: SelectScope) => ({
    of: operand.of === null ? null : argumentOf(scope, args[operand.of], below(pointer, operand.of + 1)),
    where: operand.where === null ? null : resolveFilter(scope, args[operand.where], below(pointer, operand.where + 1))
  })
  const { of, where } = resolve(grouping.rows)
  const result = type(of?.expression ?? null)
  const expression: Expression = {
    kind: "aggregate",
    name,
    of: of?.expression ?? null,
    where,
    ...(operand.fraction !== undefined && { fraction: operand.fraction }),
    type: result
  }
  return {
    expression: grouping.leaf(JSON.stringify([clause, ...args]), "rows", result, () => expression),
    label: labels(clause.replaceAll("-", "_"), of, display)
  }
}

const numeric =
  (given: Call, result: "same" | "float") =>
  (of: Expression | null): ValueType => {
    if (of === null || !isNumber(of))
      throw of === null
        ? new FqlError("bad-ast", given.pointer, `\`${given.name}\` needs a field.`)
        : mismatch(below(given.pointer, 1), `\`${given.name}\``, "a number", of)
    return result === "same" ? typeOf(of) : "float"
  }

const ordered =
  (given: Call) =>
  (of: Expression | null): ValueType => {
    if (of !== null && (isNumber(of) || isTime(of) || typeOf(of) === "text")) return typeOf(of)
    if (of === null) throw new FqlError("bad-ast", given.pointer, `\`${given.name}\` needs a field.`)
    throw mismatch(below(given.pointer, 1), `\`${given.name}\``, "a number, a time or text", of)
  }

const integer = () => "integer" as const

const count: Maker = (given) => {
  checkCount(given, 0, 1)
  const hasField = given.args.length === 1
  return overRows(given, "count", integer, { of: hasField ? 0 : null, where: null }, hasField ? "Count of" : "Count")
}

const distinct: Maker = (given) => {
  checkCount(given, 1, 2)
  const [, options] = given.args
  const isKnown =
    options === undefined ||
    (typeof options === "object" && options !== null && Object.keys(options).every((key) => key === "approx"))
  if (!isKnown)
    throw new FqlError(
      "bad-ast",
      below(given.pointer, 2),
      "The only option of `distinct` is `approx`. Counts are exact either way."
    )
  return overRows(
    { ...given, args: given.args.slice(0, 1) },
    "distinct",
    integer,
    { of: 0, where: null },
    "Distinct values of"
  )
}

const simple =
  (name: AggregateName, type: (given: Call) => (of: Expression | null) => ValueType, display: string): Maker =>
  (given) => {
    checkCount(given, 1, 1)
    return overRows(given, name, type(given), { of: 0, where: null }, display)
  }

const ORDINALS = new Intl.PluralRules("en", { type: "ordinal" })
const ENDINGS: Readonly<Partial<Record<Intl.LDMLPluralRule, string>>> = { one: "st", two: "nd", few: "rd" }

/** `92nd`, `99.9th`. */
const ordinal = (given: number): string => {
  // Without the noise of a product of doubles.
  const number = Number(given.toPrecision(12))
  return `${number}${ENDINGS[ORDINALS.select(number)] ?? "th"}`
}

/** A title within a longer one, with its abbreviations: `sum of LCP`. */
const lowered = (title: string): string => title.charAt(0).toLowerCase() + title.slice(1)

const percentile: Maker = (given) => {
  checkCount(given, 2, 2)
  const fraction = given.args[1]
  if (typeof fraction !== "number" || !(fraction >= 0 && fraction <= 1)) {
    throw new FqlError("out-of-range", below(given.pointer, 2), "A percentile is a number from 0 to 1, as in 0.95.")
  }
  return overRows(
    given,
    "percentile",
    numeric(given, "float"),
    { of: 0, where: null, fraction },
    `${ordinal(fraction * 100)} percentile of`
  )
}

const median: Maker = (given) => {
  checkCount(given, 1, 1)
  return overRows(given, "percentile", numeric(given, "float"), { of: 0, where: null, fraction: 0.5 }, "Median of")
}

const where =
  (
    name: AggregateName,
    type: (given: Call) => (of: Expression | null) => ValueType,
    hasField: boolean,
    display: string
  ): Maker =>
  (given) => {
    checkCount(given, hasField ? 2 : 1, hasField ? 2 : 1)
    return overRows(given, name, type(given), { of: hasField ? 0 : null, where: hasField ? 1 : 0 }, display)
  }

const share: Maker = (given) => {
  checkCount(given, 1, 1)
  const matching = overRows(given, "count", integer, { of: null, where: 0 }, "Share")
  const all = overRows({ ...given, name: "count", args: [] }, "count", integer, { of: null, where: null }, "Count")
  return {
    expression: ratio(matching.expression, all.expression),
    label: { ...plainLabel("share", "Share"), semantic: "Percentage" }
  }
}

const toFloat = (of: Expression): Expression => (typeOf(of) === "float" ? of : call("to-float", "float", of))
/** A quotient; null if there is nothing to divide by. */
export const ratio = (part: Expression, whole: Expression): Expression =>
  call("divide", "float", toFloat(part), toFloat(whole))

const SUMS: ReadonlyArray<unknown> = [
  "count",
  "sum",
  "count-where",
  "sum-where",
  "distinct",
  "distinct-where",
  "cum-count",
  "cum-sum"
]

const running =
  (base: "count" | "sum"): Maker =>
  (given) => {
    checkCount(given, base === "sum" ? 1 : 0, base === "sum" ? 1 : 0)
    const { expression: of, label } =
      base === "count" ? count({ ...given, name: "count" }) : AGGREGATIONS.get("sum")!({ ...given, name: "sum" })
    const named = {
      ...label,
      name: base === "count" ? "cum_count" : "cum_sum",
      display: `Cumulative ${lowered(label.display)}`
    }
    const { breakouts } = given.grouping
    if (breakouts.length === 0) return { expression: of, label: named }
    const [order, ...partition] = breakouts.map((_, index) => given.grouping.breakoutColumn(index))
    return { expression: { kind: "running-sum", of, partition, order: order!, type: typeOf(of) }, label: named }
  }

const offset: Maker = (given) => {
  checkCount(given, 2, 2)
  const { after, args, grouping, pointer } = given
  const by = wholeNumber(args[1], below(pointer, 2))
  const first = grouping.breakouts[0]
  if (first?.unit == null) {
    throw new FqlError("bad-unit", pointer, "`offset` needs a time with a `temporal-unit` as the first breakout.")
  }
  if (by === 0) throw new FqlError("out-of-range", below(pointer, 2), "`offset` by 0 units is the value itself.")
  const { expression: of, label } = argumentOf(after, args[0], below(pointer, 1))
  // Engines have no greatest yes/no value or id, which is how the one row is found.
  if (typeOf(of) === "boolean" || typeOf(of) === "uuid") {
    throw mismatch(below(pointer, 1), "`offset`", "a number, text or a time", of)
  }
  const [order, ...partition] = grouping.breakouts.map((_, index) => grouping.breakoutColumn(index))
  // A positive offset looks ahead, a negative one back.
  const shifted: Expression = {
    kind: "offset",
    of,
    partition,
    order: order!,
    count: -by,
    unit: first.unit,
    type: typeOf(of)
  }
  const isSum = Array.isArray(args[0]) && SUMS.includes(args[0][0])
  const named = {
    ...label,
    name: `${label.name}_offset`,
    display: `${label.display} (${Math.abs(by)} ${first.unit}${Math.abs(by) === 1 ? "" : "s"} ${by < 0 ? "earlier" : "later"})`
  }
  return { expression: isSum ? zeroWithin(grouping, shifted, order!, first.unit, -by) : shifted, label: named }
}

/** A bucket without rows counts 0 if it lies in the question's range; outside of it, nothing is known. */
const zeroWithin = (
  grouping: Grouping,
  shifted: Expression,
  order: Expression,
  unit: NonNullable<Dimension["unit"]>,
  by: number
): Expression => {
  const { build, rows } = grouping.rows
  const zero = call("coalesce", typeOf(shifted), shifted, value(typeOf(shifted), 0))
  const edge = by > 0 ? rows.range.from : rows.range.until
  if (edge === null) return zero
  const last = Temporal.Instant.from(edge).subtract(by > 0 ? { seconds: 0 } : { microseconds: 1 })
  const start = moveBy(unit, startOf(unit, last.toZonedDateTimeISO(build.zone), build.weekStart), by, build.weekStart)
  const type = typeOf(order)
  const bound = value(type, type === "instant" ? isoOf(start.toInstant()) : wallTime(start))
  return call("case", typeOf(shifted), call(by > 0 ? "ge" : "le", "boolean", order, bound), zero, {
    kind: "null",
    type: typeOf(shifted)
  })
}

const named: Maker = (given) => {
  checkCount(given, 2, 2)
  const { after, args, pointer } = given
  const { expression, label } = argumentOf(after, args[0], below(pointer, 1))
  const options = (typeof args[1] === "object" && args[1] !== null ? args[1] : {}) as Readonly<Record<string, unknown>>
  const unknown = Object.keys(options).find((key) => key !== "name" && key !== "display-name")
  const { name = label.name, "display-name": display = options["name"] ?? label.display } = options
  if (
    unknown !== undefined ||
    typeof name !== "string" ||
    typeof display !== "string" ||
    name === "" ||
    name.length > 200 ||
    display.length > 200
  ) {
    throw new FqlError(
      "bad-ast",
      below(pointer, 2),
      "The options of an aggregation are `name` and `display-name`, both text of 1 to 200 characters."
    )
  }
  return { expression, label: { ...label, name, display } }
}

/** Every aggregation. */
export const AGGREGATIONS: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ["count", count],
  ["distinct", distinct],
  ["sum", simple("sum", (given) => numeric(given, "same"), "Sum of")],
  ["avg", simple("avg", (given) => numeric(given, "float"), "Average of")],
  ["min", simple("min", ordered, "Min of")],
  ["max", simple("max", ordered, "Max of")],
  ["stddev", simple("stddev", (given) => numeric(given, "float"), "Standard deviation of")],
  ["var", simple("var", (given) => numeric(given, "float"), "Variance of")],
  ["median", median],
  ["percentile", percentile],
  ["count-where", where("count", () => integer, false, "Count of matching rows")],
  ["sum-where", where("sum", (given) => numeric(given, "same"), true, "Sum of matching")],
  ["distinct-where", where("distinct", () => integer, true, "Distinct matching values of")],
  ["share", share],
  ["cum-count", running("count")],
  ["cum-sum", running("sum")],
  ["offset", offset],
  ["metric", (given) => metricOf(given.grouping, given.args, given.pointer)],
  ["aggregation-options", named]
])

/** Resolves aggregations for expressions after grouping. */
export const aggregateIn =
  (grouping: Grouping, after: () => SelectScope) =>
  (clause: ReadonlyArray<unknown>, pointer: string): Labeled | null => {
    const [name, ...args] = clause
    const make = typeof name === "string" ? AGGREGATIONS.get(name) : undefined
    return make === undefined ? null : make({ grouping, after: after(), name: name as string, args, pointer })
  }

/** Aggregations under their names in formulas, to suggest their clauses: `CountIf` is `count-where`. */
const FORMULA_NAMES: ReadonlyMap<string, string> = new Map(
  FORMULA_FUNCTIONS.flatMap(([formula, clause]) =>
    AGGREGATIONS.has(clause) ? [[formula.toLowerCase(), clause] as const] : []
  )
)

export const unknownAggregation = (given: ReadonlyArray<unknown>, pointer: string): FqlError => {
  const name = String(given[0])
  const usual = FORMULA_NAMES.get(name.toLowerCase().replaceAll(/[-_]/g, ""))
  const hint = usual === undefined ? didYouMean(name, AGGREGATIONS.keys()) : suggestion(usual)
  return new FqlError("bad-ast", below(pointer, 0), `There is no aggregation \`${name}\`.${hint}`)
}
