import { Effect } from "effect"
import type { IcebergError } from "../../IcebergError.ts"
import type { AwsFailure } from "../awsFailure.ts"
import type { S3Location } from "../location.ts"
import type { StoredObject } from "../ObjectStore.ts"
import { objectAt, type S3Request, type S3Requests } from "./S3Requests.ts"

/** Reads an object once: its response within the time of a request, then its bytes within theirs. */
export const getOnce = (
  { sdk, sendOnce }: S3Requests,
  location: string,
  target: S3Location,
  range?: string
): Effect.Effect<Uint8Array, AwsFailure> => {
  const request: S3Request = { verb: "read", location, target }
  const object = { Bucket: target.bucket, Key: target.key, ...(range === undefined ? {} : { Range: range }) }
  return sendOnce(request, (client, options) => client.send(new sdk.GetObjectCommand(object), options)).pipe(
    Effect.flatMap(({ Body, ContentLength = 0 }) =>
      sendOnce({ ...request, size: ContentLength }, (_, { abortSignal }) => {
        if (Body === undefined) return Promise.resolve(new Uint8Array())
        abortSignal.addEventListener("abort", () => {
          if ("destroy" in Body) Body.destroy()
        })
        return Body.transformToByteArray()
      })
    )
  )
}

const errorOf = ({ error }: AwsFailure): IcebergError => error

export const readObject = (requests: S3Requests, location: string): Effect.Effect<Uint8Array, IcebergError> =>
  Effect.flatMap(objectAt(location), (target) =>
    getOnce(requests, location, target).pipe(Effect.mapError(errorOf), requests.retry)
  )

export const readObjectRange = (
  requests: S3Requests,
  location: string,
  offset: number,
  length: number
): Effect.Effect<Uint8Array, IcebergError> => {
  if (length <= 0) return Effect.succeed(new Uint8Array())
  return Effect.flatMap(objectAt(location), (target) =>
    getOnce(requests, location, target, `bytes=${offset}-${offset + length - 1}`).pipe(
      Effect.catchIf(
        // The object ends before the offset.
        (failure) => failure.status === 416,
        () => Effect.succeed(new Uint8Array())
      ),
      // A store without support for ranges returns the whole object.
      Effect.map((bytes) => (bytes.byteLength > length ? bytes.slice(offset, offset + length) : bytes)),
      Effect.mapError(errorOf),
      requests.retry
    )
  )
}

export const headObject = ({ sdk, send }: S3Requests, location: string): Effect.Effect<StoredObject, IcebergError> =>
  Effect.flatMap(objectAt(location), (target) => {
    const object = { Bucket: target.bucket, Key: target.key }
    return Effect.map(
      send({ verb: "read", location, target }, (client, options) =>
        client.send(new sdk.HeadObjectCommand(object), options)
      ),
      ({ ContentLength = 0, LastModified }) => ({
        location,
        size: ContentLength,
        modifiedAt: LastModified?.getTime() ?? 0
      })
    )
  })
