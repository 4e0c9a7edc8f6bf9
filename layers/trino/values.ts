import { integerOf, type QueryColumn, type QueryType, type QueryValue } from "../../src/ports/QueryEngine.ts"

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

/** `2026-03-28 22:50:00.123 UTC` as an instant with six digits. Other zones than ours come of casts alone, and stay as they are. */
const timestamp = (text: string): string => {
  const found = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?( UTC)?$/.exec(text)
  if (found === null) return text
  const [, date, time, fraction = "", zone] = found
  return `${date}T${time}.${fraction.padEnd(6, "0")}${zone === undefined ? "" : "Z"}`
}

/** A value as Trino's JSON has it, by Trino's name of its type. */
export const toValue = (type: string, value: unknown): QueryValue => {
  if (value === null || value === undefined) return null
  switch (typeOf(type)) {
    case "integer":
      return integerOf(value as number | bigint)
    case "float":
      // `"NaN"` and `"Infinity"` are texts.
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
