import { Effect, Stream } from "effect"
import { type IcebergError, nullIfNotFound } from "../../IcebergError.ts"
import { fileNameOf } from "../../io/location.ts"
import type { ObjectStore, StoredObject } from "../../io/ObjectStore.ts"

/** Suffixes of a version's file. This library writes the first; the last is from Iceberg before 0.9. */
const SUFFIXES = [".metadata.json", ".gz.metadata.json", ".metadata.json.gz"]
const VERSION_FILE = /^v(\d+)(?:\.gz)?\.metadata\.json(?:\.gz)?$/

export const versionFile = (folder: string, version: number): string => `${folder}v${version}${SUFFIXES[0]}`
export const hintFile = (folder: string): string => `${folder}version-hint.text`

/** The version in a metadata file's name; null if it has none. */
export const versionOf = (location: string): number | null => {
  const match = VERSION_FILE.exec(fileNameOf(location))
  return match === null ? null : Number(match[1])
}

/** The file of a version, whatever its suffix; null if there is none. */
export const findVersion = (
  store: ObjectStore,
  folder: string,
  version: number
): Effect.Effect<StoredObject | null, IcebergError> =>
  Effect.map(
    Effect.forEach(SUFFIXES, (suffix) => nullIfNotFound(store.head(`${folder}v${version}${suffix}`)), {
      concurrency: "unbounded"
    }),
    (found) => found.find((file) => file !== null) ?? null
  )

/** The number in `version-hint.text`. It is written after the version, and not always, so it is only a hint. */
export const readHint = (store: ObjectStore, folder: string): Effect.Effect<number | null, IcebergError> =>
  Effect.map(nullIfNotFound(store.read(hintFile(folder))), (bytes) => {
    const content = bytes === null ? "" : new TextDecoder().decode(bytes).trim()
    return /^\d{1,15}$/.test(content) ? Number(content) : null
  })

const newestListed = (store: ObjectStore, folder: string): Effect.Effect<number | null, IcebergError> =>
  Stream.runFold(
    store.list(folder),
    (): number | null => null,
    (newest, { location }) => {
      const version = location === `${folder}${fileNameOf(location)}` ? versionOf(location) : null
      return version === null || (newest !== null && newest > version) ? newest : version
    }
  )

/**
 * The newest version's file; null if there is none. Starts at the hint, or at the newest listed version if the hint is
 * missing or names a file that does not exist, and goes up until a version is missing (Iceberg's
 * `HadoopTableOperations.findVersion`).
 */
export const newestVersion = Effect.fnUntraced(function* (
  store: ObjectStore,
  folder: string
): Effect.fn.Return<StoredObject | null, IcebergError> {
  const hint = yield* readHint(store, folder)
  // Looking up the hinted version and the next one together makes the usual case a single round trip.
  const [hinted, afterHint] =
    hint === null
      ? [null, null]
      : yield* Effect.all([findVersion(store, folder, hint), findVersion(store, folder, hint + 1)], { concurrency: 2 })
  if (hinted !== null && afterHint === null) return hinted
  let version = afterHint === null ? yield* newestListed(store, folder) : hint! + 1
  if (version === null) return null
  let newest = afterHint ?? (yield* findVersion(store, folder, version))
  for (let next = newest; next !== null; next = yield* findVersion(store, folder, ++version)) newest = next
  return newest
})
