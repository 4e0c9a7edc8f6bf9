import { Effect, Stream } from "effect"
import { type IcebergError, nullIfNotFound } from "../../IcebergError.ts"
import { headObject } from "./readObject.ts"
import { removeObjects } from "./removeObjects.ts"
import { notS3, objectAt, type S3Request, type S3Requests } from "./S3Requests.ts"

/** Bytes of a part: S3 requires at least 5 MiB and accepts 10,000 parts, which allows objects of 80 GB. */
export const PART_SIZE = 8 << 20
/** Parts uploaded at the same time. With the waiting ones, a writer holds about five in memory. */
const PARTS_IN_FLIGHT = 2
/** How long cleaning up after a failed upload may delay its error. */
const ABORT_DEADLINE = "15 seconds"

interface UploadedPart {
  readonly ETag: string
  readonly PartNumber: number
  readonly size: number
}

/** Uploads parts of `PART_SIZE` bytes (the last of any size) as one object and returns its size. Leaves nothing on failure. */
export const uploadParts = Effect.fnUntraced(function* (
  requests: S3Requests,
  location: string,
  parts: Stream.Stream<Uint8Array, IcebergError>
): Effect.fn.Return<number, IcebergError> {
  const { sdk, send, service } = requests
  const target = yield* objectAt(location)
  const object = { Bucket: target.bucket, Key: target.key }
  const writing = (size = 0): S3Request => ({ verb: "write", location, target, size })
  /** From here on the object may exist. */
  let isCompleting = false

  const start = send(writing(), (client, options) => client.send(new sdk.CreateMultipartUploadCommand(object), options))
  const upload = (
    UploadId: string | undefined,
    part: Uint8Array,
    index: number
  ): Effect.Effect<UploadedPart, IcebergError> =>
    send(writing(part.byteLength), async (client, options) => {
      const PartNumber = index + 1
      const { ETag } = await client.send(
        new sdk.UploadPartCommand({ ...object, UploadId, PartNumber, Body: part, ContentLength: part.byteLength }),
        options
      )
      if (ETag === undefined) throw notS3(service, location)
      return { ETag, PartNumber, size: part.byteLength }
    })
  const complete = Effect.fnUntraced(function* (
    UploadId: string | undefined,
    uploaded: ReadonlyArray<UploadedPart>
  ): Effect.fn.Return<number, IcebergError> {
    const size = uploaded.reduce((sum, part) => sum + part.size, 0)
    const Parts = uploaded.map(({ ETag, PartNumber }) => ({ ETag, PartNumber }))
    isCompleting = true
    yield* send(writing(), (client, options) =>
      client.send(new sdk.CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts } }), options)
    ).pipe(
      // After a lost response, the upload no longer exists because it has become the object.
      Effect.catchIf(
        (error) => error.reason === "NotFound" || error.reason === "Unavailable",
        (error) =>
          Effect.flatMap(headObject(requests, location), (found) =>
            found.size === size ? Effect.void : Effect.fail(error)
          )
      )
    )
    return size
  })
  const abort = (UploadId: string | undefined) =>
    nullIfNotFound(
      send(writing(), (client, options) =>
        client.send(new sdk.AbortMultipartUploadCommand({ ...object, UploadId }), options)
      )
    ).pipe(
      Effect.andThen(isCompleting ? removeObjects(requests, [location]) : Effect.void),
      Effect.timeout(ABORT_DEADLINE),
      Effect.catch((error) =>
        Effect.logWarning(`Parts of ${location} may remain in the bucket ${target.bucket}: ${error.message}`)
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
