import { OF_VISITOR } from "../../domain/visitorColumns.ts"
import type { ViewName } from "../metadata/views.ts"
import { columnOf, type Expression, type Join, type Relation, type Select, typeOf } from "../plan/plan.ts"
import { columnsUsed, isColumn, withColumns } from "../plan/rows.ts"

/*
 * Rows joined with others only for columns that engines which keep visits have in the rows themselves.
 */

/** A view that rows are joined with, by its ids and the rows' own column, and its columns that the rows have, too. */
interface Known {
  readonly view: ViewName
  readonly ids: ReadonlyArray<string>
  readonly key: string
  /** The names of those columns in the view and in the rows. */
  readonly columns: ReadonlyMap<string, string>
}

const OF_VISITS: Known = {
  view: "v_pa_sessions",
  ids: ["id", "session_uuid"],
  key: "session_id",
  columns: new Map(OF_VISITOR.map(([own, known]) => [known, own]))
}
const OF_PROPERTIES: Known = {
  view: "v_pa_events",
  ids: ["id"],
  key: "event_id",
  columns: new Map([["event_name", "event_name"]])
}

const knownOf = ({ source }: Relation): Known | null => {
  if (source.kind === "visits") return source.compat === "strict" ? OF_VISITS : null
  return source.kind === "view" && source.view === "v_pa_event_data" ? OF_PROPERTIES : null
}

/** Whether a join adds the row that the key names. */
const isJoinOf = ({ ids, key, view }: Known, { kind, on, relation }: Join, from: Relation): boolean => {
  const { source } = relation
  if (kind !== "left" || source.kind !== "view" || source.view !== view) return false
  const [condition] = on
  if (on.length !== 1 || condition?.kind !== "call" || condition.name !== "eq") return false
  const isId = (one: Expression) => isColumn(one, relation, ...ids)
  const isOwn = (one: Expression) => isColumn(one, from, key)
  return condition.args.some(isId) && condition.args.some(isOwn)
}

/** The same select without the join that its rows make unnecessary. */
export const withoutJoins = (select: Select): Select => {
  const { from, joins } = select
  const known = knownOf(from)
  const found = known === null ? undefined : joins.find((join) => isJoinOf(known, join, from))
  if (known === null || found === undefined) return select
  const rest = joins.filter((join) => join !== found)
  const expressions = [
    ...select.columns.map(({ expression }) => expression),
    ...select.where,
    ...select.orderBy.map(({ expression }) => expression),
    ...rest.flatMap(({ on }) => on)
  ]
  if (!expressions.flatMap((one) => columnsUsed(one, found.relation)).every((name) => known.columns.has(name)))
    return select
  const own = (expression: Expression) =>
    withColumns(expression, (column) =>
      column.relation === found.relation ? columnOf(from, known.columns.get(column.column)!, typeOf(column)) : column
    )
  return {
    ...select,
    columns: select.columns.map((column) => ({ ...column, expression: own(column.expression) })),
    where: select.where.map(own),
    orderBy: select.orderBy.map((order) => ({ ...order, expression: own(order.expression) })),
    joins: rest.map((join) => ({ ...join, on: join.on.map(own) }))
  }
}
