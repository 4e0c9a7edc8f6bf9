import type { Clause } from "../fql/schema.ts"
import { isClause } from "../fql/schema.ts"
import { isTruncationUnit } from "../passes/dateClause.ts"
import type { TruncationUnit } from "../plan/plan.ts"

type Options = Readonly<Record<string, unknown>>

const STEPS: Readonly<Record<TruncationUnit, Temporal.DurationLike>> = {
  minute: { minutes: 1 },
  hour: { hours: 1 },
  day: { days: 1 },
  week: { weeks: 1 },
  month: { months: 1 },
  quarter: { months: 3 },
  year: { years: 1 }
}

/** Where the bucket that begins here ends; null if it is not the time of a bucket. Hours and minutes have an offset. */
const endOf = (start: string, unit: TruncationUnit): string | null => {
  try {
    if (/(?:Z|[+-]\d{2}:\d{2})$/.test(start)) {
      const hours = { minute: { minutes: 1 }, hour: { hours: 1 } }[unit as "minute" | "hour"]
      return hours === undefined ? null : Temporal.Instant.from(start).add(hours).toString()
    }
    return Temporal.PlainDateTime.from(start).add(STEPS[unit]).toString({ smallestUnit: "second" })
  } catch {
    return null
  }
}

/** A clicked bucket of a time or a histogram, as the range that it stands for. */
const bucketRange = ([name, dimension, value, ...more]: Clause): Clause | null => {
  if (name !== "=" || more.length > 0 || !isClause(dimension)) return null
  const options = (dimension[2] ?? {}) as Options
  const { "temporal-unit": unit, binning, ...rest } = options
  const plain = (Object.keys(rest).length === 0
    ? [dimension[0], dimension[1]]
    : [dimension[0], dimension[1], rest]) as unknown as Clause
  const width = (binning as Options | undefined)?.["bin-width"]
  if (typeof width === "number" && typeof value === "number") {
    return ["and", [">=", plain, value], ["<", plain, value + width]]
  }
  if (!isTruncationUnit(unit) || typeof value !== "string") return null
  const end = endOf(value, unit)
  return end === null ? null : ["and", [">=", plain, value], ["<", plain, end]]
}

/**
 * The condition that a clicked point stands for. A chart has the start of a bucket, as in `["=", ["field", "created_at",
 * {"temporal-unit": "week"}], "2026-03-30T00:00:00"]`; its rows are those of the whole bucket.
 */
export const cellFilter = (clause: Clause): Clause => {
  const [name, ...args] = clause
  if (name === "and" || name === "or" || name === "not") {
    return [name, ...args.map((arg) => (isClause(arg) ? cellFilter(arg) : arg))]
  }
  return bucketRange(clause) ?? clause
}

/** The names of the fields, properties and custom columns in a condition. */
export const namesIn = (condition: unknown): ReadonlySet<string> => {
  const names = new Set<string>()
  const visit = (clause: unknown): void => {
    if (!isClause(clause)) return
    const [name, first, ...args] = clause
    if (name === "field" || name === "prop" || name === "attr" || name === "expression") {
      if (typeof first === "string") names.add(first.split(".").at(-1)!)
      return
    }
    if (name !== "and" && name !== "or" && name !== "not" && typeof first === "string")
      names.add(first.split(".").at(-1)!)
    visit(first)
    for (const arg of args) visit(arg)
  }
  visit(condition)
  return names
}
