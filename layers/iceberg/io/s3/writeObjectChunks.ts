import { Effect, Option, Stream } from "effect"
import type { IcebergError } from "../../IcebergError.ts"
import { chunksFor } from "../chunksFor.ts"
import { partsOf } from "../parts.ts"
import type { S3Requests } from "./S3Requests.ts"
import { PART_SIZE, uploadParts } from "./uploadParts.ts"
import { writeObject } from "./writeObject.ts"

/** Writes an object from chunks and returns its size: in one request if it fits in a part, otherwise as a multipart upload. */
export const writeObjectChunks = Effect.fnUntraced(function* (
  requests: S3Requests,
  location: string,
  chunks: AsyncIterable<Uint8Array>
): Effect.fn.Return<number, IcebergError> {
  const parts = partsOf(chunksFor(location, chunks), PART_SIZE)
  const next = Effect.tryPromise({ try: () => parts.next(), catch: (cause) => cause as IcebergError })
  const writeAll = Effect.gen(function* () {
    const first = yield* next
    const second = first.done === true ? first : yield* next
    if (second.done === true) {
      const bytes = first.done === true ? new Uint8Array() : first.value
      yield* writeObject(requests, location, bytes)
      return bytes.byteLength
    }
    const rest = Stream.paginate(undefined, () =>
      Effect.map(next, (part) =>
        part.done === true
          ? ([[], Option.none<undefined>()] as const)
          : ([[part.value], Option.some(undefined)] as const)
      )
    )
    return yield* uploadParts(requests, location, Stream.concat(Stream.make(first.value!, second.value), rest))
  })
  return yield* Effect.ensuring(
    writeAll,
    Effect.promise(() => parts.return(undefined).catch(() => undefined))
  )
})
