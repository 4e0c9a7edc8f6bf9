import { Result } from "effect"
import { FqlError } from "../fql/FqlError.ts"
import type { Query } from "../fql/schema.ts"
import { dateClause } from "../passes/dateClause.ts"
import type { TimeRange } from "../plan/plan.ts"
import { isUsual } from "../resolve/moments.ts"
import type { PlannedQuestion } from "../resolve/query.ts"
import { periodOf, rangeOf } from "../resolve/ranges.ts"
import type { Warning } from "../resolve/SelectScope.ts"

/** What a question may be compared with, apart from a range of dates. */
export const COMPARISONS: ReadonlyArray<string> = ["previous-period", "previous-year", "previous-year-same-weekday"]

/** What a comparison may be set to, for messages. */
export const COMPARE_VALUES =
  "`previous-period`, `previous-year`, `previous-year-same-weekday`, or a range of dates such as `2026-02`, `lastmonth` or `2026-02-01~2026-02-14`"

/** The field's name does not matter: only the period is used. */
const clauseOf = (value: string) => dateClause("created_at", value) ?? null

/** Conditions on a time that have a beginning and an end. */
const BOUNDED: ReadonlyArray<string> = ["time-interval", "relative-time-interval", "between", "="]

export const isComparison = (value: unknown): value is string =>
  typeof value === "string" && (COMPARISONS.includes(value) || BOUNDED.includes(clauseOf(value)?.[0] ?? ""))

/** From `from` up to, but not including, `until`. */
interface Span {
  readonly from: Temporal.ZonedDateTime
  readonly until: Temporal.ZonedDateTime
}

const isMidnight = (at: Temporal.ZonedDateTime): boolean => at.equals(at.startOfDay())

/** Whether a range consists of days of the calendar, which may have 23 or 25 hours; a range without an end does if it begins with a day. */
export const hasWholeDays = (from: Temporal.ZonedDateTime, until: Temporal.ZonedDateTime | null): boolean =>
  isMidnight(from) && (until === null || isMidnight(until))

/** What the clock says, and 00:00 at the start of a day, also where the clock skips it. */
export const clockOf = (at: Temporal.ZonedDateTime): Temporal.PlainDateTime =>
  isMidnight(at) ? at.toPlainDate().toPlainDateTime() : at.toPlainDateTime()

/** The start of a day that is this far from another. */
const moveDay = (day: Temporal.ZonedDateTime, by: Temporal.DurationLike): Temporal.ZonedDateTime =>
  day.toPlainDate().add(by).toZonedDateTime(day.timeZoneId)

const moveDays = ({ from, until }: Span, by: Temporal.DurationLike): Span => ({
  from: moveDay(from, by),
  until: moveDay(until, by)
})

const isWholeMonths = ({ from, until }: Span): boolean => hasWholeDays(from, until) && from.day === 1 && until.day === 1

/**
 * As many months before whole months (of which a quarter has three and a year twelve), and as many days before other days. `isCounted`: the range
 * is a number of days or weeks, which only happen to be a month.
 */
const previousPeriod = (own: Span, isCounted: boolean): Span => {
  if (!hasWholeDays(own.from, own.until)) {
    return { from: own.from.subtract(own.until.since(own.from)), until: own.from }
  }
  const days = own.from.toPlainDate().until(own.until.toPlainDate(), {
    largestUnit: isWholeMonths(own) && !isCounted ? "month" : "day"
  })
  return moveDays(own, days.negated())
}

const previousYear = (own: Span): Span => {
  if (!hasWholeDays(own.from, own.until)) {
    const from = own.from.subtract({ years: 1 })
    return { from, until: from.add(own.until.since(own.from)) }
  }
  if (isWholeMonths(own)) return moveDays(own, { years: -1 })
  // By its last day: the day after 28 February is not always 1 March.
  const last = moveDay(moveDay(own.until, { days: -1 }), { years: -1 })
  return { from: moveDay(own.from, { years: -1 }), until: moveDay(last, { days: 1 }) }
}

/** 52 weeks earlier. */
const sameWeekdays = (own: Span): Span =>
  hasWholeDays(own.from, own.until)
    ? moveDays(own, { weeks: -52 })
    : { from: own.from.subtract({ weeks: 52 }), until: own.until.subtract({ weeks: 52 }) }

const earlier = (a: Temporal.ZonedDateTime, b: Temporal.ZonedDateTime) =>
  Temporal.ZonedDateTime.compare(a, b) < 0 ? a : b

/** Only as much of the other period as has passed of the question's range: half a month against a whole one would always be a loss. */
const asFarAsNow = (own: Span, other: Span, now: Temporal.ZonedDateTime): Span => {
  if (Temporal.ZonedDateTime.compare(now, own.until) >= 0) return other
  const at = hasWholeDays(own.from, own.until)
    ? clockOf(other.from)
        .add(clockOf(own.from).until(clockOf(now)))
        .toZonedDateTime(now.timeZoneId)
    : other.from.add(own.from.until(now))
  return { from: other.from, until: earlier(at, other.until) }
}

