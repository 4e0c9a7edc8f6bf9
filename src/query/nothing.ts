import type { QueryRows, QueryValue } from "../ports/QueryEngine.ts"
import type { PlannedColumn, PlannedQuestion } from "./resolve/query.ts"

const NUMBERS: ReadonlyArray<PlannedColumn["type"]> = ["integer", "decimal", "float"]

/** Whether a value says that there is nothing: null, and of what is computed also 0. */
const isNone = ({ source, type }: PlannedColumn, value: QueryValue): boolean =>
  value === null || (source === "aggregation" && NUMBERS.includes(type) && Number(value) === 0)

/** Whether a question's rows have nothing in some of its columns. Without such columns, a row is something. */
export const hasNothing = (
  { columns }: PlannedQuestion,
  rows: QueryRows,
  isDecisive: (column: PlannedColumn) => boolean
): boolean => {
  const decisive = columns.flatMap((column, index) => (isDecisive(column) ? [{ column, index }] : []))
  return rows.every((row) => decisive.length > 0 && decisive.every(({ column, index }) => isNone(column, row[index]!)))
}

/** Whether a question found nothing: no rows, or only zeros and unknown values. */
export const foundNothing = (planned: PlannedQuestion, rows: QueryRows): boolean =>
  hasNothing(planned, rows, ({ source }) => source === "aggregation")
