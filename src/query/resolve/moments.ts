import { below, FqlError } from "../fql/FqlError.ts"
import { didYouMean } from "../fql/suggest.ts"
import { TRUNCATION_UNITS, type TruncationUnit } from "../plan/plan.ts"
import { moveBy, spanOf, startOf } from "../plan/time.ts"
import type { Build } from "./SelectScope.ts"

/** What a period in words depends on. */
export type Calendar = Pick<Build, "zone" | "weekStart"> & { readonly context: Pick<Build["context"], "now"> }

/** A range of time in the report's zone, from `from` up to but not including `until`. Null is open. */
export interface Period {
  readonly from: Temporal.ZonedDateTime | null
  readonly until: Temporal.ZonedDateTime | null
}

const DATE = /^(\d{4})-(\d{2})(?:-(\d{2}))?$/
const TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?$/

/** The years 1 to 9999, which every engine accepts, to the microsecond. */
const YEARS = { first: "0001-01-01T00:00:00", last: "9999-12-31T23:59:59.999999" } as const

const { compare } = Temporal.ZonedDateTime
const later = (a: Temporal.ZonedDateTime, b: Temporal.ZonedDateTime) => (compare(a, b) < 0 ? b : a)
const earlier = (a: Temporal.ZonedDateTime, b: Temporal.ZonedDateTime) => (compare(a, b) < 0 ? a : b)

/** The first and the last time within those years both in UTC and in a zone. */
const usualIn = (zone: string) => {
  const inUtc = (at: string) => Temporal.Instant.from(`${at}Z`).toZonedDateTimeISO(zone)
  const inZone = (at: string) => Temporal.PlainDateTime.from(at).toZonedDateTime(zone)
  return {
    first: later(inUtc(YEARS.first), inZone(YEARS.first)),
    last: earlier(inUtc(YEARS.last), inZone(YEARS.last))
  }
}

/** Whether every engine accepts a time. */
export const isUsual = (at: Temporal.ZonedDateTime): boolean => {
  const { first, last } = usualIn(at.timeZoneId)
  return compare(first, at) <= 0 && compare(at, last) <= 0
}

const notATime = (given: unknown, pointer: string) =>
  new FqlError(
    "type-mismatch",
    pointer,
    `${JSON.stringify(given)} is not a time. Write a date such as "2026-03-28" or a time such as "2026-03-28T22:50:00".`
  )

/** The span that a date or time covers: a date its whole day, a month its month, a time its millisecond. All within the years 1 to 9999. */
export const momentOf = (
  build: Calendar,
  given: unknown,
  pointer: string
): { readonly from: Temporal.ZonedDateTime; readonly until: Temporal.ZonedDateTime } => {
  if (Array.isArray(given)) return relativeMoment(build, given, pointer)
  if (typeof given !== "string") throw notATime(given, pointer)
  const { zone } = build
  try {
    const date = DATE.exec(given)
    if (date !== null) {
      const [, , , day] = date
      const first = Temporal.PlainDate.from(day === undefined ? `${given}-01` : given)
      const next = first.add(day === undefined ? { months: 1 } : { days: 1 })
      return checked(first.toZonedDateTime(zone), next.toZonedDateTime(zone), given, pointer)
    }
    const time = TIME.exec(given)
    if (time !== null) {
      const at =
        time[1] === undefined
          ? Temporal.PlainDateTime.from(given.replace(" ", "T")).toZonedDateTime(zone)
          : Temporal.Instant.from(given.replace(" ", "T")).toZonedDateTimeISO(zone)
      const hasMicros = /\.\d{4,6}/.test(given)
      const until = hasMicros
        ? at.add({ microseconds: 1 })
        : at.round({ smallestUnit: "millisecond", roundingMode: "floor" }).add({ milliseconds: 1 })
      return checked(at, until, given, pointer)
    }
  } catch (cause) {
    // The pattern matched, but there is no such day or hour.
    if (!(cause instanceof RangeError)) throw cause
  }
  throw notATime(given, pointer)
}

const checked = (from: Temporal.ZonedDateTime, until: Temporal.ZonedDateTime, given: unknown, pointer: string) => {
  const { first, last } = usualIn(from.timeZoneId)
  if (compare(until, first) <= 0 || compare(from, last) > 0) {
    throw new FqlError("out-of-range", pointer, `${JSON.stringify(given)} is not within the years 1 to 9999.`)
  }
  return { from: later(from, first), until: earlier(until, last) }
}

const RELATIVE = ["now", "today", "relative-datetime"]

/** Whether a value is computed per row, unlike a constant or a relative moment. */
export const isClause = (given: unknown): given is ReadonlyArray<unknown> =>
  Array.isArray(given) && !RELATIVE.includes(String(given[0]))

