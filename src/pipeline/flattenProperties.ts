import { Exit } from "effect"
import { SIZE } from "../domain/columnSizes.ts"
import { DataType, type Property } from "../domain/Event.ts"
import { cut } from "../lib/strings.ts"
import { MAX_DATA_DEPTH, MAX_FLATTEN_DEPTH, MAX_NUMBER, MAX_PROPERTIES } from "./limits.ts"
import { payloadError } from "./payload.ts"
import type { Step } from "./Step.ts"

const NONE: ReadonlyArray<Property> = []

/** Times outside of these years stay strings: few programs can read them. */
const YEAR_1 = Date.parse("0001-01-01T00:00:00Z")
const YEAR_10000 = Date.parse("9999-12-31T23:59:59.999Z") + 1

/** What Umami 3.1 recognizes as a date; plain days, and `…05Z` without milliseconds, stay strings. */
const DATE_PATTERN = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3}(Z|\+\d{2}:\d{2})?)?$/

/**
 * Umami's `flattenJSON`: depth first in key order, `parent.child` keys, one typed property for each leaf. A key
 * that occurs twice keeps its last value. Rejects data nested deeper than `MAX_DATA_DEPTH`.
 */
export const flattenProperties: Step = (draft) => {
  const data = draft.type === "performance" ? undefined : draft.payload.data
  draft.properties = NONE
  if (data === undefined) return Exit.void
  if (!isShallowerThan(data, MAX_DATA_DEPTH)) {
    return Exit.fail(payloadError("data", `Too deep: expected at most ${MAX_DATA_DEPTH} levels`))
  }
  draft.properties = propertiesOf(data)
  return Exit.void
}

/** One typed property for each leaf of an object. */
export const propertiesOf = (data: Readonly<Record<string, unknown>>): ReadonlyArray<Property> => {
  const properties = new Map<string, Property>()
  collect(data, "", 1, properties)
  return properties.size === 0 ? NONE : [...properties.values()]
}

const collect = (
  object: Readonly<Record<string, unknown>>,
  prefix: string,
  depth: number,
  into: Map<string, Property>
): void => {
  for (const name of Object.keys(object)) {
    if (into.size >= MAX_PROPERTIES) return
    const value = object[name]
    const path = prefix === "" ? name : `${prefix}.${name}`
    if (depth < MAX_FLATTEN_DEPTH && typeof value === "object" && value !== null && !Array.isArray(value)) {
      collect(value as Readonly<Record<string, unknown>>, path, depth + 1, into)
    } else {
      const key = cut(path, SIZE.dataKey)
      into.set(key, property(key, value))
    }
  }
}

const property = (key: string, value: unknown): Property => {
  switch (typeof value) {
    case "string":
      return stringOrDate(key, value)
    case "number":
      return {
        key,
        type: DataType.number,
        string: value.toFixed(4),
        number: Math.abs(value) < MAX_NUMBER ? value : null,
        date: null
      }
    case "boolean":
      return { key, type: DataType.boolean, string: value ? "true" : "false", number: null, date: null }
    default:
      return {
        key,
        type: DataType.array,
        string: jsonUpTo(value, SIZE.stringValue),
        number: null,
        date: null
      }
  }
}

/** A JSON value within a number of characters. What is too long is cut between its elements, so that it stays JSON. */
const jsonUpTo = (value: unknown, limit: number): string => {
  const json = cut(JSON.stringify(value), Number.POSITIVE_INFINITY)
  if (json.length <= limit) return json
  const isArray = Array.isArray(value)
  const [open, close] = isArray ? "[]" : "{}"
  const elements = isArray
    ? value.map((element) => JSON.stringify(element))
    : Object.entries(value as object).map(([key, element]) => `${JSON.stringify(key)}:${JSON.stringify(element)}`)
  let kept = ""
  for (const element of elements) {
    const longer = kept === "" ? element : `${kept},${element}`
    if (longer.length + 2 > limit) break
    kept = longer
  }
  return `${open}${cut(kept, limit)}${close}`
}

const stringOrDate = (key: string, value: string): Property => {
  if (value.length <= 29 && DATE_PATTERN.test(value)) {
    const date = new Date(value)
    const time = date.getTime()
    if (time >= YEAR_1 && time < YEAR_10000)
      return { key, type: DataType.date, string: date.toISOString(), number: null, date: time }
  }
  return { key, type: DataType.string, string: cut(value, SIZE.stringValue), number: null, date: null }
}

/** Without recursion, so that hostile nesting cannot exhaust the stack. */
const isShallowerThan = (root: object, limit: number): boolean => {
  let level: Array<object> = [root]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth === limit) return false
    const next: Array<object> = []
    for (const object of level) {
      for (const value of Array.isArray(object) ? object : Object.values(object)) {
        if (typeof value === "object" && value !== null) next.push(value)
      }
    }
    level = next
  }
  return true
}
