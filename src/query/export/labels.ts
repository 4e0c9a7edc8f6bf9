import type { AnswerColumn } from "../answer.ts"
import type { Row } from "./Format.ts"

/** A row with the labels of values that have some, for people. */
export const withLabels = (columns: ReadonlyArray<AnswerColumn>): ((row: Row) => Row) => {
  const known = columns.map(({ labels }) => (labels === null ? null : new Map(labels)))
  if (known.every((labels) => labels === null)) return (row) => row
  return (row) => row.map((cell, index) => (cell === null ? null : (known[index]?.get(cell) ?? cell)))
}
