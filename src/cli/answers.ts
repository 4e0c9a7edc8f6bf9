import { Predicate } from "effect"
import type { Answer, AnswerColumn, Cell } from "../query/answer.ts"
import { PERCENTAGE_POINTS, tableOf } from "../query/compare/comparedColumns.ts"
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

/** The unit of a time, or the part of it, that a column has; null for any other column. */
const unitOfTime = ({ field_ref: clause, temporal_unit: unit }: AnswerColumn): string | null =>
  Array.isArray(clause) && Predicate.isObject(clause[2]) && Predicate.hasProperty(clause[2], "temporal-unit")
    ? String(clause[2]["temporal-unit"])
    : unit

const isWeekday = (column: AnswerColumn): boolean => unitOfTime(column) === "day-of-week"

/** `Created at: day of week` as `Day of week`. */
const shortTitle = (column: AnswerColumn): string => {
  const { display_name: title } = column
  const unit = unitOfTime(column)?.replaceAll("-", " ")
  const at = unit === undefined ? -1 : title.indexOf(`: ${unit}`)
  return at < 0 ? title : title.slice(at + 2)
}

/** What stands above the columns: times have their unit only, unless two have the same. */
const headings = (columns: ReadonlyArray<AnswerColumn>): ReadonlyArray<string> => {
  const short = columns.map(shortTitle)
  const isTaken = (title: string) => short.filter((one) => one === title).length > 1
  return columns.map(({ display_name: title }, index) => (isTaken(short[index]!) ? title : short[index]!).toUpperCase())
}

/** A day, a month, a quarter or a year without the time at which it begins; other times as they are. */
const bucketText = (unit: string | null, time: string): string => {
  switch (unit) {
    case "day":
    case "week":
      return time.slice(0, 10)
    case "month":
      return time.slice(0, 7)
    case "quarter":
      return `${time.slice(0, 4)}-Q${Math.ceil(Number(time.slice(5, 7)) / 3)}`
    case "year":
      return time.slice(0, 4)
    default:
      return time
  }
}

const CURRENCY = /^[A-Z]{3}$/

/** An amount with its currency, and as many decimals as this has: `149.90 EUR`. Amounts of several currencies have none. */
const amount = (cell: number, currency: string): string => {
  const { maximumFractionDigits: decimals } = new Intl.NumberFormat("en", {
    style: "currency",
    currency
  }).resolvedOptions()
  return `${cell.toFixed(decimals)} ${currency}`
}

/** Two decimals, or three digits of what is less than one. */
const rounded = (number: number): string =>
  String(Number(Math.abs(number) < 1 ? number.toPrecision(3) : number.toFixed(2)))

/**
 * A cell for people: rates as percentages, days and longer units of time without a time of day, times of seconds in words, amounts with their currency, computed numbers rounded, and days of the
 * week by name.
 */
const shownCell = (column: AnswerColumn, cell: Cell, { results_week_start: weekStart }: Answer["data"]): string => {
  if (typeof cell === "string") return printable(bucketText(column.temporal_unit, cell))
  if (typeof cell !== "number") return printable(cell)
  if (column.unit === PERCENTAGE_POINTS) return `${(cell * 100).toFixed(1)} ${PERCENTAGE_POINTS}`
  if (column.semantic_type === "Percentage") return `${(cell * 100).toFixed(1)} %`
  if (isWeekday(column)) return WEEKDAYS[(cell + (weekStart === "sunday" ? 6 : 0)) % 7]!
  if (column.source !== "aggregation") return printable(cell)
  if (column.unit === "s") return duration(cell)
  const isAmount = column.semantic_type === "Income" && column.unit !== null && CURRENCY.test(column.unit)
  return isAmount ? amount(cell, column.unit) : rounded(cell)
}

/** What the caller should know of an answer, in lines. */
export const answerWarnings = ({ warnings }: Answer): ReadonlyArray<string> =>
  warnings.map(({ detail }) => printable(detail))

const incomplete = (
  title: string,
  buckets: ReadonlyArray<string>,
  columns: ReadonlyArray<AnswerColumn>
): ReadonlyArray<string> => {
  const unit = columns.find(({ temporal_unit }) => temporal_unit !== null)?.temporal_unit ?? null
  return buckets.length === 0 ? [] : [`${title}: ${buckets.map((time) => bucketText(unit, time)).join(", ")}`]
}

export const answerTable = (answer: Answer): string => {
  const { comparison, data, partial_buckets: partial, truncated } = answer
  const { cols, rows } = tableOf(answer)
  const shown = table(
    headings(cols),
    rows.map(withLabels(cols)).map((row) => row.map((cell, index) => shownCell(cols[index]!, cell, data)))
  )
  const notes = [
    `${truncated ? "The first " : ""}${plural(data.rows.length, "row")}${truncated ? "; there are more" : ""}, times in ${data.results_timezone}, data up to ${answer.as_of}`,
    ...(comparison === null ? [] : [`Compared with ${comparison.from} up to ${comparison.until}`]),
    ...incomplete("Incomplete", partial, cols),
    ...incomplete("Incomplete in the other period", comparison?.partial_buckets ?? [], cols)
  ]
  return `${shown}\n\n${notes.join("\n")}`
}
