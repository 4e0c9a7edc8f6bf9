import { IcebergError } from "../IcebergError.ts"

/** The chunks; their source's own failure becomes an `IcebergError`, so that it is not attributed to the store. */
export async function* chunksFor(location: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
  } catch (cause) {
    throw cause instanceof IcebergError
      ? cause
      : IcebergError.invalid(`Cannot produce the content of ${location}: ${String(cause)}`)
  }
}
