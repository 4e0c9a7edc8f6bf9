import { IcebergError, icebergError } from "../IcebergError.ts"

/** The chunks, whose own failure is told as what it is: not the store's. */
export async function* chunksFor(location: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
  } catch (cause) {
    throw cause instanceof IcebergError
      ? cause
      : icebergError("Invalid", `What should be written to ${location} can't be made: ${String(cause)}`)
  }
}
