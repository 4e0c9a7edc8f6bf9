import { Effect, Option, Stream } from "effect"
import type { IcebergError } from "../../IcebergError.ts"
import { fileNameOf } from "../../io/location.ts"
import type { ObjectStore, StoredObject } from "../../io/ObjectStore.ts"

/** Names that a version's file may have; the last is Iceberg's before 0.9. Ours have the first. */
const SUFFIXES = [".metadata.json", ".gz.metadata.json", ".metadata.json.gz"]
const VERSION_FILE = /^v(\d+)(?:\.gz)?\.metadata\.json(?:\.gz)?$/

export const versionFile = (folder: string, version: number): string => `${folder}v${version}${SUFFIXES[0]}`
export const hintFile = (folder: string): string => `${folder}version-hint.text`

/** The version that a metadata file's name tells. */
export const versionOf = (location: string): number | undefined => {
  const found = VERSION_FILE.exec(fileNameOf(location))
  return found === null ? undefined : Number(found[1])
}

const missing = <A>(self: Effect.Effect<A, IcebergError>): Effect.Effect<A | undefined, IcebergError> =>
  Effect.catchIf(
    self,
    (error) => error.reason === "NotFound",
    () => Effect.succeed(undefined)
  )

/** The file of a version, whatever its name; undefined when there is none. */
export const findVersion = (
  store: ObjectStore,
  folder: string,
  version: number
): Effect.Effect<StoredObject | undefined, IcebergError> =>
  Effect.map(
    Effect.forEach(SUFFIXES, (suffix) => missing(store.head(`${folder}v${version}${suffix}`)), {
      concurrency: "unbounded"
    }),
    (found) => found.find((file) => file !== undefined)
  )

/** What `version-hint.text` says. It is written after the version itself, and not always: never more than a hint. */
export const readHint = (store: ObjectStore, folder: string): Effect.Effect<number | undefined, IcebergError> =>
  Effect.map(missing(store.read(hintFile(folder))), (bytes) => {
    const text = bytes === undefined ? "" : new TextDecoder().decode(bytes).trim()
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined
  })

const newestListed = (store: ObjectStore, folder: string): Effect.Effect<number | undefined, IcebergError> =>
  Stream.runFold(
    store.list(folder),
    (): number | undefined => undefined,
    (newest, { location }) => {
      const version = location === `${folder}${fileNameOf(location)}` ? versionOf(location) : undefined
      return version === undefined || (newest !== undefined && newest > version) ? newest : version
    }
  )

/**
 * The newest version's file: from the hint, or from the newest one listed when the hint is missing or names what is gone,
 * upwards until a version is missing (Iceberg's `HadoopTableOperations.findVersion`).
 */
export const newestVersion = Effect.fnUntraced(function* (
  store: ObjectStore,
  folder: string
): Effect.fn.Return<Option.Option<StoredObject>, IcebergError> {
  const hint = yield* readHint(store, folder)
  // A wrong hint costs a listing, a right one nothing: its file and the next are asked for at the same time.
  const [hinted, afterHint] =
    hint === undefined
      ? [undefined, undefined]
      : yield* Effect.all([findVersion(store, folder, hint), findVersion(store, folder, hint + 1)], { concurrency: 2 })
  if (hinted !== undefined && afterHint === undefined) return Option.some(hinted)
  let version = afterHint === undefined ? yield* newestListed(store, folder) : hint! + 1
  if (version === undefined) return Option.none()
  let newest = afterHint ?? (yield* findVersion(store, folder, version))
  for (let next = newest; next !== undefined; next = yield* findVersion(store, folder, ++version)) newest = next
  return Option.fromUndefinedOr(newest)
})
