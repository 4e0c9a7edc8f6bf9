import { exactInteger } from "../../src/lib/exactInteger.ts"
import type { QueryColumn, QueryType, QueryValue } from "../../src/ports/QueryEngine.ts"

const TYPES: ReadonlyArray<readonly [RegExp, QueryType]> = [
  [/^(?:varchar|char|uuid|ipaddress)/, "text"],
  [/^(?:tinyint|smallint|integer|bigint)$/, "integer"],
  [/^decimal/, "decimal"],
  [/^(?:double|real)$/, "float"],
  [/^boolean$/, "boolean"],
  [/^date$/, "date"],
  [/^timestamp/, "timestamp"],
  [/^map\(varchar(?:\(\d+\))?, ?varchar(?:\(\d+\))?\)$/, "map"]
]

const typeOf = (type: string): QueryType => TYPES.find(([pattern]) => pattern.test(type))?.[1] ?? "other"

export const columnOf = ({ name, type }: { readonly name: string; readonly type: string }): QueryColumn => ({
  name,
  type: typeOf(type)
})

/** `2026-03-28 22:50:00.123 UTC` in ISO 8601 with six fractional digits. Other time zones, which only casts produce, are left unchanged. */
const timestamp = (value: string): string => {
  const found = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?( UTC)?$/.exec(value)
  if (found === null) return value
  const [, date, time, fraction = "", zone] = found
  return `${date}T${time}.${fraction.padEnd(6, "0")}${zone === undefined ? "" : "Z"}`
}

/** Converts a value of Trino's JSON. `type` is Trino's name of its type. */
export const toValue = (type: string, value: unknown): QueryValue => {
  if (value === null || value === undefined) return null
  switch (typeOf(type)) {
    case "integer":
      return exactInteger(value as number | bigint)
    case "float":
      // NaN and Infinity are strings in JSON.
      return Number(value)
    case "boolean":
      return value === true
    case "timestamp":
      return timestamp(String(value))
    case "map":
      return value as Readonly<Record<string, string | null>>
    case "other":
      return typeof value === "string"
        ? value
        : JSON.stringify(value, (_, part) => (typeof part === "bigint" ? String(part) : part))
    default:
      return String(value)
  }
}
