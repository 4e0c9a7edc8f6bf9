import { VISITOR_COLUMNS } from "../../domain/visitorColumns.ts"
import { columnOf, type Expression, type Join, type Relation, type Select, typeOf } from "../plan/plan.ts"
import { columnsUsed, isColumn, withColumns } from "../plan/rows.ts"

/*
 * Visits joined with their visitors, of whom the visits know enough themselves.
 */

const isKnown = (column: string): boolean => VISITOR_COLUMNS.some((name) => name === column)

/** Whether a join adds the visitor of each visit. */
const isVisitorsJoin = ({ kind, on, relation }: Join, visits: Relation): boolean => {
  const { source } = relation
  if (kind !== "left" || source.kind !== "view" || source.view !== "v_pa_sessions") return false
  const [condition] = on
  if (on.length !== 1 || condition?.kind !== "call" || condition.name !== "eq") return false
  const isKey = (one: Expression) => isColumn(one, relation, "id", "session_uuid")
  const isOwn = (one: Expression) => isColumn(one, visits, "session_id")
  return condition.args.some(isKey) && condition.args.some(isOwn)
}

/** The same select without the joins that its visits make unnecessary. */
export const withoutVisitors = (select: Select): Select => {
  const { from, joins } = select
  if (from.source.kind !== "visits" || from.source.compat !== "strict") return select
  const found = joins.find((join) => isVisitorsJoin(join, from))
  if (found === undefined) return select
  const rest = joins.filter((join) => join !== found)
  const expressions = [
    ...select.columns.map(({ expression }) => expression),
    ...select.where,
    ...select.orderBy.map(({ expression }) => expression),
    ...rest.flatMap(({ on }) => on)
  ]
  if (!expressions.flatMap((one) => columnsUsed(one, found.relation)).every(isKnown)) return select
  const own = (expression: Expression) =>
    withColumns(expression, (column) =>
      column.relation === found.relation ? columnOf(from, column.column, typeOf(column)) : column
    )
  return {
    ...select,
    columns: select.columns.map((column) => ({ ...column, expression: own(column.expression) })),
    where: select.where.map(own),
    orderBy: select.orderBy.map((order) => ({ ...order, expression: own(order.expression) })),
    joins: rest.map((join) => ({ ...join, on: join.on.map(own) }))
  }
}
