import { EventType } from "../../domain/Event.ts"
import { type Aggregate, type Expression, type FunctionName, type Join, type Relation, typeOf } from "./plan.ts"

/*
 * What an expression says about the rows of a relation.
 */

export const isColumn = (expression: Expression, relation: Relation, ...names: ReadonlyArray<string>): boolean =>
  expression.kind === "column" && expression.relation === relation && names.includes(expression.column)

/** Sessions, sites and attributes: joined by the visitor's own ids. */
export const isVisitorsRelation = ({ source }: Relation): boolean =>
  (source.kind === "view" && (source.view === "v_pa_sessions" || source.view === "v_pa_sites")) ||
  (source.kind === "property" && source.of === "session")

/** The values that a condition compares a column with; null for other conditions. */
export const valuesOf = (condition: Expression, from: Relation, column: string): ReadonlyArray<unknown> | null => {
  if (condition.kind === "in" && isColumn(condition.of, from, column)) return condition.values
  if (condition.kind !== "call" || condition.name !== "eq") return null
  const [left, right] = condition.args
  return isColumn(left!, from, column) && right!.kind === "value" ? [right!.value] : null
}

/** Whether an expression counts the different visitors of a relation's rows, perhaps on a condition. */
export const isDistinctVisitors = (expression: Expression, from: Relation): expression is Aggregate =>
  expression.kind === "aggregate" &&
  expression.name === "distinct" &&
  expression.of !== null &&
  isColumn(expression.of, from, "session_id")

const PATTERNS: ReadonlySet<string> = new Set<FunctionName>([
  "contains",
  "starts-with",
  "ends-with",
  "contains-any-case",
  "starts-with-any-case",
  "ends-with-any-case"
])

/** Whether few events meet a condition, as far as one can say without knowing them. */
export const isOfFew = (condition: Expression, from: Relation): boolean => {
  if (condition.kind === "call" && condition.name === "and") return condition.args.some((one) => isOfFew(one, from))
  if (condition.kind === "call" && condition.name === "or") return condition.args.every((one) => isOfFew(one, from))
  const types = valuesOf(condition, from, "event_type")
  if (types !== null) return !types.map(Number).includes(EventType.pageview)
  const isText = (one: Expression | undefined) =>
    one?.kind === "column" && one.relation === from && typeOf(one) === "text"
  if (condition.kind === "in") return isText(condition.of)
  if (condition.kind !== "call") return false
  const [of, to] = condition.args
  return isText(of) && to?.kind === "value" && (condition.name === "eq" || PATTERNS.has(condition.name))
}

/** Whether a condition is only about the type of an event, and holds for this one. */
export const holdsFor = (condition: Expression, from: Relation, type: number): boolean => {
  const outcome = (one: Expression): boolean | null => {
    const values = valuesOf(one, from, "event_type")
    if (values !== null) return values.map(Number).includes(type)
    if (one.kind !== "call" || one.name !== "not") return null
    const inner = outcome(one.args[0]!)
    return inner === null ? null : !inner
  }
  return outcome(condition) === true
}

/** The expressions that an expression is made of. */
export const operandsOf = (expression: Expression): ReadonlyArray<Expression> => {
  switch (expression.kind) {
    case "column":
    case "value":
    case "null":
      return []
    case "call":
      return expression.args
    case "instant":
      return [expression.of, expression.near]
    case "aggregate":
      return [expression.of, expression.where].flatMap((one) => (one === null ? [] : [one]))
    case "running-sum":
    case "offset":
      return [expression.of, expression.order, ...expression.partition]
    default:
      return [expression.of]
  }
}

/** The same expression of other columns. */
export const withColumns = (
  expression: Expression,
  other: (column: Extract<Expression, { readonly kind: "column" }>) => Expression
): Expression => {
  const mapped = (one: Expression): Expression => withColumns(one, other)
  switch (expression.kind) {
    case "column":
      return other(expression)
    case "value":
    case "null":
      return expression
    case "call":
      return { ...expression, args: expression.args.map(mapped) }
    case "instant":
      return { ...expression, of: mapped(expression.of), near: mapped(expression.near) }
    case "aggregate":
      return {
        ...expression,
        of: expression.of && mapped(expression.of),
        where: expression.where && mapped(expression.where)
      }
    case "running-sum":
    case "offset":
      return {
        ...expression,
        of: mapped(expression.of),
        order: mapped(expression.order),
        partition: expression.partition.map(mapped)
      }
    default:
      return { ...expression, of: mapped(expression.of) }
  }
}

/** The columns that an expression uses. */
export const columnsIn = (expression: Expression): ReadonlyArray<Extract<Expression, { readonly kind: "column" }>> =>
  expression.kind === "column" ? [expression] : operandsOf(expression).flatMap(columnsIn)

/** The names of a relation's columns in an expression. */
export const columnsUsed = (expression: Expression, relation: Relation): ReadonlyArray<string> =>
  columnsIn(expression).flatMap((one) => (one.relation === relation ? [one.column] : []))

/** Whether an expression uses a column of this name, of any relation. */
export const usesColumn = (expression: Expression, name: string): boolean =>
  columnsIn(expression).some(({ column }) => column === name)

/** The joins that change how many rows there are, or that conditions need. */
export const joinsThatCount = (joins: ReadonlyArray<Join>, where: ReadonlyArray<Expression>): ReadonlyArray<Join> => {
  const conditions = [...where]
  const kept = new Set<Join>()
  // A join only refers to those before it.
  for (const join of joins.toReversed()) {
    const isUsed = conditions.flatMap(columnsIn).some(({ relation }) => relation === join.relation)
    if (!isUsed && join.kind === "left" && hasOneRow(join)) continue
    kept.add(join)
    conditions.push(...join.on)
  }
  return joins.filter((join) => kept.has(join))
}

/** Whether a join adds at most one row to each: all but a person's own join of views. */
const hasOneRow = ({ on, relation }: Join): boolean =>
  relation.source.kind !== "view" ||
  on.some((one) => one.kind === "call" && one.name === "eq" && one.args.some((side) => isColumn(side, relation, "id")))

/** The only type of events that conditions leave; null if there may be several. */
export const onlyType = (where: ReadonlyArray<Expression>, from: Relation): number | null => {
  const types = where.flatMap((one) => {
    const values = valuesOf(one, from, "event_type")
    return values === null ? [] : [values]
  })
  return types.length === 1 && types[0]!.length === 1 ? Number(types[0]![0]) : null
}
