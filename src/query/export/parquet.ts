import { Stream } from "effect"
import { ByteWriter, type ColumnSource, ParquetWriter, type SchemaElement } from "hyparquet-writer"
import { VERSION } from "../../lib/version.ts"
import type { AnswerColumn, Cell } from "../answer.ts"
import { type ExportOptions, type Format, headerOf, type Row, type Rows } from "./Format.ts"

/** Rows in a row group: what is held in memory at a time. */
const GROUP_ROWS = 20_000

/** A column's type in the file. Decimals are doubles, which have 15 exact digits. */
const elementOf = ({ base_type: type }: AnswerColumn, name: string): SchemaElement => {
  const optional = { name, repetition_type: "OPTIONAL" } as const
  switch (type) {
    case "integer":
      return { ...optional, type: "INT64" }
    case "decimal":
    case "float":
      return { ...optional, type: "DOUBLE" }
    case "boolean":
      return { ...optional, type: "BOOLEAN" }
    case "instant":
      return { ...optional, type: "INT64", logical_type: timestampType(true), converted_type: "TIMESTAMP_MILLIS" }
    case "local":
      return { ...optional, type: "INT64", logical_type: timestampType(false) }
    default:
      return { ...optional, type: "BYTE_ARRAY", converted_type: "UTF8" }
  }
}

/** `isAdjustedToUTC`: an instant; otherwise a wall time. */
const timestampType = (isAdjustedToUTC: boolean) => ({ type: "TIMESTAMP", isAdjustedToUTC, unit: "MILLIS" }) as const

const storedValue = (cell: Cell, { base_type: type }: AnswerColumn): unknown => {
  if (cell === null) return null
  switch (type) {
    case "integer":
      return BigInt(cell)
    case "decimal":
    case "float":
      return Number(cell)
    case "instant":
      return BigInt(Date.parse(String(cell)))
    case "local":
      return BigInt(Date.parse(`${cell}Z`))
    default:
      return cell
  }
}

/** Hands over what it has after each row group. */
class TakingWriter extends ByteWriter {
  take(): Uint8Array {
    const bytes = this.getBytes().slice()
    this.index = 0
    return bytes
  }
}

class File {
  readonly #writer = new TakingWriter()
  readonly #file: ParquetWriter
  readonly #columns: ReadonlyArray<AnswerColumn>
  readonly #names: ReadonlyArray<string>
  #rows: Array<Row> = []

  constructor(columns: ReadonlyArray<AnswerColumn>, names: ReadonlyArray<string>) {
    this.#columns = columns
    this.#names = names
    this.#file = new ParquetWriter({
      writer: this.#writer,
      schema: [
        { name: "question", num_children: columns.length },
        ...columns.map((column, index) => elementOf(column, names[index]!))
      ],
      createdBy: `footfall version ${VERSION}`
    })
  }

  add(rows: ReadonlyArray<Row>): Uint8Array {
    this.#rows.push(...rows)
    if (this.#rows.length >= GROUP_ROWS) this.#writeGroup()
    return this.#writer.take()
  }

  end(): Uint8Array {
    if (this.#rows.length > 0) this.#writeGroup()
    this.#file.finish()
    return this.#writer.take()
  }

  #writeGroup(): void {
    const rows = this.#rows
    this.#rows = []
    this.#file.write({
      columnData: this.#columns.map(
        (column, index): ColumnSource => ({
          name: this.#names[index]!,
          data: rows.map((row) => storedValue(row[index]!, column)),
          offsetIndex: false
        })
      ),
      rowGroupSize: rows.length
    })
  }
}

/** Parquet with Snappy, in row groups. */
export const parquet: Format = {
  extension: "parquet",
  mediaType: "application/vnd.apache.parquet",
  encode: <E>({ columns, rows }: Rows<E>, { isFormatted }: ExportOptions) =>
    Stream.suspend(() => {
      const file = new File(columns, headerOf(columns, isFormatted))
      return Stream.concat(
        Stream.map(rows, (chunk) => file.add(chunk)),
        Stream.sync(() => file.end())
      ).pipe(Stream.filter(({ length }) => length > 0))
    })
}
