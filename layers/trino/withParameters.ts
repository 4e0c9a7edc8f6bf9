import type { QueryParameter, Question } from "../../src/ports/QueryEngine.ts"

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** Trino's literal of the value, of exactly the parameter's type. */
export const literal = (parameter: QueryParameter): string => {
  switch (parameter.type) {
    case "text":
      return quoted(parameter.value)
    case "integer":
      return `BIGINT ${quoted(String(parameter.value))}`
    case "decimal":
      return `DECIMAL ${quoted(parameter.value)}`
    case "boolean":
      return String(parameter.value)
    case "timestamp":
      return `TIMESTAMP ${quoted(parameter.value.replace("T", " ").replace(/Z$/, " UTC"))}`
  }
}

/**
 * The statement with its parameters beside it. They are literals of a list of their own, never part of the question's text:
 * https://trino.io/docs/current/sql/execute-immediate.html
 */
export const withParameters = ({ parameters, sql }: Question): string =>
  parameters.length === 0 ? sql : `EXECUTE IMMEDIATE ${quoted(sql)} USING ${parameters.map(literal).join(", ")}`
