import { type RecordBatch, readParquet, readSchema, transformParquetStream } from "parquet-wasm/esm/parquet_wasm.js"
import { writerProperties } from "./encode.ts"
import { initParquet } from "./wasm.ts"

/** Rows handed on at a time. */
const BATCH_ROWS = 8_192

/** A file's columns, types and field ids as a text, read from its end: files that have the same may be merged. Throws. */
export const schemaKey = (file: Uint8Array): string => {
  initParquet()
  return Bun.hash(readSchema(file).intoIPCStream()).toString(36)
}

/**
 * Rows of several files of the same schema as one file, in the order of the files, as chunks of it. Holds one input file and one
 * row group of the output. Throws what an input throws, and for an input that can't be read.
 */
export const mergeParquet = async function* (files: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  initParquet()
  const batches = async function* (): AsyncGenerator<RecordBatch> {
    for await (const file of files) {
      const table = readParquet(file, { batchSize: BATCH_ROWS })
      const held = table.recordBatches()
      table.free()
      yield* held
    }
  }
  const source = batches()
  const stream = new ReadableStream<RecordBatch>({
    pull: async (controller) => {
      const next = await source.next()
      if (next.done === true) controller.close()
      else controller.enqueue(next.value)
    },
    cancel: async () => {
      await source.return(undefined)
    }
  })
  const merged: ReadableStream<Uint8Array> = await transformParquetStream(stream, writerProperties())
  yield* merged
}
