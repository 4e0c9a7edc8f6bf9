import type { S3Client } from "@aws-sdk/client-s3"
import { Effect, Result } from "effect"
import { IcebergError } from "../../IcebergError.ts"
import type { S3Location } from "../location.ts"
import { sameBytes } from "../sameBytes.ts"
import { getOnce } from "./readObject.ts"
import { notS3, objectAt, type S3Request, type S3Requests } from "./S3Requests.ts"

interface Put {
  readonly location: string
  readonly target: S3Location
  readonly bytes: Uint8Array
  /** Only if no object exists there. */
  readonly isNew: boolean
}

const put =
  ({ sdk, service }: S3Requests, { bytes, isNew, location, target }: Put) =>
  async (client: S3Client, options: { readonly abortSignal: AbortSignal }): Promise<void> => {
    const command = new sdk.PutObjectCommand({
      Bucket: target.bucket,
      Key: target.key,
      Body: bytes,
      ContentLength: bytes.byteLength,
      ...(isNew ? { IfNoneMatch: "*" } : {})
    })
    const { ETag } = await client.send(command, options)
    if (ETag === undefined) throw notS3(service, location)
  }

const requestOf = ({ bytes, location, target }: Put): S3Request => ({
  verb: "write",
  location,
  target,
  size: bytes.byteLength
})

export const writeObject = (
  requests: S3Requests,
  location: string,
  bytes: Uint8Array
): Effect.Effect<void, IcebergError> =>
  Effect.flatMap(objectAt(location), (target) => {
    const write: Put = { location, target, bytes, isNew: false }
    return requests.send(requestOf(write), put(requests, write))
  })

/**
 * Creates an object; false if one with other content exists. After a lost response, a second conditional write is refused
 * because of the first, so every attempt is made here, where it is known whether an earlier one may have succeeded.
 */
export const createObject = Effect.fnUntraced(function* (
  requests: S3Requests,
  location: string,
  bytes: Uint8Array
): Effect.fn.Return<boolean, IcebergError> {
  const { retry, sendOnce, service } = requests
  const target = yield* objectAt(location)
  const write: Put = { location, target, bytes, isNew: true }
  /** Whether an attempt may have stored the object. */
  let isAmbiguous = false

  // Proxies and HTTP clients repeat requests too, so even a first refusal may be caused by our own write.
  const compareWithExisting = Effect.matchEffect(getOnce(requests, location, target), {
    onSuccess: (existing) => Effect.succeed(sameBytes(existing, bytes)),
    onFailure: ({ error, status }) => {
      if (status === 404) {
        return Effect.fail(IcebergError.unavailable(`${service} is still processing another write of ${location}.`))
      }
      isAmbiguous = true
      return Effect.fail(error)
    }
  })
  const attempt = sendOnce(requestOf(write), put(requests, write)).pipe(
    Effect.as(true),
    Effect.catch(({ error, isCertain, status }) => {
      if (status === 412 || status === 409) return compareWithExisting
      isAmbiguous ||= !isCertain
      return Effect.fail(error)
    })
  )

  const written = yield* Effect.result(retry(attempt))
  if (Result.isSuccess(written)) return written.success
  if (!isAmbiguous) return yield* written.failure
  const existing = yield* Effect.result(getOnce(requests, location, target))
  if (Result.isSuccess(existing)) return sameBytes(existing.success, bytes)
  return yield* IcebergError.unknown(`It is unknown whether ${location} was written: ${written.failure.message}`)
})
