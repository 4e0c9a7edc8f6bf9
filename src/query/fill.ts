import type { Cell } from "./answer.ts"
import type { CompiledQuestion } from "./compile.ts"
import type { TruncationUnit } from "./plan/plan.ts"
import { isByInstant, moveBy, startOf, wallTime, withOffset } from "./plan/time.ts"
import { ROWS_SHOWN } from "./resolve/query.ts"

type Row = ReadonlyArray<Cell>

interface Series {
  readonly unit: TruncationUnit
  /** Whether buckets are labeled with the zone's offset. */
  readonly hasOffset: boolean
  /** The zone in which one bucket follows another: computed hours and minutes exist also where the report's zone skips them. */
  readonly zone: string
}

/** The question's first column, if it is a series of buckets in time. */
const seriesOf = ({ planned }: CompiledQuestion): Series | null => {
  const [first] = planned.columns
  if (!planned.isGrouped || first?.source !== "breakout" || first.temporalUnit === null) return null
  const unit = first.temporalUnit
  const hasOffset = first.type === "instant" && isByInstant(unit)
  return { unit, hasOffset, zone: isByInstant(unit) && !hasOffset ? "UTC" : planned.zone }
}

const labelOf = ({ hasOffset }: Series, at: Temporal.ZonedDateTime): string =>
  hasOffset ? withOffset(at) : wallTime(at)

/**
 * Every bucket of the range and of the rows, whose times may be others than the range's: from the first one to the last one or now. Null if
 * there are too many to show.
 */
const bucketsOf = (
  compiled: CompiledQuestion,
  rows: ReadonlyArray<Row>,
  series: Series,
  now: Temporal.Instant
): ReadonlyArray<string> | null => {
  const { hasOffset, unit, zone } = series
  const { rows: scope, weekStart, zone: reportZone } = compiled.planned
  const labels = rows.map(([label]) => label).filter((label) => typeof label === "string")
  const parse = (label: string) =>
    hasOffset
      ? Temporal.Instant.from(label).toZonedDateTimeISO(zone)
      : Temporal.PlainDateTime.from(label).toZonedDateTime(zone)
  const inZone = (instant: Temporal.Instant) => {
    const at = instant.toZonedDateTimeISO(reportZone)
    return zone === reportZone ? at : at.toPlainDateTime().toZonedDateTime(zone)
  }
  const { from, until } = scope.range
  const starts = [...(from === null ? [] : [inZone(Temporal.Instant.from(from))]), ...labels.slice(0, 1).map(parse)]
  const [first] = starts.toSorted(Temporal.ZonedDateTime.compare)
  const end = inZone(until === null ? now.add({ milliseconds: 1 }) : Temporal.Instant.from(until))
  if (first === undefined) return []
  const label = labels.at(-1)
  const last = label === undefined ? null : parse(label)
  const buckets: Array<string> = []
  const isBefore = (at: Temporal.ZonedDateTime) =>
    Temporal.ZonedDateTime.compare(at, end) < 0 || (last !== null && Temporal.ZonedDateTime.compare(at, last) <= 0)
  for (let at = startOf(unit, first, weekStart); isBefore(at); at = moveBy(unit, at, 1, weekStart)) {
    buckets.push(labelOf(series, at))
    if (buckets.length > ROWS_SHOWN.grouped) return null
  }
  return buckets
}

/**
 * Adds the buckets that have no rows: counts are 0, cumulative sums carry on, and other values are unknown. Only in the order of time,
 * since a question that orders otherwise asks for a ranking.
 */
export const fillBuckets = (
  compiled: CompiledQuestion,
  rows: ReadonlyArray<Row>,
  now: Temporal.Instant
): ReadonlyArray<Row> => {
  const time = seriesOf(compiled)
  const { fql, planned } = compiled
  if (
    time === null ||
    fql["order-by"] !== undefined ||
    fql.limit !== undefined ||
    fql.page !== undefined ||
    fql.having !== undefined
  )
    return rows
  const buckets = bucketsOf(compiled, rows, time, now)
  if (buckets === null) return rows
  const width = planned.columns.filter(({ source }) => source === "breakout").length
  const series = new Map<string, { readonly keys: Row; readonly rows: Map<Cell, Row> }>()
  for (const row of rows) {
    const keys = row.slice(1, width)
    const id = JSON.stringify(keys)
    const one = series.get(id) ?? { keys, rows: new Map() }
    one.rows.set(row[0]!, row)
    series.set(id, one)
  }
  if (width === 1 && series.size === 0) series.set("[]", { keys: [], rows: new Map() })
  if (buckets.length * series.size > ROWS_SHOWN.grouped) return rows
  const previous = new Map<string, Row>()
  const filled = buckets.flatMap((bucket) =>
    [...series].map(([id, { keys, rows: known }]) => {
      const row = known.get(bucket) ?? emptyRow(compiled, bucket, keys, previous.get(id))
      previous.set(id, row)
      return row
    })
  )
  return [...filled, ...rows.filter(([label]) => label === null)]
}

const emptyRow = ({ planned }: CompiledQuestion, bucket: string, keys: Row, previous: Row | undefined): Row => [
  bucket,
  ...keys,
  ...planned.columns
    .slice(keys.length + 1)
    .map((column, index) =>
      column.isCumulative ? (previous?.[keys.length + 1 + index] ?? 0) : column.isCount ? 0 : null
    )
]

/** The buckets whose time is not over, or of which the range holds only a part. */
export const partialBuckets = (
  compiled: CompiledQuestion,
  rows: ReadonlyArray<Row>,
  now: Temporal.Instant
): ReadonlyArray<string> => {
  const series = seriesOf(compiled)
  if (series === null) return []
  const { unit } = series
  const { rows: scope, weekStart, zone } = compiled.planned
  const inZone = (instant: Temporal.Instant) => instant.toZonedDateTimeISO(zone)
  const { from, until } = scope.range
  const current = startOf(unit, inZone(now), weekStart)
  const isNotOver = (label: string): boolean =>
    series.hasOffset
      ? Temporal.Instant.compare(Temporal.Instant.from(label), current.toInstant()) >= 0
      : label >= labelOf(series, current)
  const cuts = [from, until].flatMap((iso) => (iso === null ? [] : [Temporal.Instant.from(iso)]))
  const partial = new Set(
    cuts.flatMap((cut) => {
      const start = startOf(unit, inZone(cut), weekStart)
      return Temporal.Instant.compare(start.toInstant(), cut) === 0 ? [] : [labelOf(series, start)]
    })
  )
  const labels = rows.flatMap(([label]) => (typeof label === "string" ? [label] : []))
  return [...new Set(labels)].filter((label) => partial.has(label) || isNotOver(label))
}
