import { DataType, type Field, type RecordBatch, tableFromIPC, type Vector } from "apache-arrow"
import { readParquet, readSchema } from "parquet-wasm/esm/parquet_wasm.js"
import type { Bound, DataFile } from "../../manifest/DataFile.ts"
import type { StructField } from "../../metadata/TableMetadata.ts"

const BATCH_ROWS = 16_384

const utf8 = new TextEncoder()

interface Column {
  readonly field: StructField
  /** Position in the file. */
  readonly index: number
  nulls: number
  outOfBounds: number
}

const fieldId = (field: Field): number | null => {
  const id = field.metadata.get("PARQUET:field_id")
  return id === undefined ? null : Number(id)
}

/** Whether an Arrow type can represent a column of the table. */
const isCompatible = (field: StructField, { type }: Field): boolean => {
  const expected = field.type
  if (typeof expected !== "string") return expected.type === "map" && (DataType.isMap(type) || DataType.isList(type))
  switch (expected) {
    case "string":
      return DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isDictionary(type)
    case "int":
    case "long":
      return DataType.isInt(type)
    case "timestamptz":
      return DataType.isTimestamp(type)
    default:
      return expected.startsWith("decimal(") ? DataType.isDecimal(type) : true
  }
}

/** Whether values of the type are compared with their bounds. */
const isComparable = (type: StructField["type"]): boolean =>
  type === "string" || type === "int" || type === "long" || type === "timestamptz"

/** Whether a value is outside of the bounds. Strings are compared by code point, times are in µs. */
const isOutside = (type: StructField["type"], value: unknown, lower?: Bound, upper?: Bound): boolean => {
  if (type === "string") {
    const bytes = utf8.encode(String(value))
    return (
      (lower !== undefined && Buffer.compare(bytes, lower) < 0) ||
      (upper !== undefined && Buffer.compare(bytes, upper) > 0)
    )
  }
  const read = (bound: Bound) => {
    const buffer = Buffer.from(bound)
    return bound.length === 4 ? BigInt(buffer.readInt32LE()) : buffer.readBigInt64LE()
  }
  const number = BigInt(value as number | bigint)
  return (lower !== undefined && number < read(lower)) || (upper !== undefined && number > read(upper))
}

const countOutOfBounds = (column: Column, vector: Vector, file: DataFile): number => {
  const { id, type } = column.field
  const [lower, upper] = [file.lowerBounds?.get(id), file.upperBounds?.get(id)]
  if (!isComparable(type) || (lower === undefined && upper === undefined)) return 0
  const values: Iterable<unknown> = type === "timestamptz" ? vector.toArray() : vector
  let row = 0
  let count = 0
  for (const value of values) {
    const isNull = value === null || !vector.isValid(row)
    row++
    if (!isNull && isOutside(type, value, lower, upper)) count++
  }
  return count
}

/** Counts the rows of a file, and the nulls and out-of-bounds values of its columns. */
const countRows = (columns: ReadonlyArray<Column>, file: DataFile, bytes: Uint8Array): number => {
  let rows = 0
  const table = readParquet(bytes, { batchSize: BATCH_ROWS })
  const batches = table.recordBatches()
  table.free()
  for (const encoded of batches) {
    const [batch] = tableFromIPC(encoded.intoIPCStream()).batches as ReadonlyArray<RecordBatch>
    if (batch === undefined) continue
    rows += batch.numRows
    for (const column of columns) {
      const vector = batch.getChildAt(column.index)
      if (vector === null) continue
      column.nulls += vector.nullCount
      column.outOfBounds += countOutOfBounds(column, vector, file)
    }
  }
  return rows
}

const columnProblems = (column: Column, file: DataFile, rows: number): ReadonlyArray<string> => {
  const { field, nulls, outOfBounds } = column
  const problems: Array<string> = []
  const expectedNulls = file.nullCounts?.get(field.id)
  if (expectedNulls !== undefined && expectedNulls !== nulls) {
    problems.push(`column ${field.name} has ${nulls} nulls, but the manifest lists ${expectedNulls}`)
  }
  if (field.required && nulls > 0) problems.push(`the required column ${field.name} has ${nulls} nulls`)
  if (outOfBounds > 0) {
    problems.push(`${outOfBounds} values of column ${field.name} are outside of the manifest's bounds`)
  }
  const expectedValues = file.valueCounts?.get(field.id)
  if (expectedValues !== undefined && expectedValues !== rows) {
    problems.push(`column ${field.name} has ${rows} values, but the manifest lists ${expectedValues}`)
  }
  return problems
}

/**
 * How a data file differs from its manifest entry: size, columns, rows, nulls and bounds. Throws if the file cannot be read
 * as Parquet.
 */
export const dataFileProblems = (
  schema: ReadonlyArray<StructField>,
  file: DataFile,
  bytes: Uint8Array
): ReadonlyArray<string> => {
  const problems: Array<string> = []
  if (bytes.length !== file.fileSize) {
    problems.push(`the file has ${bytes.length} bytes, but the manifest lists ${file.fileSize}`)
  }
  const fields = tableFromIPC(readSchema(bytes).intoIPCStream()).schema.fields
  const columns: Array<Column> = []
  for (const field of schema) {
    const index = fields.findIndex((candidate) => fieldId(candidate) === field.id)
    const found = fields[index]
    if (found === undefined) {
      if (field.required) problems.push(`the required column ${field.name} (id ${field.id}) is missing`)
    } else if (isCompatible(field, found)) columns.push({ field, index, nulls: 0, outOfBounds: 0 })
    else problems.push(`column ${field.name} has the type ${found.type} instead of ${JSON.stringify(field.type)}`)
  }
  const rows = countRows(columns, file, bytes)
  if (rows !== file.recordCount) {
    problems.push(`the file has ${rows} rows, but the manifest lists ${file.recordCount}`)
  }
  problems.push(...columns.flatMap((column) => columnProblems(column, file, rows)))
  return problems.map((problem) => `${file.location}: ${problem}`)
}
