import type { QueryParameter } from "../../ports/QueryEngine.ts"
import { FqlError } from "../fql/FqlError.ts"

/** In characters. Functions that repeat their arguments could otherwise let a small question become a huge statement. */
const MAX_LENGTH = 500_000

type Part = string | QueryParameter | Sql

const lengthOf = (part: Part): number => (typeof part === "string" || part instanceof Sql ? part.length : 0)

/** Text with holes for parameters: one text more than there are parameters. */
interface Flat {
  readonly texts: Array<string>
  readonly parameters: Array<QueryParameter>
}

/** SQL text with holes for parameters. Values never become text, so a question cannot change the statement it becomes. */
export class Sql {
  /** In characters. */
  readonly length: number
  /** Put together only where it is needed: most SQL becomes part of other SQL. */
  readonly #parts: ReadonlyArray<Part>
  #flat: Flat | null = null
  constructor(parts: ReadonlyArray<Part>) {
    this.#parts = parts
    this.length = parts.reduce((sum, part) => sum + lengthOf(part), 0)
    if (this.length > MAX_LENGTH)
      throw new FqlError("limit-exceeded", "", "The question is too complex. Ask for less at a time.")
  }

  /** One more than there are parameters. */
  get texts(): ReadonlyArray<string> {
    return this.#flattened.texts
  }

  get parameters(): ReadonlyArray<QueryParameter> {
    return this.#flattened.parameters
  }

  /** The text with a placeholder for each parameter, in order. */
  render(placeholder: (index: number, parameter: QueryParameter) => string): string {
    const { parameters, texts } = this.#flattened
    return texts.reduce((text, next, index) => text + placeholder(index - 1, parameters[index - 1]!) + next)
  }

  get #flattened(): Flat {
    if (this.#flat === null) {
      this.#flat = { texts: [""], parameters: [] }
      this.#addTo(this.#flat)
    }
    return this.#flat
  }

  #addTo(flat: Flat): void {
    for (const part of this.#parts) {
      if (typeof part === "string") flat.texts[flat.texts.length - 1] += part
      else if (part instanceof Sql) part.#addTo(flat)
      else {
        flat.parameters.push(part)
        flat.texts.push("")
      }
    }
  }
}

/** Builds SQL from constant text and other SQL. Strings among the values are text: only names that we chose ourselves. */
export const sql = (strings: TemplateStringsArray, ...values: ReadonlyArray<Sql | string | number>): Sql =>
  new Sql(
    strings.flatMap((constant, index) => {
      const value = values[index]
      return value === undefined ? [constant] : [constant, typeof value === "number" ? String(value) : value]
    })
  )

/** Constant text. */
export const text = (constant: string): Sql => new Sql([constant])

/** A value, sent apart from the text. */
export const bound = (parameter: QueryParameter): Sql => new Sql([parameter])

export const join = (parts: ReadonlyArray<Sql>, separator: string): Sql =>
  new Sql(parts.flatMap((part, index) => (index === 0 ? [part] : [separator, part])))

/** `a AND b`; `TRUE` without conditions. */
export const allOf = (conditions: ReadonlyArray<Sql>): Sql =>
  conditions.length === 0
    ? text("TRUE")
    : join(
        conditions.map((condition) => sql`(${condition})`),
        " AND "
      )
