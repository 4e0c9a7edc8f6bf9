import type { Answer, AnswerColumn, Cell } from "../answer.ts"
import { type Change, changesOf, isNumber } from "./comparison.ts"

type Row = ReadonlyArray<Cell>

/** The unit of a rate's change: 10 % are 2 percentage points more than 8 %. Its values are fractions, as those of the rate. */
export const PERCENTAGE_POINTS = "pp"

const isBucket = ({ source, temporal_unit }: AnswerColumn): boolean => source === "breakout" && temporal_unit !== null

/** Columns of which a table also has the other period's values. */
const isCompared = (column: AnswerColumn): boolean => column.source === "aggregation" || isBucket(column)

/** The columns that a comparison adds to a table, in this order: for each compared column its other value, and for a number its change. */
export const comparedColumns = (columns: ReadonlyArray<AnswerColumn>): ReadonlyArray<AnswerColumn> =>
  columns.filter(isCompared).flatMap((column) => {
    const added = (name: string, title: string, changes: Partial<AnswerColumn> = {}): AnswerColumn => ({
      ...column,
      name: `${column.name}_${name}`,
      display_name: `${column.display_name} (${title})`,
      field_ref: null,
      ...changes
    })
    const difference = {
      base_type: column.base_type === "integer" ? "integer" : "float",
      ...(column.semantic_type === "Percentage" && { unit: PERCENTAGE_POINTS })
    } as const
    const percent = { base_type: "float", semantic_type: null, unit: "%" } as const
    return [
      added("compared", "compared"),
      ...(isNumber(column)
        ? [added("change", "change", difference), added("change_percent", "change in %", percent)]
        : [])
    ]
  })

/** A row's cells in the columns that a comparison adds. */
const comparedCells = (
  columns: ReadonlyArray<AnswerColumn>,
  partner: Row | null,
  changes: ReadonlyArray<Change | null>
): Row =>
  columns.flatMap((column, index) => {
    if (!isCompared(column)) return []
    const change = changes[index]
    return [
      partner?.[index] ?? null,
      ...(isNumber(column) ? [change?.difference ?? null, change?.percent ?? null] : [])
    ]
  })

/** A row of an export with the cells of its comparison. */
export const withPartner = (columns: ReadonlyArray<AnswerColumn>, row: Row, partner: Row | null): Row => [
  ...row,
  ...comparedCells(columns, partner, changesOf(columns, row, partner))
]

/** An answer as one table, with the columns of its comparison if it has one. */
export const tableOf = ({
  comparison,
  data: { cols, rows }
}: Answer): { readonly cols: ReadonlyArray<AnswerColumn>; readonly rows: ReadonlyArray<Row> } =>
  comparison === null
    ? { cols, rows }
    : {
        cols: [...cols, ...comparedColumns(cols)],
        rows: rows.map((row, index) => [
          ...row,
          ...comparedCells(cols, comparison.rows[index]!, comparison.changes[index]!)
        ])
      }
