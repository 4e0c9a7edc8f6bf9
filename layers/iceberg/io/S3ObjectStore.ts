import { Effect, type Scope } from "effect"
import type { IcebergError } from "../IcebergError.ts"
import type { ObjectStore } from "./ObjectStore.ts"
import { listObjects } from "./s3/listObjects.ts"
import { headObject, readObject, readObjectRange } from "./s3/readObject.ts"
import { removeObjects } from "./s3/removeObjects.ts"
import { makeS3Requests, type S3Options } from "./s3/S3Requests.ts"
import { createObject, writeObject } from "./s3/writeObject.ts"
import { writeObjectChunks } from "./s3/writeObjectChunks.ts"

export type { S3Options } from "./s3/S3Requests.ts"

/** A warehouse in S3 or an S3-compatible store. */
export const makeS3ObjectStore = Effect.fnUntraced(function* (
  options: S3Options = {}
): Effect.fn.Return<ObjectStore, IcebergError, Scope.Scope> {
  const requests = yield* makeS3Requests(options)
  return {
    read: (location) => readObject(requests, location),
    readRange: (location, offset, length) => readObjectRange(requests, location, offset, length),
    head: (location) => headObject(requests, location),
    write: (location, bytes) => writeObject(requests, location, bytes),
    writeNew: (location, bytes) => createObject(requests, location, bytes),
    writeChunks: (location, chunks) => writeObjectChunks(requests, location, chunks),
    remove: (locations) => removeObjects(requests, locations),
    list: (folder) => listObjects(requests, folder)
  }
})
