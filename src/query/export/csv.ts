import { Stream } from "effect"
import type { Cell } from "../answer.ts"
import { type Format, headerOf, type Row } from "./Format.ts"

/** A spreadsheet would run text that begins like a formula. An apostrophe keeps it text. */
const guarded = (text: string): string => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text)

/** A cell of RFC 4180. Nothing stands for no value. */
const cellText = (cell: Cell, isFormatted: boolean): string => {
  if (cell === null) return ""
  const text = typeof cell === "string" && isFormatted ? guarded(cell) : String(cell)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Rows of CSV, each with its line end. */
export const csvLines = (rows: ReadonlyArray<Row>, isFormatted: boolean): string =>
  rows.map((row) => `${row.map((cell) => cellText(cell, isFormatted)).join(",")}\r\n`).join("")

/** RFC 4180 in UTF-8. */
export const csv: Format = {
  extension: "csv",
  mediaType: "text/csv; charset=utf-8",
  encode: ({ columns, rows }, { isFormatted }) =>
    Stream.concat(
      Stream.succeed(csvLines([headerOf(columns, isFormatted)], isFormatted)),
      Stream.map(rows, (chunk) => csvLines(chunk, isFormatted))
    ).pipe(
      Stream.filter((text) => text !== ""),
      Stream.encodeText
    )
}
