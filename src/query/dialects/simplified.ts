import { call, type Expression, type Select } from "../plan/plan.ts"
import { holdsFor, onlyType } from "../plan/rows.ts"

/*
 * Conditions that say the same with less for an engine to do.
 */

const isCall = (expression: Expression | undefined, name: string): expression is Expression & { kind: "call" } =>
  expression?.kind === "call" && expression.name === name

/** A row is only kept if a condition is true, so a null need not be asked for first. */
const notEmpty = (condition: Expression): Expression => {
  if (!isCall(condition, "not")) return condition
  const [isEmpty] = condition.args
  if (!isCall(isEmpty, "or") || isEmpty.args.length !== 2) return condition
  const [isNull, isOneOf] = isEmpty.args
  if (!isCall(isNull, "is-null") || isOneOf?.kind !== "in") return condition
  return isNull.args[0] === isOneOf.of ? call("not", "boolean", isOneOf) : condition
}

export const simplified = (select: Select): Select => {
  const { columns, from, where } = select
  const { source } = from
  const isOfEvents = source.kind === "view" && source.view === "v_pa_events"
  const type = isOfEvents ? onlyType(where, from) : null
  const unconditional = (expression: Expression): Expression =>
    type !== null &&
    expression.kind === "aggregate" &&
    expression.where !== null &&
    holdsFor(expression.where, from, type)
      ? { ...expression, where: null }
      : expression
  return {
    ...select,
    where: where.map(notEmpty),
    columns: columns.map((column) => ({ ...column, expression: unconditional(column.expression) }))
  }
}
