import { Effect } from "effect"
import type { Catalog, Table, TableName } from "../catalog/Catalog.ts"
import { type IcebergError, nullIfNotFound } from "../IcebergError.ts"
import type { DataFile } from "../manifest/DataFile.ts"
import { currentSchema, currentSnapshot, type StructField } from "../metadata/TableMetadata.ts"
import { initParquet } from "../parquet/wasm.ts"
import { manifestsOf } from "../table/files.ts"
import { newerCommittedMetadata } from "./newestMetadata.ts"
import { forEachEntry, isLive } from "./reachable.ts"
import { dataFileProblems } from "./verify/dataFileProblems.ts"

/** Maximum number of problems that are reported for a table. */
const MAX_PROBLEMS = 100

export interface VerifyOptions {
  /** Called after each file. */
  readonly onProgress: (progress: { readonly table: string; readonly files: number; readonly done: number }) => void
}

export interface Verified {
  readonly files: number
  readonly rows: number
  readonly bytes: number
  /** One sentence each, which names the file; at most a hundred. */
  readonly problems: ReadonlyArray<string>
}

/** The live data files of the current snapshot; a file that is listed twice is a problem. */
const dataFilesOf = Effect.fnUntraced(function* (
  table: Table,
  problems: Array<string>
): Effect.fn.Return<ReadonlyArray<DataFile>, IcebergError> {
  const files = new Map<string, DataFile>()
  const manifests = yield* manifestsOf(table, currentSnapshot(table.metadata))
  yield* forEachEntry(table, manifests, (entry) => {
    const { file } = entry
    if (!isLive(entry) || file.content !== 0) return
    if (files.has(file.location)) problems.push(`${file.location}: the file is listed twice`)
    files.set(file.location, file)
  })
  return [...files.values()]
})

interface VerifiedFile {
  readonly bytes: number
  readonly problems: ReadonlyArray<string>
}

const verifyFile = Effect.fnUntraced(function* (
  table: Table,
  schema: ReadonlyArray<StructField>,
  file: DataFile
): Effect.fn.Return<VerifiedFile, IcebergError> {
  const bytes = yield* nullIfNotFound(table.store.read(file.location))
  if (bytes === null) return { bytes: 0, problems: [`${file.location}: the file is missing`] }
  if (file.format !== "PARQUET") {
    return { bytes: 0, problems: [`${file.location}: the format ${file.format} cannot be verified`] }
  }
  const problems = yield* Effect.try({
    try: () => dataFileProblems(schema, file, bytes),
    catch: (cause) => [`${file.location}: the file cannot be read: ${String(cause)}`]
  }).pipe(Effect.catch(Effect.succeed))
  return { bytes: bytes.length, problems }
})

/** How the totals in the current snapshot's summary differ from what was counted. */
const totalProblems = (table: Table, files: number, rows: number): ReadonlyArray<string> => {
  const summary = currentSnapshot(table.metadata)?.summary
  const compare = (key: string, counted: number) => {
    const stated = summary?.[key]
    return stated !== undefined && Number(stated) !== counted
      ? [`${table.name.name}: ${key} is ${stated}, but ${counted} were counted`]
      : []
  }
  return [...compare("total-data-files", files), ...compare("total-records", rows)]
}

/** Reads every file of the current snapshot and compares it with its manifest: size, columns, rows, nulls, bounds. */
export const verifyTable = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  { onProgress }: VerifyOptions
): Effect.fn.Return<Verified, IcebergError> {
  initParquet()
  const table = yield* catalog.load(name)
  const schema = currentSchema(table.metadata).fields
  const problems: Array<string> = []
  const newest = yield* newerCommittedMetadata(table)
  if (newest !== null) {
    problems.push(
      `${name.name}: the catalog names ${table.metadataLocation}, but the newest metadata of the table is ${newest}: the catalog was rolled back`
    )
  }
  const files = yield* dataFilesOf(table, problems)
  let rows = 0
  let bytes = 0
  let done = 0
  for (const file of files) {
    const verified = yield* verifyFile(table, schema, file)
    problems.push(...verified.problems)
    bytes += verified.bytes
    rows += file.recordCount
    onProgress({ table: name.name, files: files.length, done: ++done })
  }
  problems.push(...totalProblems(table, files.length, rows))
  return { files: files.length, rows, bytes, problems: problems.slice(0, MAX_PROBLEMS) }
})
