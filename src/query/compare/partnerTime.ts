import type { TruncationUnit } from "../plan/plan.ts"
import { isByInstant, startOf, withOffset } from "../plan/time.ts"
import type { PlannedQuestion } from "../resolve/query.ts"
import { clockOf, hasWholeDays } from "./otherPeriod.ts"

const dateOf = (label: string): string => label.split("T")[0]!

/** Computed times are by the clock: their hours and minutes have no offset. */
const hasOffset = (label: string): boolean => /[+-]\d{2}:\d{2}$/.test(label)

/** A bucket's start as part of a group's key: a date, or a moment, with its offset if it has one. */
export const timeKey = (unit: TruncationUnit, label: string): string => (isByInstant(unit) ? label : dateOf(label))

/** The key of the bucket in the other period; null if that period does not have it. */
type PartnerTime = (unit: TruncationUnit, label: string) => string | null

/**
 * Which bucket of the other period meets a bucket of a question's range: the one that is as far from the start of its range. In ranges of
 * whole days, 15:00 meets 15:00 whatever the clock does in between; an hour that one day has and the other lacks meets none.
 */
export const partnerTimes = (own: PlannedQuestion, other: PlannedQuestion): PartnerTime => {
  const { weekStart, zone } = own
  const inZone = (iso: string) => Temporal.Instant.from(iso).toZonedDateTimeISO(zone)
  const from = inZone(own.rows.range.from!)
  const [otherFrom, otherUntil] = [inZone(other.rows.range.from!), inZone(other.rows.range.until!)]
  const isByClock = hasWholeDays(from, own.rows.range.until === null ? null : inZone(own.rows.range.until))
  const isWithin = (at: Temporal.ZonedDateTime) => Temporal.ZonedDateTime.compare(at, otherUntil) < 0

  const hour: PartnerTime = (unit, label) => {
    const at = Temporal.Instant.from(label).toZonedDateTimeISO(zone)
    const [start, otherStart] = [startOf(unit, from, weekStart), startOf(unit, otherFrom, weekStart)]
    const partner = isByClock ? sameClock(at, start, otherStart) : otherStart.add(start.until(at))
    return partner !== null && isWithin(partner) ? withOffset(partner) : null
  }

  const clock: PartnerTime = (unit, label) => {
    const [start, otherStart] = [startOf(unit, from, weekStart), startOf(unit, otherFrom, weekStart)]
    const partner = clockOf(otherStart).add(clockOf(start).until(Temporal.PlainDateTime.from(label)))
    return isWithin(partner.toZonedDateTime(zone)) ? partner.toString({ smallestUnit: "second" }) : null
  }

  const date: PartnerTime = (unit, label) => {
    const start = startOf(unit, from, weekStart).toPlainDate()
    const distance = start.until(Temporal.PlainDate.from(dateOf(label)), {
      largestUnit: unit === "quarter" ? "month" : (unit as "day" | "week" | "month" | "year")
    })
    const partner = startOf(unit, otherFrom, weekStart).toPlainDate().add(distance)
    return isWithin(partner.toZonedDateTime(zone)) ? partner.toString() : null
  }

  return (unit, label) => (isByInstant(unit) ? (hasOffset(label) ? hour : clock) : date)(unit, label)
}

/** The moment that is as far from its start by the clock. An hour that the clock repeats meets only another such hour. */
const sameClock = (
  at: Temporal.ZonedDateTime,
  start: Temporal.ZonedDateTime,
  otherStart: Temporal.ZonedDateTime
): Temporal.ZonedDateTime | null => {
  const clock = at.toPlainDateTime()
  const isRepeated = !at.equals(clock.toZonedDateTime(at.timeZoneId))
  const otherClock = clockOf(otherStart).add(clockOf(start).until(clock))
  const first = otherClock.toZonedDateTime(at.timeZoneId, { disambiguation: "earlier" })
  const last = otherClock.toZonedDateTime(at.timeZoneId, { disambiguation: "later" })
  const exists = first.toPlainDateTime().equals(otherClock)
  if (!isRepeated) return exists ? first : null
  return exists && !last.equals(first) ? last : null
}
