import { Effect } from "effect"
import type { IcebergError } from "../../IcebergError.ts"
import { objectAt, type S3Requests } from "./S3Requests.ts"

/** Maximum number of keys in one `DeleteObjects` request. */
const MAX_KEYS = 1_000
/** HTTP statuses of the error codes that `DeleteObjects` reports for single keys; the default is 503. */
const STATUSES: Readonly<Record<string, number>> = { AccessDenied: 403, InternalError: 500 }

const removeKeys = (
  { sdk, send }: S3Requests,
  bucket: string,
  keys: ReadonlyArray<string>
): Effect.Effect<void, IcebergError> => {
  const [key = ""] = keys
  const request = {
    Bucket: bucket,
    Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true }
  }
  return send(
    { verb: "remove", location: `s3://${bucket}/${key}`, target: { bucket, key } },
    async (client, options) => {
      const { Errors = [] } = await client.send(new sdk.DeleteObjectsCommand(request), options)
      const failed = Errors.find(({ Code }) => Code !== "NoSuchKey")
      if (failed === undefined) return
      const { Code = "", Message = "" } = failed
      throw { name: Code, message: Message, $metadata: { httpStatusCode: STATUSES[Code] ?? 503 } }
    }
  )
}

export const removeObjects = Effect.fnUntraced(function* (
  requests: S3Requests,
  locations: ReadonlyArray<string>
): Effect.fn.Return<void, IcebergError> {
  const buckets = new Map<string, Set<string>>()
  for (const location of locations) {
    const { bucket, key } = yield* objectAt(location)
    buckets.set(bucket, (buckets.get(bucket) ?? new Set()).add(key))
  }
  for (const [bucket, unique] of buckets) {
    const keys = [...unique]
    for (let start = 0; start < keys.length; start += MAX_KEYS) {
      yield* removeKeys(requests, bucket, keys.slice(start, start + MAX_KEYS))
    }
  }
})
