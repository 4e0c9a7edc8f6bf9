import type { QueryDialect, QueryParameter } from "../ports/QueryEngine.ts"

/** The types of Postgres and DuckDB. Decimals are as wide as the columns. */
const TYPES: Readonly<Record<QueryParameter["type"], string>> = {
  text: "text",
  integer: "bigint",
  decimal: "numeric(19, 4)",
  boolean: "boolean",
  timestamp: "timestamptz",
  site: "uuid"
}

/** Collects the parameters of a query while its SQL is built. Each is used once, in the order of the SQL. */
export class Binding {
  readonly parameters: Array<QueryParameter> = []
  readonly #dialect: QueryDialect
  constructor(dialect: QueryDialect) {
    this.#dialect = dialect
  }

  /** Adds a parameter and returns its placeholder. */
  add(parameter: QueryParameter): string {
    this.parameters.push(parameter)
    return this.#dialect === "trino" ? "?" : `CAST($${this.parameters.length} AS ${TYPES[parameter.type]})`
  }
}
