import { DataType, type Property } from "./Event.ts"

/** How the values of a property are read. Arrays are text. */
export const PROPERTY_TYPES = ["text", "number", "boolean", "date"] as const
export type PropertyType = (typeof PROPERTY_TYPES)[number]

/** What kinds of values a property may have had. A `numeric` is a string that looks like a number. */
export const VALUE_KINDS = ["string", "numeric", "number", "boolean", "date", "array"] as const
export type ValueKind = (typeof VALUE_KINDS)[number]

/** How many values there were of each kind. */
export type ValueCounts = Readonly<Record<ValueKind, number>>

/** A date of a property as text, as the collector writes it: a regular expression that every engine understands. */
export const DATE_TEXT = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z$"

/** The strings that questions read as numbers: `decimalPattern` of the dialects. */
const NUMERIC = /^ *[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15}) *$/

/** Whether questions read this string as a number. Most strings are decided by their first character. */
const isNumeric = (value: string): boolean => value.charCodeAt(0) <= NINE && NUMERIC.test(value)
const NINE = "9".charCodeAt(0)

export const kindOf = ({ string, type }: Pick<Property, "string" | "type">): ValueKind => {
  switch (type) {
    case DataType.string:
      return isNumeric(string) ? "numeric" : "string"
    case DataType.number:
      return "number"
    case DataType.boolean:
      return "boolean"
    case DataType.date:
      return "date"
    case DataType.array:
      return "array"
  }
}

/** The type that every value has: numbers and strings that look like numbers, booleans, or dates; otherwise text. */
export const typeOfCounts = (counts: ValueCounts): PropertyType => {
  const kinds = VALUE_KINDS.filter((kind) => counts[kind] > 0)
  if (kinds.length === 0) return "text"
  if (kinds.every((kind) => kind === "number" || kind === "numeric")) return "number"
  if (kinds.length > 1) return "text"
  return kinds[0] === "boolean" || kinds[0] === "date" ? kinds[0] : "text"
}
