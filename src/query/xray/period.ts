import type { Clause } from "../fql/schema.ts"
import { dateClause } from "../passes/dateClause.ts"
import type { TruncationUnit } from "../plan/plan.ts"

/** The default of an x-ray's date: the last 30 complete days. */
export const DEFAULT_DATE = "past30days"

const HOURS_UP_TO_DAYS = 3
const DAYS_UP_TO_DAYS = 92
const WEEKS_UP_TO_DAYS = 731

/** The unit in which a range of this many days is drawn; null: an open or unknown range. */
export const unitFor = (days: number | null): TruncationUnit => {
  if (days === null || days > WEEKS_UP_TO_DAYS) return "month"
  if (days > DAYS_UP_TO_DAYS) return "week"
  return days > HOURS_UP_TO_DAYS ? "day" : "hour"
}

/** The longest that each unit is, in days. */
const DAYS: Readonly<Record<string, number>> = {
  minute: 1 / 1440,
  hour: 1 / 24,
  day: 1,
  week: 7,
  month: 31,
  quarter: 92,
  year: 366
}

/** Whole days since 1970 of a date, a month (its first day), or a time; null if it is something else. */
const dayOf = (value: unknown): number | null => {
  if (typeof value !== "string") return null
  const ms = Date.parse(value.length === 7 ? `${value}-01` : value)
  return Number.isNaN(ms) ? null : ms / 86_400_000
}

const isMonth = (value: unknown): boolean => typeof value === "string" && /^\d{4}-\d{2}$/.test(value)
/** How long a value is itself, in days, as the end of a range. */
const lengthOf = (value: unknown): number => (isMonth(value) ? DAYS["month"]! : 1)

const between = (from: unknown, to: unknown): number | null => {
  const [first, last] = [dayOf(from), dayOf(to)]
  return first === null || last === null ? null : Math.max(last - first + lengthOf(to), 0)
}

/** How many days a condition on a time spans; null if it has no end or is not such a condition. */
export const daysOf = (clause: Clause): number | null => {
  const [name, , first, second] = clause
  switch (name) {
    case "time-interval":
      return (first === "current" ? 1 : Math.abs(Number(first))) * (DAYS[String(second)] ?? Number.NaN)
    case "relative-time-interval":
      return Math.abs(Number(first)) * (DAYS[String(second)] ?? Number.NaN)
    case "between":
      return between(first, second)
    case "=":
      return clause.length === 3 ? lengthOf(first) : null
    default:
      return null
  }
}

/** The unit for a date parameter's value; undefined if it is not one. */
export const unitOfDate = (date: string): TruncationUnit | undefined => {
  const clause = dateClause("created_at", date)
  if (clause === undefined) return undefined
  return unitFor(clause === null ? null : daysOf(clause))
}
