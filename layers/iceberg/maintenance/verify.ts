import { DataType, type Field, type RecordBatch, tableFromIPC } from "apache-arrow"
import { Effect } from "effect"
import { readParquet, readSchema } from "parquet-wasm/esm/parquet_wasm.js"
import type { Catalog, Table, TableName } from "../catalog/Catalog.ts"
import type { IcebergError } from "../IcebergError.ts"
import type { DataFile } from "../manifest/DataFile.ts"
import { currentSchema, currentSnapshot, type StructField } from "../metadata/TableMetadata.ts"
import { initParquet } from "../parquet/wasm.ts"
import { manifestsOf } from "../table/files.ts"
import { forEachEntry, isLive } from "./reachable.ts"

/** Problems of one table that are told one by one. */
const MOST_PROBLEMS = 100
const BATCH_ROWS = 16_384

export interface VerifyOptions {
  readonly onProgress: (progress: { readonly table: string; readonly files: number; readonly done: number }) => void
}

export interface Verified {
  readonly files: number
  readonly rows: number
  readonly bytes: number
  /** What is wrong, in words that name the file; at most a hundred. */
  readonly problems: ReadonlyArray<string>
}

const fieldId = (field: Field): number | undefined => {
  const id = field.metadata.get("PARQUET:field_id")
  return id === undefined ? undefined : Number(id)
}

/** Arrow's types that may hold a column of one of ours. */
const fits = (field: StructField, { type }: Field): boolean => {
  const wanted = field.type
  if (typeof wanted !== "string") return wanted.type === "map" && (DataType.isMap(type) || DataType.isList(type))
  switch (wanted) {
    case "string":
      return DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isDictionary(type)
    case "int":
    case "long":
      return DataType.isInt(type)
    case "timestamptz":
      return DataType.isTimestamp(type)
    default:
      return wanted.startsWith("decimal(") ? DataType.isDecimal(type) : true
  }
}

const utf8 = new TextEncoder()

/** Whether a value is below or above the bounds; strings by code points, times in microseconds. */
const isOutside = (type: StructField["type"], value: unknown, lower?: Uint8Array, upper?: Uint8Array): boolean => {
  if (type === "string") {
    const bytes = utf8.encode(String(value))
    return (
      (lower !== undefined && Buffer.compare(bytes, lower) < 0) ||
      (upper !== undefined && Buffer.compare(bytes, upper) > 0)
    )
  }
  const read = (bound: Uint8Array) => {
    const buffer = Buffer.from(bound)
    return bound.length === 4 ? BigInt(buffer.readInt32LE()) : buffer.readBigInt64LE()
  }
  const number = BigInt(value as number | bigint)
  return (lower !== undefined && number < read(lower)) || (upper !== undefined && number > read(upper))
}

/** Columns whose values are compared with their bounds: those of which the raw value is at hand. */
const isComparable = (type: StructField["type"]): boolean =>
  type === "string" || type === "int" || type === "timestamptz"

