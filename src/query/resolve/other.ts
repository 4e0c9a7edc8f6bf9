import { below, FqlError } from "../fql/FqlError.ts"
import type { Query } from "../fql/schema.ts"
import {
  call,
  columnOf,
  type Expression,
  type Join,
  type Relation,
  type Select,
  selectFrom,
  typeOf,
  type ValueType,
  value
} from "../plan/plan.ts"
import { aggregateIn, Grouping, pageAmong } from "./aggregations.ts"
import type { Dimension } from "./dimensions.ts"
import { resolveExpression } from "./expressions.ts"
import { groupedSelect } from "./grouped.ts"
import type { Rows } from "./query.ts"
import { type Labeled, SelectScope, type SourceColumn } from "./SelectScope.ts"

/** What the row that sums up is called. */
const OTHER = "Other"

/** A question's groups, in their order and without its limit. */
export interface OrderedGroups {
  readonly query: Query
  readonly breakouts: ReadonlyArray<Dimension>
  readonly aggregations: ReadonlyArray<Labeled>
  /** Breakouts, then aggregations, as `c0`, `c1` … */
  readonly all: Select
  /** Makes the rows before grouping, and the breakouts among them, again. */
  readonly again: () => { readonly rows: Rows; readonly breakouts: ReadonlyArray<Dimension> }
  /** The breakouts as columns that aggregations may use. */
  readonly columns: ReadonlyArray<SourceColumn>
  readonly pointer: string
}

/** Whether the question asks for a last row of the groups beyond its limit. Fails if there can be none. */
export const hasOther = (query: Query, breakouts: ReadonlyArray<Dimension>, pointer: string): boolean => {
  if (query.settings?.other !== true) return false
  const at = below(pointer, "settings", "other")
  if (query.limit === undefined || query.page !== undefined) {
    throw new FqlError("bad-ast", at, "`other` needs `limit`, and no `page`.")
  }
  if (!breakouts.some(({ expression }) => typeOf(expression) === "text")) {
    throw new FqlError("bad-ast", at, "`other` needs a breakout whose values are text, which its row calls Other.")
  }
  const running = (query.aggregation ?? []).findIndex(isRunning)
  if (running >= 0) {
    throw new FqlError(
      "bad-ast",
      below(pointer, "aggregation", running),
      "`other` can't sum up `cum-count`, `cum-sum` and `offset`, whose values depend on the order of the groups."
    )
  }
  return true
}

const isRunning = (clause: unknown): boolean =>
  Array.isArray(clause) && (["cum-count", "cum-sum", "offset"].includes(clause[0]) || clause.some(isRunning))

/** The first groups up to the question's limit, then one row with what is computed of the rows of all other groups, if there are any. */
export const withOther = (scope: SelectScope, groups: OrderedGroups): Select => {
  const { build } = scope
  const { all, breakouts, query } = groups
  const limit = query.limit!
  const rest: Select = { ...all, limit: null, offset: limit }
  const columns = all.columns.map(({ alias, expression }) => ({ alias, type: typeOf(expression) }))
  const orders = all.orderBy.map(({ descending, expression }, index) => ({
    alias: `o${index}`,
    type: typeOf(expression),
    descending,
    expression
  }))
  const first: Select = {
    ...all,
    columns: [
      ...all.columns,
      { alias: "part", expression: value("integer", 0) },
      ...orders.map(({ alias, expression }) => ({ alias, expression }))
    ],
    limit
  }
  const summed = summedUp(scope, groups, rest)
  const last: Select = {
    ...summed.select,
    columns: [
      ...keysOf(breakouts).map((expression, index) => ({ alias: `c${index}`, expression })),
      ...summed.values.map((expression, index) => ({ alias: `c${breakouts.length + index}`, expression })),
      { alias: "part", expression: value("integer", 1) },
      ...orders.map(({ alias, type }) => ({ alias, expression: { kind: "null", type } as const }))
    ]
  }
  const union: Relation = { alias: build.alias(), source: { kind: "union", selects: [first, last] } }
  const at = (alias: string, type: ValueType) => columnOf(union, alias, type)
  return {
    ...selectFrom(
      union,
      columns.map(({ alias, type }) => at(alias, type))
    ),
    orderBy: [
      { expression: at("part", "integer"), descending: false },
      ...orders.map(({ alias, descending, type }) => ({ expression: at(alias, type), descending }))
    ],
    limit: limit + 1
  }
}

