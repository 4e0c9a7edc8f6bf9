import { tableFromIPC } from "apache-arrow"
import {
  ParquetFile,
  type RecordBatch,
  readParquet,
  readSchema,
  transformParquetStream
} from "parquet-wasm/esm/parquet_wasm.js"
import { FileEnd } from "./FileEnd.ts"
import { initParquet } from "./wasm.ts"
import { writerProperties } from "./writerProperties.ts"

/** Rows of one batch that is passed to the writer. */
const BATCH_ROWS = 8_192

/** A string for a file's columns, types and field ids, read from its end. Files with equal keys may be merged. Throws. */
export const schemaKey = (file: Uint8Array): string => {
  initParquet()
  return Bun.hash(readSchema(file).intoIPCStream()).toString(36)
}

/** The field ids of a file's columns, read from its end; NaN for one without. Throws. */
export const fieldIdsOf = (file: Uint8Array): ReadonlyArray<number> => {
  initParquet()
  return tableFromIPC(readSchema(file).intoIPCStream()).schema.fields.map((field) =>
    Number(field.metadata.get("PARQUET:field_id"))
  )
}

const batchesOf = async function* (
  files: AsyncIterable<Uint8Array>,
  countRows: (rows: number) => void
): AsyncGenerator<RecordBatch> {
  for await (const file of files) {
    const table = readParquet(file, { batchSize: BATCH_ROWS })
    const batches = table.recordBatches()
    table.free()
    for (const batch of batches) {
      countRows(batch.numRows)
      yield batch
    }
  }
}

/** A stream that ends, instead of failing, when its source fails: parquet-wasm treats both alike. */
const streamOf = (
  source: AsyncGenerator<RecordBatch>,
  onFailure: (cause: unknown) => void
): ReadableStream<RecordBatch> =>
  new ReadableStream<RecordBatch>({
    pull: async (controller) => {
      try {
        const next = await source.next()
        if (next.done === true) controller.close()
        else controller.enqueue(next.value)
      } catch (cause) {
        onFailure(cause)
        controller.close()
      }
    },
    cancel: async () => {
      await source.return(undefined)
    }
  })

/**
 * The rows of files with the same schema as one file, in chunks. Holds one input file and one row group of the output in
 * memory. Throws if an input fails or cannot be read, or if the inputs do not have the expected number of rows.
 */
export const mergeParquet = async function* (
  files: AsyncIterable<Uint8Array>,
  expectedRows: number,
  createdBy: string
): AsyncGenerator<Uint8Array> {
  initParquet()
  let rows = 0
  const failures: Array<unknown> = []
  const batches = batchesOf(files, (count) => {
    rows += count
  })
  const stream = streamOf(batches, (cause) => failures.push(cause))
  const merged: ReadableStream<Uint8Array> = await transformParquetStream(stream, writerProperties(createdBy))
  // Only the last chunk completes the file, so it is held back until all inputs have been read.
  let last: Uint8Array | undefined
  for await (const chunk of merged) {
    if (last !== undefined) yield last
    last = chunk
  }
  if (failures.length > 0) throw failures[0]
  if (rows !== expectedRows) throw new Error(`the files have ${rows} rows instead of ${expectedRows}`)
  if (last !== undefined) yield last
}

/** The row count of a file, read from its end, which must include the page index. Throws if it cannot be read. */
export const rowsOf = async (end: Uint8Array, fileSize: number): Promise<number> => {
  initParquet()
  const parquet = await ParquetFile.fromFile(new FileEnd(end, fileSize))
  return parquet.metadata().fileMetadata().numRows()
}