/** `["now"]`, `["today"]` or `["relative-datetime", -3, "day"]`. */
const relativeMoment = (build: Calendar, clause: ReadonlyArray<unknown>, pointer: string) => {
  const now = nowIn(build)
  const [name, count, unit] = clause
  if (name === "now" && clause.length === 1) return { from: now, until: now.add({ milliseconds: 1 }) }
  if (name === "today" && clause.length === 1) {
    const today = now.startOfDay()
    return { from: today, until: today.add({ days: 1 }) }
  }
  if (name === "relative-datetime") {
    if (count === "current" && clause.length === 2) return { from: now, until: now.add({ milliseconds: 1 }) }
    const named = truncationUnit(unit, below(pointer, 2))
    const at = now.add(spanOf(named, wholeNumber(count, below(pointer, 1))))
    return checked(at, at.add({ milliseconds: 1 }), clause, pointer)
  }
  throw notATime(clause, pointer)
}

export const nowIn = (build: Calendar): Temporal.ZonedDateTime => build.context.now.toZonedDateTimeISO(build.zone)

/** More units than this reach past the years that engines accept. */
const MAX_UNITS = 100_000

export const wholeNumber = (given: unknown, pointer: string): number => {
  if (typeof given !== "number" || !Number.isInteger(given) || Math.abs(given) > MAX_UNITS) {
    throw new FqlError(
      "bad-ast",
      pointer,
      `${JSON.stringify(given)} is not a whole number between -${MAX_UNITS} and ${MAX_UNITS}.`
    )
  }
  return given
}

export const truncationUnit = (given: unknown, pointer: string): TruncationUnit => {
  const unit = TRUNCATION_UNITS.find((one) => one === given)
  if (unit !== undefined) return unit
  const meant = typeof given === "string" ? didYouMean(given, TRUNCATION_UNITS) : ""
  throw new FqlError(
    "bad-unit",
    pointer,
    `${JSON.stringify(given) ?? "Nothing"} is not a unit of time: use ${TRUNCATION_UNITS.join(", ")}.${meant}`
  )
}

/** The arguments of `time-interval` after the field: `n`, `unit` and options. */
export const intervalOf = (build: Calendar, args: ReadonlyArray<unknown>, pointer: string): Period => {
  const [given, unitGiven, options] = args
  const unit = truncationUnit(unitGiven, below(pointer, 3))
  const count = typeof given === "string" ? namedCount(given, below(pointer, 2)) : wholeNumber(given, below(pointer, 2))
  const isRunningIncluded = includesCurrent(options, below(pointer, 4))
  return inYears(pointer, () => {
    const start = startOf(unit, nowIn(build), build.weekStart)
    const move = (by: number) => moveBy(unit, start, by, build.weekStart)
    if (count === 0) return { from: start, until: move(1) }
    return count < 0
      ? { from: move(count), until: isRunningIncluded ? move(1) : start }
      : { from: isRunningIncluded ? start : move(1), until: move(count + 1) }
  })
}

/** The arguments of `relative-time-interval`: an interval of complete units, shifted by other units. */
export const shiftedIntervalOf = (build: Calendar, args: ReadonlyArray<unknown>, pointer: string): Period => {
  const [count, unit, offset, offsetUnit] = args
  const by = spanOf(truncationUnit(offsetUnit, below(pointer, 5)), wholeNumber(offset, below(pointer, 4)))
  const { from, until } = intervalOf(build, [count, unit], pointer)
  return inYears(pointer, () => ({ from: from!.add(by), until: until!.add(by) }))
}

/** A calculation with times that must stay within the years that every engine accepts. */
const inYears = (
  pointer: string,
  period: () => { readonly from: Temporal.ZonedDateTime; readonly until: Temporal.ZonedDateTime }
) => {
  try {
    const { from, until } = period()
    if (isUsual(from) && isUsual(until)) return { from, until }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
  }
  throw new FqlError("out-of-range", pointer, "The range is not within the years 1 to 9999.")
}

const namedCount = (given: string, pointer: string): number => {
  const counts: Readonly<Record<string, number>> = { current: 0, last: -1, next: 1 }
  const count = Object.hasOwn(counts, given) ? counts[given] : undefined
  if (count === undefined) {
    throw new FqlError(
      "bad-ast",
      pointer,
      `${JSON.stringify(given)} is not a number of units: use a number, "current", "last" or "next".`
    )
  }
  return count
}

const includesCurrent = (options: unknown, pointer: string): boolean => {
  if (options === undefined || options === null) return false
  if (typeof options === "object" && !Array.isArray(options)) {
    const unknown = Object.keys(options).find((key) => key !== "include-current")
    const flag = (options as { readonly "include-current"?: unknown })["include-current"]
    if (unknown === undefined && (flag === undefined || typeof flag === "boolean")) return flag === true
  }
  throw new FqlError("bad-ast", pointer, "The only option of an interval is `include-current`, true or false.")
}
