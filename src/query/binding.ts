import type { QueryDialect, QueryParameter } from "../ports/QueryEngine.ts"

/** PostgreSQL's and DuckDB's types of the same meaning; decimals as wide as ours are. */
const TYPES: Readonly<Record<QueryParameter["type"], string>> = {
  text: "text",
  integer: "bigint",
  decimal: "numeric(19, 4)",
  boolean: "boolean",
  timestamp: "timestamptz"
}

/** The parameters of a question that is being written. Each takes its place in the SQL's own order, once. */
export class Binding {
  readonly parameters: Array<QueryParameter> = []
  readonly #dialect: QueryDialect
  constructor(dialect: QueryDialect) {
    this.#dialect = dialect
  }

  /** The SQL that stands for the value. */
  add(parameter: QueryParameter): string {
    this.parameters.push(parameter)
    return this.#dialect === "trino" ? "?" : `CAST($${this.parameters.length} AS ${TYPES[parameter.type]})`
  }
}
