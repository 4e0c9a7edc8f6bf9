import { Predicate } from "effect"
import type { Answer, AnswerColumn, Cell } from "../query/answer.ts"
import { tableOf } from "../query/compare/comparedColumns.ts"
import { csvLines } from "../query/export/csv.ts"
import { withLabels } from "../query/export/labels.ts"
import { duration, plural, table } from "./output.ts"

export const answerCsv = (answer: Answer): string => {
  const { cols, rows } = tableOf(answer)
  return csvLines([cols.map(({ display_name: title }) => title), ...rows.map(withLabels(cols))], true).trimEnd()
}

/** Control characters in stored text could move the cursor or change the terminal's title. */
const printable = (cell: Cell): string =>
  cell === null ? "(none)" : String(cell).replaceAll(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1))

const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"] as const

const isWeekday = ({ field_ref: clause }: AnswerColumn): boolean =>
  Array.isArray(clause) && Predicate.isObject(clause[2]) && Predicate.hasProperty(clause[2], "temporal-unit")
    ? clause[2]["temporal-unit"] === "day-of-week"
    : false

/** Two decimals, or three digits of what is less than one. */
const rounded = (number: number): string =>
  String(Number(Math.abs(number) < 1 ? number.toPrecision(3) : number.toFixed(2)))

/** A cell for people: rates as percentages, times of seconds in words, computed numbers rounded, and days of the week by name. */
const shownCell = (column: AnswerColumn, cell: Cell, { results_week_start: weekStart }: Answer["data"]): string => {
  if (typeof cell !== "number") return printable(cell)
  if (column.semantic_type === "Percentage") return `${(cell * 100).toFixed(1)} %`
  if (isWeekday(column)) return WEEKDAYS[(cell + (weekStart === "sunday" ? 6 : 0)) % 7]!
  if (column.source !== "aggregation") return printable(cell)
  return column.unit === "s" ? duration(cell) : rounded(cell)
}

/** What the caller should know of an answer, in lines. */
export const answerWarnings = ({ warnings }: Answer): ReadonlyArray<string> =>
  warnings.map(({ detail }) => printable(detail))

const incomplete = (title: string, buckets: ReadonlyArray<string>): ReadonlyArray<string> =>
  buckets.length === 0 ? [] : [`${title}: ${buckets.join(", ")}`]

export const answerTable = (answer: Answer): string => {
  const { comparison, data, partial_buckets: partial, truncated } = answer
  const { cols, rows } = tableOf(answer)
  const shown = table(
    cols.map(({ display_name }) => display_name.toUpperCase()),
    rows.map(withLabels(cols)).map((row) => row.map((cell, index) => shownCell(cols[index]!, cell, data)))
  )
  const notes = [
    `${truncated ? "The first " : ""}${plural(data.rows.length, "row")}${truncated ? "; there are more" : ""}, times in ${data.results_timezone}, data up to ${answer.as_of}`,
    ...(comparison === null ? [] : [`Compared with ${comparison.from} up to ${comparison.until}`]),
    ...incomplete("Incomplete", partial),
    ...incomplete("Incomplete in the other period", comparison?.partial_buckets ?? [])
  ]
  return `${shown}\n\n${notes.join("\n")}`
}
