import { type Query, QueryError } from "../../src/ports/QueryEngine.ts"
import { LAKE_NAMESPACE } from "../../src/settings/settings.ts"
import type { TrinoOptions } from "./options.ts"
import { type Failure, MESSAGE_LENGTH } from "./TrinoClient.ts"

/** Trino's error names: https://github.com/trinodb/trino/blob/master/core/trino-spi/src/main/java/io/trino/spi/StandardErrorCode.java */
const TIMEOUT_ERRORS = ["EXCEEDED_TIME_LIMIT", "ABANDONED_QUERY"]
const TABLE_ERRORS = ["TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND"]
const CATALOG_ERRORS = ["CATALOG_NOT_FOUND", "MISSING_CATALOG_NAME"]

const noLake = (errorName: string, { catalog, schema }: TrinoOptions, tables: ReadonlyArray<string>) =>
  new QueryError({
    reason: "Missing",
    message: CATALOG_ERRORS.includes(errorName)
      ? `Trino has no catalog ${catalog}. Set TRINO_CATALOG to the one that contains the lake.`
      : `Trino finds no ${tables.join(" and ")} in ${catalog}.${schema}. The first flush creates the tables; TRINO_CATALOG and ${LAKE_NAMESPACE.env} say where.`
  })

/** The error of a query, from the one in its last page. */
export const failureOf = (
  { errorName = "", errorType, message = errorName }: typeof Failure.Type,
  options: TrinoOptions,
  { tables }: Query
): QueryError => {
  if (tables.length > 0 && [...TABLE_ERRORS, ...CATALOG_ERRORS].includes(errorName)) {
    return noLake(errorName, options, tables)
  }
  const reason = TIMEOUT_ERRORS.includes(errorName)
    ? "Timeout"
    : errorName === "NUMERIC_VALUE_OUT_OF_RANGE"
      ? "OutOfRange"
      : errorType === "USER_ERROR"
        ? "Invalid"
        : errorType === "INSUFFICIENT_RESOURCES"
          ? "TooLarge"
          : "Unavailable"
  return new QueryError({ reason, message: `Trino: ${message.slice(0, MESSAGE_LENGTH)} (${errorName})` })
}
