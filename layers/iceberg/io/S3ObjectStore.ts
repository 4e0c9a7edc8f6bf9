import { Effect, Option, Result, type Scope, Stream } from "effect"
import { type IcebergError, icebergError } from "../IcebergError.ts"
import type { AwsFailure } from "./awsFailure.ts"
import { chunksFor } from "./chunksFor.ts"
import { type S3Place, s3PlaceOf } from "./location.ts"
import type { ObjectStore, StoredObject } from "./ObjectStore.ts"
import { partsOf } from "./parts.ts"
import { makeS3Requests, notS3, type S3Options, type S3Request } from "./s3/S3Requests.ts"
import { PART_SIZE, uploadParts } from "./s3/uploadParts.ts"
import { sameBytes } from "./sameBytes.ts"

export type { S3Options } from "./s3/S3Requests.ts"

/** `DeleteObjects` takes no more keys. */
const DELETE_KEYS = 1_000

const chunked = <A>(all: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))

/** Where an object is; a bucket alone is none. */
const objectPlaceOf = (location: string): Effect.Effect<S3Place, IcebergError> =>
  Effect.flatMap(s3PlaceOf(location), (place) =>
    place.key === ""
      ? Effect.fail(icebergError("Invalid", `${location} names a bucket, not an object in it.`))
      : Effect.succeed(place)
  )

const errorOf = (failure: AwsFailure): IcebergError => failure.error

interface Write {
  /** Whether something of it may have been stored. */
  ambiguous: boolean
}

/**
 * A warehouse in S3, or in what speaks its language. After a lost answer a second conditional write is refused because of the
 * first, and only who knows that there was a first can tell: so every attempt is made, and counted, here.
 */
