import type { Stream } from "effect"
import type { AnswerColumn, Cell } from "../answer.ts"

export type Row = ReadonlyArray<Cell>

/** What is exported: columns, and rows in chunks. */
export interface Rows<E> {
  readonly columns: ReadonlyArray<AnswerColumn>
  readonly rows: Stream.Stream<ReadonlyArray<Row>, E>
}

export interface ExportOptions {
  /** Names and values for people; otherwise for programs: a column's name instead of its title, and text exactly as it is. */
  readonly isFormatted: boolean
}

/** A file format. It encodes row by row, so an export of any length needs the same memory. */
export interface Format {
  readonly extension: string
  readonly mediaType: string
  readonly encode: <E>(rows: Rows<E>, options: ExportOptions) => Stream.Stream<Uint8Array, E>
}

/** The formats, by the name that they have in paths. */
export const FORMAT_NAMES = ["csv", "json", "xlsx", "parquet"] as const
export type FormatName = (typeof FORMAT_NAMES)[number]

/** The columns' titles, or their names, each made unique: two columns may have the same title. */
export const headerOf = (columns: ReadonlyArray<AnswerColumn>, isFormatted: boolean): ReadonlyArray<string> => {
  const seen = new Map<string, number>()
  return columns.map(({ display_name: title, name }) => {
    const wanted = isFormatted ? title : name
    const count = (seen.get(wanted) ?? 0) + 1
    seen.set(wanted, count)
    return count === 1 ? wanted : `${wanted} (${count})`
  })
}
