import type {
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBMapValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBType,
  DuckDBValue
} from "@duckdb/node-api"
import { exactInteger } from "../../src/lib/exactInteger.ts"
import { isoMicros } from "../../src/lib/isoMicros.ts"
import { QueryError, type QueryType, type QueryValue } from "../../src/ports/QueryEngine.ts"

/** By DuckDB's name of the type, since DuckDB's module is loaded later. */
const TYPES: Readonly<Record<string, QueryType>> = {
  VARCHAR: "text",
  UUID: "text",
  BOOLEAN: "boolean",
  DATE: "date",
  TINYINT: "integer",
  SMALLINT: "integer",
  INTEGER: "integer",
  BIGINT: "integer",
  HUGEINT: "integer",
  UTINYINT: "integer",
  USMALLINT: "integer",
  UINTEGER: "integer",
  UBIGINT: "integer",
  UHUGEINT: "integer",
  FLOAT: "float",
  DOUBLE: "float",
  TIMESTAMP: "timestamp",
  "TIMESTAMP WITH TIME ZONE": "timestamp",
  "MAP(VARCHAR, VARCHAR)": "map"
}

export const typeOf = (type: DuckDBType): QueryType => {
  const name = String(type)
  return name.startsWith("DECIMAL") ? "decimal" : (TYPES[name] ?? "other")
}

const DAY_MICROS = 86_400_000_000n

/** Converts the values of a type other than null. Made once for each column, since looking the type up takes longer than converting a value. */
export const converterOf = (type: DuckDBType): ((value: DuckDBValue) => QueryValue) => {
  switch (typeOf(type)) {
    case "integer":
      return (value) => exactInteger(value as number | bigint)
    case "float":
      return (value) => float(value as number)
    case "boolean":
      return (value) => value as boolean
    case "decimal":
      return (value) => decimal(value as DuckDBDecimalValue)
    case "date":
      return (value) => isoMicros(BigInt((value as DuckDBDateValue).days) * DAY_MICROS)?.split("T")[0] ?? String(value)
    case "timestamp": {
      const zone = String(type) === "TIMESTAMP" ? "" : "Z"
      return (value) => {
        const iso = isoMicros((value as DuckDBTimestampValue | DuckDBTimestampTZValue).micros)
        return iso === null ? String(value) : `${iso}${zone}`
      }
    }
    case "map":
      return (value) =>
        Object.fromEntries(
          (value as DuckDBMapValue).entries.map(({ key, value }) => [
            String(key),
            value === null ? null : String(value)
          ])
        )
    default:
      return String
  }
}

/** No stored number is infinite: one was computed that is too large for a double, which is an error in Postgres. */
const float = (value: number): number => {
  if (Math.abs(value) !== Number.POSITIVE_INFINITY) return value
  throw new QueryError({ reason: "OutOfRange", message: "DuckDB: a number is too large for a double." })
}

const decimal = ({ scale, value }: DuckDBDecimalValue): string => {
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0")
  const sign = value < 0n ? "-" : ""
  return scale === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}