export const makeS3ObjectStore = Effect.fnUntraced(function* (
  options: S3Options = {}
): Effect.fn.Return<ObjectStore, IcebergError, Scope.Scope> {
  const requests = yield* makeS3Requests(options)
  const { again, client, once, retried, sdk, service } = requests

  const reading = (location: string, place: S3Place, size = 0): S3Request => ({ verb: "read", location, place, size })
  const writing = (location: string, place: S3Place, size: number): S3Request => ({
    verb: "write",
    location,
    place,
    size
  })

  /** One attempt: an answer within the time of a request, then its bytes within theirs. */
  const get = (location: string, place: S3Place, range?: string): Effect.Effect<Uint8Array, AwsFailure> =>
    once(reading(location, place), (signal) =>
      client.send(
        new sdk.GetObjectCommand({
          Bucket: place.bucket,
          Key: place.key,
          ...(range === undefined ? {} : { Range: range })
        }),
        { abortSignal: signal }
      )
    ).pipe(
      Effect.flatMap(({ Body, ContentLength }) =>
        once(reading(location, place, ContentLength), (signal) => {
          if (Body === undefined) return Promise.resolve(new Uint8Array())
          signal.addEventListener("abort", () => {
            if ("destroy" in Body) Body.destroy()
          })
          return Body.transformToByteArray()
        })
      )
    )

  const read = (location: string) =>
    Effect.flatMap(objectPlaceOf(location), (place) => get(location, place).pipe(Effect.mapError(errorOf), again))

  const readRange = (location: string, offset: number, length: number) =>
    length <= 0
      ? Effect.succeed(new Uint8Array())
      : Effect.flatMap(objectPlaceOf(location), (place) =>
          get(location, place, `bytes=${offset}-${offset + length - 1}`).pipe(
            Effect.catchIf(
              (failure) => failure.status === 416,
              () => Effect.succeed(new Uint8Array())
            ),
            // A store that knows no ranges answers with everything.
            Effect.map((bytes) => (bytes.byteLength > length ? bytes.slice(offset, offset + length) : bytes)),
            Effect.mapError(errorOf),
            again
          )
        )

  const head = (location: string): Effect.Effect<StoredObject, IcebergError> =>
    Effect.flatMap(objectPlaceOf(location), (place) =>
      retried(reading(location, place), async (signal) => {
        const { ContentLength = 0, LastModified } = await client.send(
          new sdk.HeadObjectCommand({ Bucket: place.bucket, Key: place.key }),
          { abortSignal: signal }
        )
        return { location, size: ContentLength, modifiedAt: LastModified?.getTime() ?? 0 }
      })
    )

  const put = (location: string, { bucket, key }: S3Place, bytes: Uint8Array, signal: AbortSignal, isNew: boolean) =>
    client
      .send(
        new sdk.PutObjectCommand({
          Bucket: bucket,
          Key: key,
          Body: bytes,
          ContentLength: bytes.byteLength,
          ...(isNew ? { IfNoneMatch: "*" } : {})
        }),
        { abortSignal: signal }
      )
      .then(({ ETag }) => {
        if (ETag === undefined) throw notS3(service, location)
      })

  const write = (location: string, bytes: Uint8Array): Effect.Effect<void, IcebergError> =>
    Effect.flatMap(objectPlaceOf(location), (place) =>
      retried(writing(location, place, bytes.byteLength), (signal) => put(location, place, bytes, signal, false))
    )

  /** One attempt; when something is there already, whether it is this. */
  const tryNew = (
    location: string,
    place: S3Place,
    bytes: Uint8Array,
    state: Write
  ): Effect.Effect<boolean, IcebergError> =>
    once(writing(location, place, bytes.byteLength), (signal) => put(location, place, bytes, signal, true)).pipe(
      Effect.as(true),
      Effect.catch((failure) => {
        if (failure.status !== 412 && failure.status !== 409) {
          if (!failure.certain) state.ambiguous = true
          return Effect.fail(failure.error)
        }
        // Even the first answer may be to a second sending: proxies and HTTP clients repeat requests, too.
        return Effect.matchEffect(get(location, place), {
          onSuccess: (there) => Effect.succeed(sameBytes(there, bytes)),
          onFailure: (unread) => {
            if (unread.status === 404) {
              return Effect.fail(
                icebergError("Unavailable", `${service} is still busy with another write of ${location}.`)
              )
            }
            state.ambiguous = true
            return Effect.fail(unread.error)
          }
        })
      })
    )

  const writeNew = (location: string, bytes: Uint8Array): Effect.Effect<boolean, IcebergError> =>
    Effect.gen(function* () {
      const place = yield* objectPlaceOf(location)
      const state: Write = { ambiguous: false }
      const written = yield* Effect.result(again(tryNew(location, place, bytes, state)))
      if (Result.isSuccess(written)) return written.success
      if (!state.ambiguous) return yield* written.failure
      const there = yield* Effect.result(get(location, place))
      if (Result.isSuccess(there)) return sameBytes(there.success, bytes)
      return yield* icebergError("Unknown", `Whether ${location} was written is not known: ${written.failure.message}`)
    })

  const writeChunks = (location: string, chunks: AsyncIterable<Uint8Array>): Effect.Effect<number, IcebergError> =>
    Effect.gen(function* () {
      const place = yield* objectPlaceOf(location)
      const parts = partsOf(chunksFor(location, chunks), PART_SIZE)
      const next = Effect.tryPromise({ try: () => parts.next(), catch: (cause) => cause as IcebergError })
      const all = Effect.gen(function* () {
        const first = yield* next
        const second = first.done === true ? first : yield* next
        if (second.done === true) {
          const bytes = first.done === true ? new Uint8Array() : first.value
          yield* write(location, bytes)
          return bytes.byteLength
        }
        const rest = Stream.paginate(undefined, () =>
          Effect.map(next, (part) =>
            part.done === true
              ? ([[], Option.none<undefined>()] as const)
              : ([[part.value], Option.some(undefined)] as const)
          )
        )
        return yield* uploadParts(
          requests,
          { location, place, head: head(location), remove: remove([location]) },
          Stream.concat(Stream.make(first.value!, second.value), rest)
        )
      })
      return yield* Effect.ensuring(
        all,
        Effect.promise(() => parts.return(undefined).catch(() => undefined))
      )
    })

  const removeKeys = (bucket: string, keys: ReadonlyArray<string>): Effect.Effect<void, IcebergError> => {
    const request: S3Request = {
      verb: "remove",
      location: `s3://${bucket}/${keys[0]}`,
      place: { bucket, key: keys[0] ?? "" }
    }
    return retried(request, async (signal) => {
      const { Errors = [] } = await client.send(
        new sdk.DeleteObjectsCommand({
          Bucket: bucket,
          Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true }
        }),
        { abortSignal: signal }
      )
      const [failed] = Errors.filter(({ Code }) => Code !== "NoSuchKey")
      if (failed !== undefined) {
        const status = failed.Code === "AccessDenied" ? 403 : failed.Code === "InternalError" ? 500 : 503
        throw { name: failed.Code ?? "", message: failed.Message ?? "", $metadata: { httpStatusCode: status } }
      }
    })
  }

  const remove = (locations: ReadonlyArray<string>): Effect.Effect<void, IcebergError> =>
    Effect.gen(function* () {
      const buckets = new Map<string, Set<string>>()
      for (const location of locations) {
        const { bucket, key } = yield* objectPlaceOf(location)
        buckets.set(bucket, (buckets.get(bucket) ?? new Set()).add(key))
      }
      for (const [bucket, keys] of buckets) {
        for (const some of chunked([...keys], DELETE_KEYS)) yield* removeKeys(bucket, some)
      }
    })

  const list = (folder: string): Stream.Stream<StoredObject, IcebergError> =>
    Stream.unwrap(
      Effect.map(s3PlaceOf(folder), ({ bucket, key: prefix }) => {
        const root = folder.slice(0, folder.length - prefix.length)
        const request: S3Request = { verb: "list", location: folder, place: { bucket, key: prefix } }
        return Stream.paginate(undefined as string | undefined, (token) =>
          retried(request, (signal) =>
            client.send(
              new sdk.ListObjectsV2Command({
                Bucket: bucket,
                Prefix: prefix,
                ...(token === undefined ? {} : { ContinuationToken: token })
              }),
              { abortSignal: signal }
            )
          ).pipe(
            Effect.map(
              ({ Contents = [], IsTruncated, NextContinuationToken }) =>
                [
                  Contents.map(({ Key = "", LastModified, Size = 0 }) => ({
                    location: root + Key,
                    size: Size,
                    modifiedAt: LastModified?.getTime() ?? 0
                  })),
                  IsTruncated === true ? Option.fromUndefinedOr(NextContinuationToken) : Option.none<string>()
                ] as const
            )
          )
        )
      })
    )

  return { read, readRange, head, write, writeNew, writeChunks, remove, list }
})
