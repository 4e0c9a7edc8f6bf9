import type { Offsets, TruncationUnit, WeekStart } from "./plan.ts"

/** The span for which a zone's offsets are listed when a question does not bound its times. */
const EARLIEST = Temporal.Instant.from("2000-01-01T00:00:00Z")
const AHEAD = Temporal.Duration.from({ hours: 24 * 400 })

/** An instant as bound to queries: UTC, with milliseconds. */
export const isoOf = (instant: Temporal.Instant): string => new Date(instant.epochMilliseconds).toISOString()

/** A zone's offsets between two instants; null for as early or as late as events can be. */
export const offsetsOf = (
  zone: string,
  from: Temporal.Instant | null,
  until: Temporal.Instant | null,
  now: Temporal.Instant
): Offsets => {
  let at = (from ?? EARLIEST).toZonedDateTimeISO(zone)
  const end = until ?? now.add(AHEAD)
  const offsets: Array<Offsets[number]> = []
  for (;;) {
    const next = at.getTimeZoneTransition("next")
    const seconds = at.offsetNanoseconds / 1e9
    const isLast = next === null || Temporal.Instant.compare(next.toInstant(), end) >= 0
    if (next !== null && next.offsetNanoseconds === at.offsetNanoseconds && !isLast) {
      at = next
      continue
    }
    offsets.push({ until: isLast ? null : isoOf(next.toInstant()), seconds })
    if (isLast) return offsets
    at = next
  }
}

/** When the clock changed to what it shows at a time, if it did so at the start of its unit or later; otherwise that start. */
const startByClock = (unit: "minute" | "hour", at: Temporal.ZonedDateTime): Temporal.ZonedDateTime => {
  const { microsecond, millisecond, minute, nanosecond, second } = at
  const minutes = unit === "hour" ? minute : 0
  const start = at.subtract({
    minutes,
    seconds: second,
    milliseconds: millisecond,
    microseconds: microsecond,
    nanoseconds: nanosecond
  })
  return start.offsetNanoseconds === at.offsetNanoseconds ? start : start.getTimeZoneTransition("next")!
}

/**
 * The start of the unit that holds a local time. An hour in which the clock changes by half an hour, as on Lord Howe Island, is two: before and
 * after the change.
 */
export const startOf = (
  unit: TruncationUnit,
  at: Temporal.ZonedDateTime,
  weekStart: WeekStart
): Temporal.ZonedDateTime => {
  switch (unit) {
    case "minute":
    case "hour":
      return startByClock(unit, at)
    case "day":
      return at.startOfDay()
    case "week":
      return at.subtract({ days: weekStart === "monday" ? at.dayOfWeek - 1 : at.dayOfWeek % 7 }).startOfDay()
    case "month":
      return at.with({ day: 1 }).startOfDay()
    case "quarter":
      return at.with({ day: 1, month: at.month - ((at.month - 1) % 3) }).startOfDay()
    case "year":
      return at.with({ day: 1, month: 1 }).startOfDay()
  }
}

/** A duration of `count` units. */
export const spanOf = (unit: TruncationUnit, count: number): Temporal.Duration =>
  unit === "quarter"
    ? Temporal.Duration.from({ months: 3 * count })
    : Temporal.Duration.from({ [`${unit}s`]: count } as Temporal.DurationLike)

/** Moves the start of a unit by `count` units. Stays at a start, also where the clock changes at midnight. */
export const moveBy = (
  unit: TruncationUnit,
  start: Temporal.ZonedDateTime,
  count: number,
  weekStart: WeekStart
): Temporal.ZonedDateTime => startOf(unit, start.add(spanOf(unit, count)), weekStart)

/** What the clock shows. A day begins at midnight, even where the clock skips it: so do the days that engines group by. */
const clockAt = (at: Temporal.ZonedDateTime): Temporal.PlainDateTime =>
  at.equals(at.startOfDay()) ? at.toPlainDate().toPlainDateTime() : at.toPlainDateTime()

/** The wall-clock time at which a unit of time begins, as in `2026-03-28T00:00:00`. */
export const wallTime = (at: Temporal.ZonedDateTime): string => clockAt(at).toString({ smallestUnit: "second" })

/** A bound of wall-clock times, with microseconds. */
export const wallTimeBound = (at: Temporal.ZonedDateTime): string =>
  clockAt(at).toString({ smallestUnit: "microsecond" })

/** With microseconds, as engines have it. */
export const exactWallTime = (at: Temporal.ZonedDateTime): string =>
  at.toPlainDateTime().toString({ smallestUnit: "microsecond" })

/** An instant with the zone's offset, as in `2026-03-28T01:00:00+01:00`. */
export const withOffset = (at: Temporal.ZonedDateTime): string =>
  at.toString({ smallestUnit: "second", timeZoneName: "never" })

const UNIT_SECONDS = { minute: 60, hour: 3_600 } as const

/** The changes of a zone's offset within a minute or an hour by the new clock: that unit begins with the change. */
export const changesWithin = (unit: TruncationUnit, offsets: Offsets): ReadonlyArray<string> =>
  offsets.slice(0, -1).flatMap(({ until }, index) => {
    const local = Date.parse(until!) / 1_000 + offsets[index + 1]!.seconds
    return isByInstant(unit) && local % UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS] !== 0 ? [until!] : []
  })

/** Units that are shorter than every change of a zone's offset, and are grouped by instant. */
export const isByInstant = (unit: TruncationUnit): boolean => unit === "minute" || unit === "hour"
