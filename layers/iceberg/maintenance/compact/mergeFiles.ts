import { Effect } from "effect"
import type { Table } from "../../catalog/Catalog.ts"
import { IcebergError } from "../../IcebergError.ts"
import { type DataFile, rowsIn } from "../../manifest/DataFile.ts"
import { mergedMetrics } from "../../manifest/mergedMetrics.ts"
import { currentSchema, type PartitionSpec } from "../../metadata/TableMetadata.ts"
import { columnSizesOf, leafIds } from "../../parquet/columnSizes.ts"
import { fieldIdsOf, mergeParquet, rowsOf, schemaKey } from "../../parquet/merge.ts"
import { discard } from "../discard.ts"
import type { FileGroup } from "./planCompaction.ts"

const READS = 8
/** Bytes at the end of a file that usually contain its schema. */
const FOOTER_BYTES = 64 << 10
/** Bytes at the end of a file that contain its footer. Twenty row groups of fifty columns take a tenth of this. */
const MAX_FOOTER_BYTES = 1 << 20

export interface MergedFile {
  readonly spec: PartitionSpec
  readonly file: DataFile
  readonly replaced: ReadonlyArray<DataFile>
}

/** The key of a file's schema, read from its last `bytes` bytes. */
const readSchemaKey = (table: Table, file: DataFile, bytes: number): Effect.Effect<string, IcebergError> => {
  const offset = Math.max(0, file.fileSize - bytes)
  return Effect.flatMap(table.store.readRange(file.location, offset, file.fileSize - offset), (end) =>
    Effect.try({
      try: () => schemaKey(end),
      catch: (cause) => IcebergError.invalid(`Cannot read data file ${file.location}: ${String(cause)}.`)
    })
  )
}

/**
 * Divides a group by the files' columns, which differ if they were written before and after a column was added, or by another
 * engine.
 */
export const divideBySchema = Effect.fnUntraced(function* (
  table: Table,
  group: FileGroup
): Effect.fn.Return<ReadonlyArray<FileGroup>, IcebergError> {
  const keyed = yield* Effect.forEach(
    group.files,
    (file) =>
      readSchemaKey(table, file, FOOTER_BYTES).pipe(
        // The footer may be larger: read the whole file.
        Effect.catchIf(
          (error) => error.reason === "Invalid",
          () => readSchemaKey(table, file, file.fileSize)
        ),
        Effect.map((key) => ({ file, key }))
      ),
    { concurrency: READS }
  )
  return [...Map.groupBy(keyed, ({ key }) => key).values()]
    .filter((files) => files.length > 1)
    .map((files): FileGroup => ({ spec: group.spec, files: files.map(({ file }) => file) }))
})

/** Reads the footer of a merged file back. Fails with `Invalid` unless its row count is `expected`. Returns the sizes of its columns. */
const checkFooter = Effect.fnUntraced(function* (
  table: Table,
  location: string,
  fileSize: number,
  expected: number
): Effect.fn.Return<DataFile["columnSizes"], IcebergError> {
  const bytes = Math.min(fileSize, MAX_FOOTER_BYTES)
  const end = yield* table.store.readRange(location, fileSize - bytes, bytes)
  const { fields } = currentSchema(table.metadata)
  const { rows, sizes } = yield* Effect.tryPromise({
    try: async () => {
      const written = fieldIdsOf(end).map((id) => fields.find((field) => field.id === id))
      const isKnown = written.every((field) => field !== undefined)
      return {
        rows: await rowsOf(end, fileSize),
        sizes: isKnown ? await columnSizesOf(end, fileSize, leafIds(written)) : null
      }
    },
    catch: (cause) => IcebergError.invalid(`Cannot read the merged file ${location}: ${String(cause)}.`)
  })
  if (rows !== expected) {
    return yield* IcebergError.invalid(`The merged file ${location} has ${rows} rows instead of ${expected}.`)
  }
  return sizes
})

/** Writes the rows of files with the same columns to a new file in the folder of the first. */
export const mergeFiles = Effect.fnUntraced(function* (
  table: Table,
  group: FileGroup,
  createdBy: string
): Effect.fn.Return<MergedFile, IcebergError> {
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  const first = group.files[0]!
  const folder = first.location.slice(0, first.location.lastIndexOf("/"))
  const location = `${folder}/${crypto.randomUUID()}.parquet`
  const inputs = async function* () {
    for (const { location: input } of group.files) yield await run(table.store.read(input))
  }
  const recordCount = rowsIn(group.files)
  const write = Effect.gen(function* () {
    const fileSize = yield* table.store.writeChunks(location, mergeParquet(inputs(), recordCount, createdBy))
    const columnSizes = yield* checkFooter(table, location, fileSize, recordCount)
    return { fileSize, metrics: { ...mergedMetrics(currentSchema(table.metadata), group.files), columnSizes } }
  })
  const { fileSize, metrics } = yield* Effect.onError(write, () => discard(table, [location]))
  const file: DataFile = {
    content: 0,
    location,
    format: "PARQUET",
    partition: first.partition,
    recordCount,
    fileSize,
    keyMetadata: null,
    splitOffsets: null,
    equalityIds: null,
    // The inputs are sorted, but their concatenation is not.
    sortOrderId: null,
    ...metrics
  }
  return { spec: group.spec, file, replaced: group.files }
})