/** The range of a question, up to the end of today or to now if it has no end; null without a beginning, or if nothing is in it yet. */
const spanOf = ({ rows, zone }: PlannedQuestion, now: Temporal.ZonedDateTime): Span | null => {
  if (rows.range.from === null) return null
  const inZone = (iso: string) => Temporal.Instant.from(iso).toZonedDateTimeISO(zone)
  const from = inZone(rows.range.from)
  const today = () => (isMidnight(from) ? moveDay(now, { days: 1 }) : now)
  const until = rows.range.until === null ? today() : inZone(rows.range.until)
  return Temporal.ZonedDateTime.compare(from, until) < 0 && Temporal.ZonedDateTime.compare(from, now) <= 0
    ? { from, until }
    : null
}

const PERIODS: Readonly<Record<string, (own: Span, isCounted: boolean) => Span>> = {
  "previous-period": previousPeriod,
  "previous-year": previousYear,
  "previous-year-same-weekday": sameWeekdays
}

const COUNTED_UNITS: ReadonlyArray<unknown> = ["minute", "hour", "day", "week"]

/** Whether a condition on a time counts units shorter than months from now, as in the last 30 days. */
const countsUnits = (condition: unknown): boolean =>
  Array.isArray(condition) &&
  (["time-interval", "relative-time-interval"].includes(condition[0])
    ? COUNTED_UNITS.includes(condition[3])
    : condition.some(countsUnits))

/** Whether a part of a question makes bins that depend on the rows: in another period, they would be other bins. */
const hasBinsOfRows = (json: unknown): boolean => {
  if (typeof json !== "object" || json === null) return false
  const { binning } = json as { readonly binning?: { readonly strategy?: unknown } | null }
  return (binning != null && binning.strategy !== "bin-width") || Object.values(json).some(hasBinsOfRows)
}

const POINTER = "/settings/compare"

const outOfRange = () => new FqlError("out-of-range", POINTER, "The period to compare with begins before the year 1.")

/** The range to compare with, or why there is none. */
export interface OtherPeriod {
  readonly range: TimeRange | null
  readonly warnings: ReadonlyArray<Warning>
}

const notCompared = (detail: string): OtherPeriod => ({ range: null, warnings: [{ code: "not-compared", detail }] })

/**
 * The range that a question is to be compared with. What cannot be compared is answered on its own, with a warning, since a dashboard
 * compares all of its cards at once. Fails on a comparison that does not exist.
 */
export const otherPeriod = (
  instant: Temporal.Instant,
  query: Query,
  planned: PlannedQuestion
): Result.Result<OtherPeriod, FqlError> => {
  const { aggregation = [], settings } = query
  const compare = settings?.compare
  if (compare === undefined) return Result.succeed({ range: null, warnings: [] })
  if (!isComparison(compare)) {
    return Result.fail(new FqlError("bad-ast", POINTER, `Compare with ${COMPARE_VALUES}.`))
  }
  if (aggregation.length === 0) {
    return Result.succeed(notCompared("Nothing is compared: the question computes no numbers."))
  }
  if (hasBinsOfRows(query)) {
    return Result.succeed(
      notCompared("Nothing is compared: each period has its own bins. Use bins of one width (`bin-width`).")
    )
  }
  // Within a minute, the other period stays the same, so that its answer can be given again.
  const now = instant.toZonedDateTimeISO(planned.zone).round({ smallestUnit: "minute", roundingMode: "floor" })
  const own = spanOf(planned, now)
  if (own === null) {
    return Result.succeed(
      notCompared("Nothing is compared: the question needs a range of time that has begun, such as the last 30 days.")
    )
  }
  const shift = PERIODS[compare]
  if (shift === undefined) return chosenPeriod(instant, compare, planned)
  const other = asFarAsNow(own, shift(own, countsUnits(query.filter)), now)
  return !isUsual(other.from) ? Result.fail(outOfRange()) : Result.succeed({ range: rangeOf(other), warnings: [] })
}

/** A range of dates is compared as a whole: it was chosen so. */
const chosenPeriod = (
  now: Temporal.Instant,
  value: string,
  { weekStart, zone }: PlannedQuestion
): Result.Result<OtherPeriod, FqlError> => {
  try {
    const period = periodOf({ context: { now }, weekStart, zone }, clauseOf(value)!, POINTER)!
    const isEmpty = Temporal.ZonedDateTime.compare(period.from!, period.until!) >= 0
    return isEmpty
      ? Result.fail(new FqlError("out-of-range", POINTER, "The period to compare with ends before it begins."))
      : Result.succeed({ range: rangeOf(period), warnings: [] })
  } catch (cause) {
    // The pointer of a part of the condition leads nowhere in the question.
    if (cause instanceof FqlError) return Result.fail(new FqlError(cause.code, POINTER, cause.detail))
    throw cause
  }
}
