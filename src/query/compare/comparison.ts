import type { AnswerColumn, Cell } from "../answer.ts"
import type { CompiledQuestion } from "../compile.ts"
import { partialBuckets } from "../fill.ts"
import { isByInstant, withOffset } from "../plan/time.ts"
import type { PlannedColumn } from "../resolve/query.ts"
import { partnerTimes, timeKey } from "./partnerTime.ts"

type Row = ReadonlyArray<Cell>

/** How a number differs from that of the other period. */
export interface Change {
  readonly difference: number
  /** Of the other number, rounded to two digits: -25 is a quarter less. Null if the other is 0. */
  readonly percent: number | null
}

/** The answer for another period, row by row next to the question's own. */
export interface Comparison {
  /** What the question asked to be compared with. */
  readonly compare: string
  /** The other period, in the question's zone. ISO 8601. */
  readonly from: string
  readonly until: string
  /**
   * For each row of the answer, the row of the other period that it is compared with. A group that has no rows there has counts of 0. Null:
   * the other period has no such time, the row sums up other groups, or there are too many groups to know.
   */
  readonly rows: ReadonlyArray<Row | null>
  /** For each row of the answer, the change in each column; null where there is none. */
  readonly changes: ReadonlyArray<ReadonlyArray<Change | null>>
  /** Rows of the other period that are compared with none. Empty for a question that shows only some of its groups. */
  readonly unmatched: ReadonlyArray<Row>
  /** Buckets of the first column, in the rows of the other period, that are not over or that the other period cuts. */
  readonly partial_buckets: ReadonlyArray<string>
  /** Whether the other period has more groups than are compared. */
  readonly truncated: boolean
}

/** The rows of an answer, and whether there are more. */
export interface ShownRows {
  readonly rows: ReadonlyArray<Row>
  readonly truncated: boolean
}

/** The row of the other period for a row of the answer, which is the `index`-th. */
export type PartnerOf = (row: Row, index: number) => Row | null

const isGroup = ({ source }: PlannedColumn): boolean => source === "breakout"

/** A group's key; null if one of its times has no equal. */
const keyOf = (
  columns: ReadonlyArray<PlannedColumn>,
  row: Row,
  time: (unit: NonNullable<PlannedColumn["temporalUnit"]>, label: string) => string | null
): string | null => {
  const cells = columns.flatMap((column, index): ReadonlyArray<Cell | undefined> => {
    const cell = row[index] ?? null
    if (!isGroup(column)) return []
    if (column.temporalUnit === null || typeof cell !== "string") return [cell]
    return [time(column.temporalUnit, cell) ?? undefined]
  })
  return cells.includes(undefined) ? null : JSON.stringify(cells)
}

/** Finds the rows of the other period by the groups of the question's own rows. */
export const pairRows = ({ fql, other, planned }: CompiledQuestion, { rows, truncated }: ShownRows): PartnerOf => {
  const { columns } = planned
  const byKey = new Map(rows.map((row) => [keyOf(columns, row, timeKey), row] as const))
  const time = partnerTimes(planned, other!.planned)
  // The row that sums up the groups beyond the limit.
  const otherRow = fql.settings?.other === true ? (fql.limit ?? null) : null
  return (row, index) => {
    const key = index === otherRow ? null : keyOf(columns, row, time)
    if (key === null) return null
    return byKey.get(key) ?? (truncated ? null : emptyGroup(columns, key))
  }
}

/** A group without rows. */
const emptyGroup = (columns: ReadonlyArray<PlannedColumn>, key: string): Row => {
  const cells: Row = JSON.parse(key)
  return columns.map((column, index) => {
    if (!isGroup(column)) return column.isCount ? 0 : null
    const cell = cells[index]!
    const isDate = column.temporalUnit !== null && !isByInstant(column.temporalUnit) && cell !== null
    return isDate ? `${cell}T00:00:00` : cell
  })
}

const NUMBERS: ReadonlyArray<string> = ["integer", "decimal", "float"]

export const isNumber = ({ base_type, source }: AnswerColumn): boolean =>
  source === "aggregation" && NUMBERS.includes(base_type)

/** More digits after the point than these are a double's noise. */
const MAX_DECIMALS = 15

/** Digits after the point of a number as it is written. */
const decimalsOf = (cell: Cell): number => {
  const text = String(cell)
  return text.includes("e") ? MAX_DECIMALS : Math.min(text.split(".")[1]?.length ?? 0, MAX_DECIMALS)
}

/** Subtracts as on paper: 149.9 - 100 is 49.9. */
const differenceOf = (now: Cell, before: Cell): number =>
  Number((Number(now) - Number(before)).toFixed(Math.max(decimalsOf(now), decimalsOf(before))))

const changeOf = (now: Cell, before: Cell): Change | null => {
  if (now === null || before === null) return null
  const difference = differenceOf(now, before)
  const base = Math.abs(Number(before))
  return { difference, percent: base === 0 ? null : Math.round((difference / base) * 10_000) / 100 }
}

export const changesOf = (
  columns: ReadonlyArray<AnswerColumn>,
  row: Row,
  partner: Row | null
): ReadonlyArray<Change | null> =>
  columns.map((column, index) =>
    partner !== null && isNumber(column) ? changeOf(row[index] ?? null, partner[index] ?? null) : null
  )

/** Whether a question shows all of its groups, so that one which is missing has no rows. */
const showsAllGroups = ({ fql: { having, limit, page } }: CompiledQuestion): boolean =>
  having === undefined && limit === undefined && page === undefined

/** Puts the other period's rows next to the answer's. */
export const comparisonOf = (
  compiled: CompiledQuestion,
  { cols, rows, truncated }: ShownRows & { readonly cols: ReadonlyArray<AnswerColumn> },
  compared: ShownRows,
  now: Temporal.Instant
): Comparison => {
  const other = compiled.other!
  const partners = rows.map(pairRows(compiled, compared))
  const used = new Set(partners)
  const { range } = other.planned.rows
  const unmatched = !truncated && showsAllGroups(compiled) ? compared.rows.filter((row) => !used.has(row)) : []
  const inZone = (iso: string) => withOffset(Temporal.Instant.from(iso).toZonedDateTimeISO(compiled.planned.zone))
  return {
    compare: compiled.fql.settings!.compare!,
    from: inZone(range.from!),
    until: inZone(range.until!),
    rows: partners,
    changes: rows.map((row, index) => changesOf(cols, row, partners[index]!)),
    unmatched,
    partial_buckets: partialBuckets(
      other,
      [...partners.flatMap((row) => (row === null ? [] : [row])), ...unmatched],
      now
    ),
    truncated: compared.truncated
  }
}