/** The first text says Other; what else the rows were grouped by differs among them. */
const keysOf = (breakouts: ReadonlyArray<Dimension>): ReadonlyArray<Expression> => {
  const types = breakouts.map(({ expression }) => typeOf(expression))
  const named = types.indexOf("text")
  return types.map((type, index) => (index === named ? value("text", OTHER) : { kind: "null", type }))
}

/** The aggregations over the rows of some groups. */
const summedUp = (scope: SelectScope, groups: OrderedGroups, rest: Select) => {
  const { build } = scope
  const { columns, pointer, query } = groups
  const rowsOfRest = () => {
    const { breakouts, rows } = groups.again()
    const isOther = { alias: "is_other", expression: value("boolean", true) }
    const select: Select = { ...rest, columns: [...rest.columns, isOther] }
    const others: Relation = { alias: build.alias(), source: { kind: "select", select } }
    rows.scope.joins.push(joinRest(breakouts, others))
    // Not an inner join: Postgres would expect one row of it, and join everything else one by one.
    const isAmong = call("coalesce", "boolean", columnOf(others, "is_other", "boolean"), value("boolean", false))
    return { rows: { ...rows, where: [...rows.where, isAmong] }, breakouts: [], page: pageAmong(breakouts) }
  }
  const { page, rows } = rowsOfRest()
  const relation: { alias: string; source: Relation["source"] } = {
    alias: build.alias(),
    source: { kind: "union", selects: [] }
  }
  const grouping = new Grouping(rows.scope, { breakouts: [], page }, relation)
  const nothing = columns.map(
    (column): SourceColumn => ({ ...column, expression: { kind: "null", type: typeOf(column.expression) } })
  )
  const after = new SelectScope(build, relation, rows.scope.rows, nothing, {})
  after.aggregate = aggregateIn(grouping, () => after)
  const values = (query.aggregation ?? []).map(
    (clause, index) => resolveExpression(after, clause, below(pointer, "aggregation", index)).expression
  )
  relation.source = groupedSelect(grouping, rows, rowsOfRest)
  const one: Relation = {
    alias: build.alias(),
    source: {
      kind: "select",
      select: { ...rest, columns: [{ alias: "one", expression: value("boolean", true) }], limit: 1 }
    }
  }
  // Without other groups, there is no row for them.
  const exists: Join = { kind: "inner", relation: one, on: [columnOf(one, "one", "boolean")] }
  return { values, select: { ...selectFrom(relation, []), joins: [exists] } satisfies Select }
}

/** Something of the type, in the place of null where null is compared apart. */
const PLACEHOLDERS: Readonly<Record<ValueType, string | number | boolean>> = {
  text: "",
  uuid: "00000000-0000-0000-0000-000000000000",
  integer: 0,
  decimal: 0,
  float: 0,
  boolean: false,
  instant: "2000-01-01T00:00:00.000Z",
  local: "2000-01-01T00:00:00"
}

/** The group of a row among these, if it is one of them. Compared so that every engine can look groups up, also by null. */
const joinRest = (breakouts: ReadonlyArray<Dimension>, rest: Relation): Join => ({
  kind: "left",
  relation: rest,
  on: breakouts.flatMap(({ expression }, index) => {
    const type = typeOf(expression)
    const known = columnOf(rest, `c${index}`, type)
    const orNothing = (of: Expression) => call("coalesce", type, of, value(type, PLACEHOLDERS[type]))
    const isNull = (of: Expression) => call("is-null", "boolean", of)
    return [
      call("eq", "boolean", orNothing(expression), orNothing(known)),
      call("eq", "boolean", isNull(expression), isNull(known))
    ]
  })
})
