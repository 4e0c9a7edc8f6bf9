import { Effect, Scope, Stream } from "effect"
import { IcebergError } from "../IcebergError.ts"
import { onceSuccessful } from "../onceSuccessful.ts"
import { makeLocalObjectStore } from "./LocalObjectStore.ts"
import { schemeOf } from "./location.ts"
import type { ObjectStore } from "./ObjectStore.ts"
import { makeS3ObjectStore, type S3Options } from "./S3ObjectStore.ts"

export interface ObjectStoreOptions {
  /** Location of the folder that may contain local files; without one, local files are refused. */
  readonly root?: string | undefined
  readonly s3?: S3Options | undefined
}

/** Accesses each location by its scheme. The S3 store is created, and its SDK loaded, on first use. */
export const makeObjectStore = Effect.fnUntraced(function* ({
  root,
  s3
}: ObjectStoreOptions): Effect.fn.Return<ObjectStore, IcebergError, Scope.Scope> {
  const scope = yield* Effect.scope
  const local = root === undefined ? null : yield* makeLocalObjectStore(root)
  const remote = yield* onceSuccessful(Scope.provide(makeS3ObjectStore(s3), scope))

  const storeOf = (location: string): Effect.Effect<ObjectStore, IcebergError> => {
    switch (schemeOf(location)) {
      case "s3":
        return remote
      case "file":
        if (local !== null) return Effect.succeed(local)
        return Effect.fail(
          IcebergError.invalid(`${location} is a local file, but the warehouse of this catalog is not local.`)
        )
      case "other":
        return Effect.fail(IcebergError.invalid(`Unsupported location ${location}: use s3://, s3a:// or file:.`))
    }
  }
  const at = <A>(location: string, use: (store: ObjectStore) => Effect.Effect<A, IcebergError>) =>
    Effect.flatMap(storeOf(location), use)

  return {
    read: (location) => at(location, (store) => store.read(location)),
    readRange: (location, offset, length) => at(location, (store) => store.readRange(location, offset, length)),
    head: (location) => at(location, (store) => store.head(location)),
    write: (location, bytes) => at(location, (store) => store.write(location, bytes)),
    writeNew: (location, bytes) => at(location, (store) => store.writeNew(location, bytes)),
    writeChunks: (location, chunks) => at(location, (store) => store.writeChunks(location, chunks)),
    remove: (locations) =>
      Effect.forEach(
        Map.groupBy(locations, schemeOf).values(),
        ([first, ...rest]) =>
          first === undefined ? Effect.void : at(first, (store) => store.remove([first, ...rest])),
        { discard: true }
      ),
    list: (folder) => Stream.unwrap(Effect.map(storeOf(folder), (store) => store.list(folder)))
  }
})