/** What is wrong with a data file, compared with what its manifest entry says. */
const problemsOf = (schema: ReadonlyArray<StructField>, file: DataFile, bytes: Uint8Array): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const say = (what: string) => problems.push(`${file.location}: ${what}`)
  if (bytes.length !== file.fileSize) say(`it has ${bytes.length} bytes, the manifest says ${file.fileSize}`)
  const fields = tableFromIPC(readSchema(bytes).intoIPCStream()).schema.fields
  const columns: Array<{ readonly field: StructField; readonly index: number; nulls: number; wrong: number }> = []
  for (const field of schema) {
    const index = fields.findIndex((one) => fieldId(one) === field.id)
    const there = fields[index]
    if (there === undefined) {
      if (field.required) say(`it lacks the required column ${field.name} (id ${field.id})`)
      continue
    }
    if (!fits(field, there)) say(`column ${field.name} has the type ${there.type}, not ${JSON.stringify(field.type)}`)
    else columns.push({ field, index, nulls: 0, wrong: 0 })
  }
  let rows = 0
  const table = readParquet(bytes, { batchSize: BATCH_ROWS })
  const batches = table.recordBatches()
  table.free()
  for (const held of batches) {
    const [batch] = tableFromIPC(held.intoIPCStream()).batches as ReadonlyArray<RecordBatch>
    if (batch === undefined) continue
    rows += batch.numRows
    for (const column of columns) {
      const { field, index } = column
      const vector = batch.getChildAt(index)
      if (vector === null) continue
      column.nulls += vector.nullCount
      const [lower, upper] = [file.lowerBounds?.get(field.id), file.upperBounds?.get(field.id)]
      if (!isComparable(field.type) || (lower === undefined && upper === undefined)) continue
      const values: Iterable<unknown> = field.type === "timestamptz" ? vector.toArray() : vector
      let row = 0
      for (const value of values) {
        const isNull = value === null || !vector.isValid(row)
        row++
        if (!isNull && isOutside(field.type, value, lower, upper)) column.wrong++
      }
    }
  }
  if (rows !== file.recordCount) say(`it has ${rows} rows, the manifest says ${file.recordCount}`)
  for (const { field, nulls, wrong } of columns) {
    const counted = file.nullCounts?.get(field.id)
    if (counted !== undefined && counted !== nulls) {
      say(`column ${field.name} has ${nulls} nulls, the manifest says ${counted}`)
    }
    if (field.required && nulls > 0) say(`the required column ${field.name} has ${nulls} nulls`)
    if (wrong > 0) say(`${wrong} values of column ${field.name} are outside the manifest's bounds`)
    const values = file.valueCounts?.get(field.id)
    if (values !== undefined && values !== rows)
      say(`column ${field.name} has ${rows} values, the manifest says ${values}`)
  }
  return problems
}

const totalsOf = (table: Table, files: number, rows: number): ReadonlyArray<string> => {
  const summary = currentSnapshot(table.metadata)?.summary
  const wrong = (key: string, counted: number) => {
    const told = summary?.[key]
    return told !== undefined && Number(told) !== counted
      ? [`${table.name.name}: ${key} is ${told}, counted ${counted}`]
      : []
  }
  return [...wrong("total-data-files", files), ...wrong("total-records", rows)]
}

/** Reads every file of the current snapshot and compares it with its manifest: size, rows, columns, nulls, bounds. */
export const verifyTable = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  { onProgress }: VerifyOptions
): Effect.fn.Return<Verified, IcebergError> {
  initParquet()
  const table = yield* catalog.load(name)
  const schema = currentSchema(table.metadata).fields
  const problems: Array<string> = []
  const files = new Map<string, DataFile>()
  const manifests = yield* manifestsOf(table, currentSnapshot(table.metadata))
  yield* forEachEntry(table, manifests, (entry) => {
    if (!isLive(entry) || entry.file.content !== 0) return
    if (files.has(entry.file.location)) problems.push(`${entry.file.location}: it is listed twice`)
    files.set(entry.file.location, entry.file)
  })
  let rows = 0
  let bytes = 0
  let done = 0
  for (const file of files.values()) {
    const read = yield* Effect.result(table.store.read(file.location))
    if (read._tag === "Failure") {
      if (read.failure.reason !== "NotFound") return yield* read.failure
      problems.push(`${file.location}: it is missing`)
    } else if (file.format !== "PARQUET") {
      problems.push(`${file.location}: a ${file.format} file, which is not read here`)
    } else {
      const found = yield* Effect.result(
        Effect.try({
          try: () => problemsOf(schema, file, read.success),
          catch: (cause) => `${file.location}: it can't be read: ${String(cause)}`
        })
      )
      problems.push(...(found._tag === "Success" ? found.success : [found.failure]))
      bytes += read.success.length
    }
    rows += file.recordCount
    onProgress({ table: name.name, files: files.size, done: ++done })
  }
  problems.push(...totalsOf(table, files.size, rows))
  return { files: files.size, rows, bytes, problems: problems.slice(0, MOST_PROBLEMS) }
})
