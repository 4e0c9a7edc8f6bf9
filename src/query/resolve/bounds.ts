import { FqlError } from "../fql/FqlError.ts"
import { type Expression, type Source, typeOf } from "../plan/plan.ts"
import { operandsOf } from "../plan/rows.ts"

/*
 * Bounds of what a question computes, known before it runs: custom columns that use each other twice would double with each step, and so
 * would strings.
 */

/** Parts of an expression, with those of the custom columns that it uses. */
const MAX_PARTS = 20_000
/** Characters of a text that a question makes, for each row. */
const MAX_LENGTH = 50_000
/** Characters of a stored text. */
const STORED_LENGTH = 500
/** Of a number, a time or an id as text. */
const PLAIN_LENGTH = 50

const parts = new WeakMap<Expression, number>()
const lengths = new WeakMap<Expression, number>()

/** Expressions share what they have in common, so that each is counted once here, and as often as it occurs in the sum. */
const known = (memory: WeakMap<Expression, number>, expression: Expression, compute: () => number): number => {
  const found = memory.get(expression)
  if (found !== undefined) return found
  const made = compute()
  memory.set(expression, made)
  return made
}

const partsOf = (expression: Expression): number =>
  known(parts, expression, () => operandsOf(expression).reduce((sum, one) => sum + partsOf(one), 1))

const sum = (all: ReadonlyArray<number>): number => all.reduce((total, one) => total + one, 0)

/** The length of a nested query's column. */
const columnLength = (source: Source, name: string): number => {
  if (source.kind === "union") {
    return Math.max(STORED_LENGTH, ...source.selects.map((select) => columnLength({ kind: "select", select }, name)))
  }
  if (source.kind !== "select") return STORED_LENGTH
  const inner = source.select.columns.find(({ alias }) => alias === name)?.expression
  return inner === undefined ? STORED_LENGTH : lengthOf(inner)
}

const callLength = ({ args, name }: Extract<Expression, { readonly kind: "call" }>): number => {
  const texts = args.filter((one) => typeOf(one) === "text")
  const most = Math.max(0, ...texts.map(lengthOf))
  if (name === "concat") return sum(args.map(lengthOf))
  if (name === "substring" && args[2]?.kind === "value") return Math.min(most, Number(args[2].value))
  if (name !== "replace") return most
  const [of, find, by] = args
  const found = find!.kind === "value" ? Math.max(1, String(find!.value).length) : 1
  return lengthOf(of!) * Math.max(1, lengthOf(by!) / found)
}

/** The characters that the text of an expression may have. */
const lengthOf = (expression: Expression): number =>
  known(lengths, expression, () => {
    if (typeOf(expression) !== "text") return PLAIN_LENGTH
    switch (expression.kind) {
      case "value":
        return String(expression.value).length
      case "null":
        return 0
      case "column":
        return columnLength(expression.relation.source, expression.column)
      case "call":
        return callLength(expression)
      default:
        return Math.max(STORED_LENGTH, ...operandsOf(expression).map(lengthOf))
    }
  })

/** Refuses an expression that is too large to compute. */
export const bounded = (expression: Expression, pointer: string): Expression => {
  if (partsOf(expression) > MAX_PARTS) {
    throw new FqlError(
      "limit-exceeded",
      pointer,
      "The custom columns refer to each other so often that they are too complex to compute."
    )
  }
  if (typeOf(expression) === "text" && lengthOf(expression) > MAX_LENGTH) {
    throw new FqlError(
      "limit-exceeded",
      pointer,
      `This text could have more than ${MAX_LENGTH.toLocaleString("en-US")} characters. Shorten what it is made of, with \`substring\`.`
    )
  }
  return expression
}
