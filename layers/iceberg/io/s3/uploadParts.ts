import { Effect, Stream } from "effect"
import type { IcebergError } from "../../IcebergError.ts"
import type { S3Place } from "../location.ts"
import type { StoredObject } from "../ObjectStore.ts"
import { notS3, type S3Request, type S3Requests } from "./S3Requests.ts"

/** Bytes of a part: S3 wants 5 MiB at least, and takes 10,000 parts, which makes 80 GB. */
export const PART_SIZE = 8 << 20
/** Parts on their way at the same time. With those that wait, a writer holds about five. */
const PARTS_IN_FLIGHT = 2
/** How long tidying up after a failed upload may hold up the one who is told of it. */
const ABORT_DEADLINE = "15 seconds"

export interface Target {
  readonly location: string
  readonly place: S3Place
  readonly head: Effect.Effect<StoredObject, IcebergError>
  readonly remove: Effect.Effect<void, IcebergError>
}

/** Uploads parts of `PART_SIZE` bytes, the last of any size, as one object; the answer is its size. Nothing is left of them when that fails. */
export const uploadParts = Effect.fnUntraced(function* (
  { client, retried, sdk, service }: S3Requests,
  { head, location, place, remove }: Target,
  parts: Stream.Stream<Uint8Array, IcebergError>
): Effect.fn.Return<number, IcebergError> {
  const target = { Bucket: place.bucket, Key: place.key }
  const writing = (size = 0): S3Request => ({ verb: "write", location, place, size })
  /** From here on the object may be there. */
  let completing = false

  const start = retried(writing(), (signal) =>
    client.send(new sdk.CreateMultipartUploadCommand(target), { abortSignal: signal })
  )
  const upload = (UploadId: string | undefined, part: Uint8Array, index: number) =>
    retried(writing(part.byteLength), async (signal) => {
      const PartNumber = index + 1
      const { ETag } = await client.send(
        new sdk.UploadPartCommand({ ...target, UploadId, PartNumber, Body: part, ContentLength: part.byteLength }),
        { abortSignal: signal }
      )
      if (ETag === undefined) throw notS3(service, location)
      return { ETag, PartNumber, size: part.byteLength }
    })
  const complete = Effect.fnUntraced(function* (
    UploadId: string | undefined,
    uploaded: ReadonlyArray<{ readonly ETag: string; readonly PartNumber: number; readonly size: number }>
  ): Effect.fn.Return<number, IcebergError> {
    const size = uploaded.reduce((sum, part) => sum + part.size, 0)
    const Parts = uploaded.map(({ ETag, PartNumber }) => ({ ETag, PartNumber }))
    completing = true
    yield* retried(writing(), (signal) =>
      client.send(new sdk.CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }), {
        abortSignal: signal
      })
    ).pipe(
      // A lost answer: the upload is no more because it is the object now.
      Effect.catchIf(
        (error) => error.reason === "NotFound" || error.reason === "Unavailable",
        (error) => Effect.flatMap(head, (found) => (found.size === size ? Effect.void : Effect.fail(error)))
      )
    )
    return size
  })
  const abort = (UploadId: string | undefined) =>
    retried(writing(), (signal) =>
      client.send(new sdk.AbortMultipartUploadCommand({ ...target, UploadId }), { abortSignal: signal })
    ).pipe(
      Effect.catchIf(
        (error) => error.reason === "NotFound",
        () => Effect.void
      ),
      Effect.andThen(completing ? remove : Effect.void),
      Effect.timeout(ABORT_DEADLINE),
      Effect.catch((error) =>
        Effect.logWarning(`Parts of ${location} may have been left in ${place.bucket}: ${error.message}`)
      )
    )

  return yield* Effect.acquireUseRelease(
    start,
    ({ UploadId }) =>
      parts.pipe(
        Stream.zipWithIndex,
        Stream.mapEffect(([part, index]) => upload(UploadId, part, index), { concurrency: PARTS_IN_FLIGHT }),
        Stream.runCollect,
        Effect.flatMap((uploaded) => complete(UploadId, uploaded))
      ),
    ({ UploadId }, exit) => (exit._tag === "Success" ? Effect.void : abort(UploadId))
  )
})
