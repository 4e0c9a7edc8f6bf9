import type { QueryParameter } from "../../ports/QueryEngine.ts"
import { FqlError } from "../fql/FqlError.ts"

/** In characters. Functions that repeat their arguments could otherwise let a small question become a huge statement. */
const MAX_LENGTH = 500_000

/** SQL text with holes for parameters. Values never become text, so a question cannot change the statement it becomes. */
export class Sql {
  /** One more than there are parameters. */
  readonly texts: ReadonlyArray<string>
  readonly parameters: ReadonlyArray<QueryParameter>
  /** In characters. */
  readonly length: number
  constructor(texts: ReadonlyArray<string>, parameters: ReadonlyArray<QueryParameter>) {
    this.texts = texts
    this.parameters = parameters
    this.length = texts.reduce((sum, one) => sum + one.length, 0)
  }

  /** The text with a placeholder for each parameter, in order. */
  render(placeholder: (index: number, parameter: QueryParameter) => string): string {
    return this.texts.reduce((text, next, index) => text + placeholder(index - 1, this.parameters[index - 1]!) + next)
  }
}

/** Builds SQL from constant text and other SQL. Strings among the values are text: only names that we chose ourselves. */
export const sql = (strings: TemplateStringsArray, ...values: ReadonlyArray<Sql | string | number>): Sql => {
  const texts = [strings[0]!]
  const parameters: Array<QueryParameter> = []
  let length = strings.reduce((sum, one) => sum + one.length, 0)
  for (const [index, value] of values.entries()) {
    const part = value instanceof Sql ? value : text(String(value))
    length += part.length
    if (length > MAX_LENGTH)
      throw new FqlError("limit-exceeded", "", "The question is too complex. Ask for less at a time.")
    texts[texts.length - 1] += part.texts[0]!
    texts.push(...part.texts.slice(1))
    parameters.push(...part.parameters)
    texts[texts.length - 1] += strings[index + 1]!
  }
  return new Sql(texts, parameters)
}

/** Constant text. */
export const text = (constant: string): Sql => new Sql([constant], [])

/** A value, sent apart from the text. */
export const bound = (parameter: QueryParameter): Sql => new Sql(["", ""], [parameter])

export const join = (parts: ReadonlyArray<Sql>, separator: string): Sql =>
  parts.length === 0 ? text("") : parts.slice(1).reduce((all, part) => sql`${all}${text(separator)}${part}`, parts[0]!)

/** `a AND b`; `TRUE` without conditions. */
export const allOf = (conditions: ReadonlyArray<Sql>): Sql =>
  conditions.length === 0
    ? text("TRUE")
    : join(
        conditions.map((condition) => sql`(${condition})`),
        " AND "
      )
