import { FqlError } from "../fql/FqlError.ts"
import { didYouMean } from "../fql/suggest.ts"
import { type Expression, typeOf, type ValueType, value } from "../plan/plan.ts"
import { bounded } from "./bounds.ts"
import { isDimension, resolveDimension } from "./dimensions.ts"
import { FILTERS, resolveFilter } from "./filters.ts"
import { FUNCTIONS } from "./functions.ts"
import { type Labeled, plainLabel, type SelectScope } from "./SelectScope.ts"

/** A value per row: a constant, a dimension, a function or a condition. */
export const resolveExpression = (scope: SelectScope, given: unknown, pointer: string): Labeled => {
  if (!Array.isArray(given)) return { expression: constant(given, pointer), label: plainLabel("expression") }
  const aggregate = scope.aggregate?.(given, pointer) ?? null
  if (aggregate !== null) return aggregate
  if (isDimension(given)) return resolveDimension(scope, given, pointer)
  const [name, ...args] = given as ReadonlyArray<unknown>
  if (typeof name !== "string") {
    throw new FqlError("bad-ast", pointer, "An expression begins with the name of a function.")
  }
  const make = FUNCTIONS.get(name)
  if (make !== undefined) {
    return { expression: bounded(make({ scope, name, args, pointer }), pointer), label: plainLabel("expression") }
  }
  if (FILTERS.has(name)) return { expression: resolveFilter(scope, given, pointer), label: plainLabel("expression") }
  const known = [...FUNCTIONS.keys(), ...FILTERS.keys()]
  throw new FqlError("bad-ast", pointer, `There is no function \`${name}\`.${didYouMean(name, known)}`)
}

/** Digits of a constant beyond these would be lost on the way. */
export const constant = (given: unknown, pointer: string): Expression => {
  switch (typeof given) {
    case "string":
      return value("text", given)
    case "boolean":
      return value("boolean", given)
    case "number":
      if (Number.isSafeInteger(given)) return value("integer", given)
      if (Number.isFinite(given)) return value("float", given)
      break
  }
  throw new FqlError("bad-ast", pointer, `${JSON.stringify(given) ?? "Nothing"} is not a constant.`)
}

const NUMBERS: ReadonlyArray<ValueType> = ["integer", "decimal", "float"]
export const isNumber = (expression: Expression): boolean => NUMBERS.includes(typeOf(expression))
export const isTime = (expression: Expression): boolean =>
  typeOf(expression) === "instant" || typeOf(expression) === "local"

const TYPE_NAMES: Readonly<Record<ValueType, string>> = {
  text: "text",
  uuid: "an id",
  integer: "a number",
  decimal: "a number",
  float: "a number",
  boolean: "a yes/no value",
  instant: "a time",
  local: "a time"
}
export const typeName = (expression: Expression): string => TYPE_NAMES[typeOf(expression)]

export const mismatch = (pointer: string, what: string, expected: string, found: Expression): FqlError =>
  new FqlError("type-mismatch", pointer, `${what} needs ${expected}, but this is ${typeName(found)}.`)

/** What filters and functions are applied to. */
export const resolveOperand = (scope: SelectScope, given: unknown, pointer: string): Expression =>
  resolveExpression(scope, given, pointer).expression
