import {
  ParquetFile,
  type RecordBatch,
  readParquet,
  readSchema,
  transformParquetStream
} from "parquet-wasm/esm/parquet_wasm.js"
import { initParquet } from "./wasm.ts"
import { writerProperties } from "./writerProperties.ts"

/** Rows handed on at a time. */
const BATCH_ROWS = 8_192

/** A file's columns, types and field ids as a text, read from its end: files that have the same may be merged. Throws. */
export const schemaKey = (file: Uint8Array): string => {
  initParquet()
  return Bun.hash(readSchema(file).intoIPCStream()).toString(36)
}

/**
 * Rows of several files of the same schema as one file, in the order of the files, as chunks of it. Holds one input file and one
 * row group of the output. Throws what an input throws, for an input that can't be read, and when the inputs don't have the
 * number of rows that is expected of them.
 */
export const mergeParquet = async function* (
  files: AsyncIterable<Uint8Array>,
  expectedRows: number,
  createdBy: string
): AsyncGenerator<Uint8Array> {
  initParquet()
  let rows = 0
  const batches = async function* (): AsyncGenerator<RecordBatch> {
    for await (const file of files) {
      const table = readParquet(file, { batchSize: BATCH_ROWS })
      const held = table.recordBatches()
      table.free()
      for (const batch of held) {
        rows += batch.numRows
        yield batch
      }
    }
  }
  const source = batches()
  // parquet-wasm takes a stream that fails for one that ends.
  let failure: { readonly cause: unknown } | undefined
  const stream = new ReadableStream<RecordBatch>({
    pull: async (controller) => {
      try {
        const next = await source.next()
        if (next.done === true) controller.close()
        else controller.enqueue(next.value)
      } catch (cause) {
        failure = { cause }
        controller.close()
      }
    },
    cancel: async () => {
      await source.return(undefined)
    }
  })
  const merged: ReadableStream<Uint8Array> = await transformParquetStream(stream, writerProperties(createdBy))
  // The last chunk makes the file whole; it must not be handed out for inputs that are not.
  let held: Uint8Array | undefined
  for await (const chunk of merged) {
    if (held !== undefined) yield held
    held = chunk
  }
  if (failure !== undefined) throw failure.cause
  if (rows !== expectedRows) throw new Error(`the files have ${rows} rows, not ${expectedRows}`)
  if (held !== undefined) yield held
}

/** The end of a file, at the places that it has in the whole. */
class Tail extends Blob {
  readonly #offset: number

  constructor(end: Uint8Array, fileSize: number) {
    super([end as Uint8Array<ArrayBuffer>])
    this.#offset = fileSize - end.length
  }

  override get size(): number {
    return super.size + this.#offset
  }

  override slice(start = 0, end = this.size): Blob {
    return super.slice(Math.max(0, start - this.#offset), Math.max(0, end - this.#offset))
  }
}

/** Rows of a file, from its end, which must hold its page index too. Throws for one that can't be read. */
export const rowsOf = async (end: Uint8Array, fileSize: number): Promise<number> => {
  initParquet()
  const parquet = await ParquetFile.fromFile(new Tail(end, fileSize))
  return parquet.metadata().fileMetadata().numRows()
}
