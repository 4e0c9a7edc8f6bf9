import { sqlLiteral } from "../../src/lib/sqlLiteral.ts"
import type { Query, QueryParameter } from "../../src/ports/QueryEngine.ts"

/** A Trino literal with exactly the parameter's type. */
export const literalOf = (parameter: QueryParameter): string => {
  switch (parameter.type) {
    case "text":
    case "site":
      return sqlLiteral(parameter.value)
    case "integer":
      return `BIGINT ${sqlLiteral(String(parameter.value))}`
    case "decimal":
      return `DECIMAL ${sqlLiteral(parameter.value)}`
    case "boolean":
      return String(parameter.value)
    case "timestamp":
      return `TIMESTAMP ${sqlLiteral(parameter.value.replace("T", " ").replace(/Z$/, " UTC"))}`
  }
}

/**
 * The statement that runs a query with its parameters. They are a separate list of literals, never part of the query's SQL:
 * https://trino.io/docs/current/sql/execute-immediate.html
 */
export const withParameters = ({ parameters, sql }: Query): string =>
  parameters.length === 0 ? sql : `EXECUTE IMMEDIATE ${sqlLiteral(sql)} USING ${parameters.map(literalOf).join(", ")}`
