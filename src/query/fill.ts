import type { Cell } from "./answer.ts"
import type { CompiledQuestion } from "./compile.ts"
import type { TruncationUnit } from "./plan/plan.ts"
import { isByInstant, moveBy, startOf, wallTime, withOffset } from "./plan/time.ts"
import { ROWS_SHOWN } from "./resolve/query.ts"

type Row = ReadonlyArray<Cell>

/** The question's first column, if it is a series of buckets in time. */
const seriesOf = ({ planned }: CompiledQuestion): TruncationUnit | null => {
  const [first] = planned.columns
  return planned.isGrouped && first?.source === "breakout" ? first.temporalUnit : null
}

const labelOf = (unit: TruncationUnit, at: Temporal.ZonedDateTime): string =>
  isByInstant(unit) ? withOffset(at) : wallTime(at)

/** Every bucket of the range, from its start or its first row to its end, its last row or now. Null if there are too many to show. */
const bucketsOf = (
  compiled: CompiledQuestion,
  rows: ReadonlyArray<Row>,
  unit: TruncationUnit,
  now: Temporal.Instant
): ReadonlyArray<string> | null => {
  const { rows: scope, weekStart, zone } = compiled.planned
  const labels = rows.map(([label]) => label).filter((label) => typeof label === "string")
  const parse = (label: string) =>
    isByInstant(unit)
      ? Temporal.Instant.from(label).toZonedDateTimeISO(zone)
      : Temporal.PlainDateTime.from(label).toZonedDateTime(zone)
  const { from, until } = scope.range
  const first = from === null ? labels[0] && parse(labels[0]) : Temporal.Instant.from(from).toZonedDateTimeISO(zone)
  const end =
    until === null
      ? now.add({ milliseconds: 1 }).toZonedDateTimeISO(zone)
      : Temporal.Instant.from(until).toZonedDateTimeISO(zone)
  if (!first) return []
  const last = labels.at(-1)
  const buckets: Array<string> = []
  const isBefore = (at: Temporal.ZonedDateTime) =>
    Temporal.ZonedDateTime.compare(at, end) < 0 ||
    (last !== undefined && Temporal.ZonedDateTime.compare(at, parse(last)) <= 0)
  for (let at = startOf(unit, first, weekStart); isBefore(at); at = moveBy(unit, at, 1, weekStart)) {
    buckets.push(labelOf(unit, at))
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
  const unit = seriesOf(compiled)
  const { fql, planned } = compiled
  if (
    unit === null ||
    fql["order-by"] !== undefined ||
    fql.limit !== undefined ||
    fql.page !== undefined ||
    fql.having !== undefined
  )
    return rows
  const buckets = bucketsOf(compiled, rows, unit, now)
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
  return buckets.flatMap((bucket) =>
    [...series].map(([id, { keys, rows: known }]) => {
      const row = known.get(bucket) ?? emptyRow(compiled, bucket, keys, previous.get(id))
      previous.set(id, row)
      return row
    })
  )
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
  const unit = seriesOf(compiled)
  if (unit === null) return []
  const { rows: scope, weekStart, zone } = compiled.planned
  const inZone = (instant: Temporal.Instant) => instant.toZonedDateTimeISO(zone)
  const { from, until } = scope.range
  const cuts = [
    now.add({ nanoseconds: 1 }),
    ...[from, until].flatMap((iso) => (iso === null ? [] : [Temporal.Instant.from(iso)]))
  ]
  const partial = new Set(
    cuts.flatMap((cut) => {
      const start = startOf(unit, inZone(cut), weekStart)
      return Temporal.Instant.compare(start.toInstant(), cut) === 0 ? [] : [labelOf(unit, start)]
    })
  )
  return [...new Set(rows.flatMap(([label]) => (typeof label === "string" && partial.has(label) ? [label] : [])))]
}
