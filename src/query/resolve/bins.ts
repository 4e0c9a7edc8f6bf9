import { below, FqlError } from "../fql/FqlError.ts"
import { call, columnOf, type Expression, type Relation, type Select, selectFrom, typeOf, value } from "../plan/plan.ts"
import type { Labeled, SelectScope } from "./SelectScope.ts"

/** Bins that the default makes at most. Widths are 1, 2 or 5 times a power of ten, so that there are at least 8. */
const DEFAULT_BINS = 20
/** Bins that a question may ask for: more than a chart can show. */
const MAX_BINS = 1_000
/** Widths that a question may ask for. Engines differ in how they divide doubles by narrower or wider ones. */
const WIDTHS = [1e-15, 1e18] as const
/** Powers of ten of the default's widths: no stored number has more digits. */
const POWERS = [-4, 18] as const

const NICE_WIDTHS: ReadonlyArray<number> = Array.from({ length: POWERS[1] - POWERS[0] + 1 }, (_, index) =>
  [1, 2, 5].map((digit) => Number(`${digit}e${POWERS[0] + index}`))
).flat()

const float = (name: Parameters<typeof call>[0], ...args: ReadonlyArray<Expression>) => call(name, "float", ...args)
const number = (of: number) => value("float", of)
const toFloat = (of: Expression): Expression => (typeOf(of) === "float" ? of : float("to-float", of))

/** A number's bin, as the number at which it begins. `again` reads the same number in other rows of the query. */
export const binned = (
  scope: SelectScope,
  plain: Labeled,
  {
    again,
    binning,
    pointer
  }: { readonly again: (scope: SelectScope) => Labeled; readonly binning: unknown; readonly pointer: string }
): Labeled => {
  const type = typeOf(plain.expression)
  if (type !== "integer" && type !== "decimal" && type !== "float") {
    throw new FqlError("type-mismatch", pointer, `\`${plain.label.name}\` is not a number.`)
  }
  const given = (binning ?? {}) as Readonly<Record<string, unknown>>
  const { strategy } = given
  const labeled = (expression: Expression, what: string): Labeled => ({
    expression,
    label: { ...plain.label, origin: null, display: `${plain.label.display}: ${what}` }
  })
  if (strategy === "bin-width") {
    const width = given["bin-width"]
    if (typeof width === "number" && width >= WIDTHS[0] && width <= WIDTHS[1]) {
      return labeled(float("bucket", plain.expression, number(width)), `bins of ${width}`)
    }
    throw new FqlError(
      "bad-ast",
      below(pointer, "bin-width"),
      `\`bin-width\` is a number from ${WIDTHS[0]} to ${WIDTHS[1].toExponential()}, as in 10.`
    )
  }
  if (strategy === "num-bins") {
    const bins = given["num-bins"]
    if (typeof bins === "number" && Number.isInteger(bins) && bins >= 1 && bins <= MAX_BINS) {
      return labeled(oneOf(scope, { bins, of: plain.expression }, boundsOf(scope, again, pointer)), `${bins} bins`)
    }
    throw new FqlError("bad-ast", below(pointer, "num-bins"), `\`num-bins\` is a whole number from 1 to ${MAX_BINS}.`)
  }
  if (strategy === "default") {
    return labeled(float("bucket", plain.expression, niceWidth(scope, boundsOf(scope, again, pointer))), "bins")
  }
  throw new FqlError(
    "bad-ast",
    pointer,
    'Write {"strategy": "bin-width", "bin-width": 10}, {"strategy": "num-bins", "num-bins": 10} or {"strategy": "default"}.'
  )
}

interface Bounds {
  /** One row. */
  readonly relation: Relation
  readonly min: Expression
  readonly max: Expression
}

/** The least and the greatest value among all rows that the query groups. */
const boundsOf = (scope: SelectScope, again: (scope: SelectScope) => Labeled, pointer: string): Bounds => {
  if (scope.again === null) {
    throw new FqlError(
      "bad-ast",
      pointer,
      'Bins whose width depends on the rows are for `breakout`. Elsewhere, write {"strategy": "bin-width", "bin-width": 10}.'
    )
  }
  const { scope: rows, where } = scope.again()
  const of = toFloat(again(rows).expression)
  const bound = (name: "min" | "max"): Expression => ({ kind: "aggregate", name, of, where: null, type: "float" })
  const select: Select = {
    ...selectFrom(rows.from, [bound("min"), bound("max")]),
    joins: rows.joins,
    where,
    groupBy: 0
  }
  const relation: Relation = { alias: scope.build.alias(), source: { kind: "select", select } }
  return { relation, min: columnOf(relation, "c0", "float"), max: columnOf(relation, "c1", "float") }
}

/** Adds what a relation with one row says to each row. */
const joinRow = (scope: SelectScope, relation: Relation): void => {
  scope.joins.push({ kind: "inner", relation, on: [value("boolean", true)] })
}

/** One of so many equally wide bins from the least value to the greatest, which is in the last one. */
const oneOf = (
  scope: SelectScope,
  { bins, of }: { readonly bins: number; readonly of: Expression },
  bounds: Bounds
): Expression => {
  const { max, min } = bounds
  joinRow(scope, bounds.relation)
  const width = float("divide", float("subtract", max, min), number(bins))
  // Nothing is divided if all values are equal: they are one bin.
  const place = toFloat(call("floor", "integer", float("divide", float("subtract", toFloat(of), min), width)))
  const last = number(bins - 1)
  const atMost = float("case", call("gt", "boolean", place, last), last, place)
  return float(
    "case",
    call("is-null", "boolean", of),
    { kind: "null", type: "float" },
    float("coalesce", float("add", min, float("multiply", atMost, width)), min)
  )
}

/** The least nice width that makes at most so many bins; 1 if all values are equal. */
const niceWidth = (scope: SelectScope, { max, min, relation }: Bounds): Expression => {
  const span = float("subtract", max, min)
  const width = float(
    "case",
    call("eq", "boolean", span, number(0)),
    number(1),
    ...NICE_WIDTHS.slice(0, -1).flatMap((width) => [
      call("le", "boolean", span, number(width * (DEFAULT_BINS - 1))),
      number(width)
    ]),
    number(NICE_WIDTHS.at(-1)!)
  )
  // With a limit, engines compute it once instead of for each row.
  const select: Select = { ...selectFrom(relation, [width]), limit: 1 }
  const found: Relation = { alias: scope.build.alias(), source: { kind: "select", select } }
  joinRow(scope, found)
  return columnOf(found, "c0", "float")
}
