import {
  type Aggregate,
  call,
  columnOf,
  type Expression,
  type Relation,
  type Select,
  selectFrom,
  value
} from "../plan/plan.ts"
import { columnsIn, isColumn, valuesOf } from "../plan/rows.ts"
import type { Grouping } from "./aggregations.ts"
import type { Rows } from "./query.ts"
import type { Labeled, SelectScope } from "./SelectScope.ts"

/** An aggregation over amounts, of which only the rows say which currencies they are in. */
export interface Amounts {
  /** The places of the aggregations that are such an amount. */
  readonly aggregations: ReadonlyArray<number>
  /** The currencies of its rows, one in each row. */
  readonly select: Select
}

/** How many there are of something does not depend on its currency. */
const COUNTS: ReadonlySet<Aggregate["name"]> = new Set(["count", "distinct"])

const isOfEvents = ({ source }: Relation): boolean => source.kind === "view" && source.view === "v_pa_events"

/** Whether a relation has the values of this property of the events. An amount is sent as the properties `revenue` and `currency`. */
const isProperty = ({ source }: Relation, key: "revenue" | "currency"): boolean =>
  source.kind === "property" && source.of === "event" && source.key === key

/** The events whose amounts an expression uses. Of other properties, nothing says what they are in. */
const amountsIn = (expression: Expression, { from }: SelectScope): Relation | null =>
  columnsIn(expression).flatMap(({ column, relation }) => {
    if (column === "revenue" && isOfEvents(relation)) return [relation]
    return isProperty(relation, "revenue") && isOfEvents(from) ? [from] : []
  })[0] ?? null

/** Whether rows are grouped by their currency. */
const isCurrency = (expression: Expression, events: Relation): boolean =>
  isColumn(expression, events, "currency") ||
  columnsIn(expression).some(({ relation }) => isProperty(relation, "currency"))

const onlyCurrency = (conditions: ReadonlyArray<Expression>, events: Relation): string | null => {
  const codes = conditions.flatMap((one) => {
    const values = valuesOf(one, events, "currency")
    return values?.length === 1 ? [String(values[0])] : []
  })
  return codes[0] ?? null
}

const boolean = (name: "not" | "is-null", of: Expression) => call(name, "boolean", of)

/**
 * What a question's aggregations say about currencies: the unit of each, if a condition leaves one currency, and otherwise how to find out.
 * Groups by currency need neither, and a currency that is hidden from the person stays unsaid.
 */
export const amountsOf = (
  grouping: Grouping,
  { scope, where }: Rows,
  aggregations: ReadonlyArray<Labeled>
): { readonly units: ReadonlyArray<string | null>; readonly amounts: ReadonlyMap<string, Amounts> } => {
  const units: Array<string | null> = aggregations.map(({ label }) => label.unit)
  const amounts = new Map<string, Amounts>()
  const isHidden = scope.build.context.hidden?.hasColumn("v_pa_events", "currency") === true
  for (const leaf of isHidden ? [] : grouping.leaves) {
    const aggregate = leaf.part === "rows" ? leaf.make(scope, null) : null
    if (aggregate?.kind !== "aggregate" || aggregate.of === null || COUNTS.has(aggregate.name)) continue
    const events = amountsIn(aggregate.of, scope)
    if (events === null || grouping.breakouts.some(({ expression }) => isCurrency(expression, events))) continue
    const places = aggregations.flatMap(({ expression, label }, place) =>
      label.semantic === "Income" && columnsIn(expression).some((one) => isColumn(one, grouping.relation, leaf.alias))
        ? [place]
        : []
    )
    const conditions = aggregate.where === null ? where : [...where, aggregate.where]
    const only = onlyCurrency(conditions, events)
    if (only !== null) {
      for (const place of places) units[place] = only
      continue
    }
    const currency = columnOf(events, "currency", "text")
    const select: Select = {
      ...selectFrom(scope.from, [currency]),
      joins: scope.joins,
      where: [
        ...conditions,
        boolean("not", boolean("is-null", aggregate.of)),
        boolean("not", boolean("is-null", currency))
      ],
      groupBy: 1
    }
    amounts.set(leaf.alias, { aggregations: places, select })
  }
  return { units, amounts }
}

/** One select for the currencies of all amounts, as rows of an amount's place and a currency. */
export const currenciesOf = (amounts: ReadonlyArray<Amounts>): Select => {
  const selects = amounts.map(({ select }, place): Select => {
    const found: Relation = { alias: "found", source: { kind: "select", select } }
    return selectFrom(found, [value("integer", place), columnOf(found, "c0", "text")])
  })
  const from: Relation = { alias: "currencies", source: { kind: "union", selects } }
  return selectFrom(from, [columnOf(from, "c0", "integer"), columnOf(from, "c1", "text")])
}
