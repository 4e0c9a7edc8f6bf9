import type { Answer, Cell } from "../query/answer.ts"
import { tableOf } from "../query/compare/comparedColumns.ts"
import { csvLines } from "../query/export/csv.ts"
import { plural, table } from "./output.ts"

export const answerCsv = (answer: Answer): string => {
  const { cols, rows } = tableOf(answer)
  return csvLines([cols.map(({ display_name: title }) => title), ...rows], true).trimEnd()
}

/** Control characters in stored text could move the cursor or change the terminal's title. */
const printable = (cell: Cell): string =>
  cell === null ? "(none)" : String(cell).replaceAll(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1))

export const answerTable = (answer: Answer): string => {
  const { comparison, data, partial_buckets: partial, truncated, warnings } = answer
  const { cols, rows } = tableOf(answer)
  const shown = table(
    cols.map(({ display_name }) => display_name.toUpperCase()),
    rows.map((row) => row.map(printable))
  )
  const notes = [
    `${truncated ? "The first " : ""}${plural(data.rows.length, "row")}${truncated ? "; there are more" : ""}, times in ${data.results_timezone}, data up to ${answer.as_of}`,
    ...(comparison === null ? [] : [`Compared with ${comparison.from} up to ${comparison.until}`]),
    ...(partial.length === 0 ? [] : [`Incomplete: ${partial.join(", ")}`]),
    ...warnings.map(({ detail }) => printable(detail))
  ]
  return `${shown}\n\n${notes.join("\n")}`
}
