import { Effect, Stream } from "effect"
import type { Table } from "../catalog/Catalog.ts"
import { makeMetadataFiles, tableUuidIn } from "../catalog/metadataFiles.ts"
import { type IcebergError, nullIfNotFound } from "../IcebergError.ts"
import { canonicalLocation, fileNameOf } from "../io/location.ts"
import type { ObjectStore, StoredObject } from "../io/ObjectStore.ts"
import { currentSnapshot } from "../metadata/TableMetadata.ts"

/** The version in the name of a metadata file, as the JDBC, Glue and REST catalogs write it (`%05d-<uuid>.metadata.json`). */
const VERSION_FILE = /^(\d+)-[^/]*\.metadata\.json(\.gz)?$/

const versionIn = (location: string): number | null => {
  const digits = VERSION_FILE.exec(fileNameOf(location))?.[1]
  return digits === undefined ? null : Number(digits)
}

/** The folder of a metadata file, with a slash at the end. */
export const folderOf = (location: string): string => location.slice(0, location.lastIndexOf("/") + 1)

/** The versions in a folder of metadata files, the newest first. */
const versionsIn = (store: ObjectStore, folder: string) =>
  Effect.map(
    Stream.runFold(
      store.list(folder),
      (): Array<StoredObject & { readonly version: number }> => [],
      (found, object) => {
        const version = versionIn(object.location)
        // Folders inside of it are not the catalog's.
        if (version !== null && folderOf(object.location) === folderOf(folder)) found.push({ ...object, version })
        return found
      }
    ),
    (found) => found.sort((a, b) => b.version - a.version || b.modifiedAt - a.modifiedAt)
  )

/** Whether the manifest list of the current snapshot exists. That of a commit that was refused is removed. */
const isWhole = (store: ObjectStore, location: string): Effect.Effect<boolean, IcebergError> =>
  makeMetadataFiles(store)
    .read(location)
    .pipe(
      Effect.flatMap((metadata) => {
        const snapshot = currentSnapshot(metadata)
        return snapshot === null ? Effect.void : store.head(snapshot["manifest-list"])
      }),
      Effect.as(true),
      Effect.catchIf(
        ({ reason }) => reason === "NotFound" || reason === "Invalid",
        () => Effect.succeed(false)
      )
    )

/**
 * The location of a table's newest metadata file in a folder, with all that it needs; null if there is none. Of several files of one
 * version, all but one are of commits that came second or were never applied; the one that was written last is taken.
 */
export const newestMetadata = Effect.fnUntraced(function* (
  store: ObjectStore,
  folder: string,
  /** Whether the file of the table with this uuid (null: none could be read) is wanted. */
  isWanted: (uuid: string | null) => boolean
): Effect.fn.Return<string | null, IcebergError> {
  for (const { location } of yield* versionsIn(store, folder)) {
    const bytes = yield* nullIfNotFound(store.read(location))
    if (bytes !== null && isWanted(tableUuidIn(bytes)) && (yield* isWhole(store, location))) return location
  }
  return null
})

/** The uuids of the tables whose metadata is in a folder. */
export const uuidsIn = Effect.fnUntraced(function* (
  store: ObjectStore,
  folder: string
): Effect.fn.Return<ReadonlySet<string>, IcebergError> {
  const uuids = new Set<string>()
  for (const { location } of yield* versionsIn(store, folder)) {
    const bytes = yield* nullIfNotFound(store.read(location))
    const uuid = bytes === null ? null : tableUuidIn(bytes)
    if (uuid !== null) uuids.add(uuid)
  }
  return uuids
})

/**
 * The newest metadata of the table, if its version is higher than that of the metadata that the catalog names; otherwise null. The
 * catalog was rolled back then, or the newest file is of a commit that is in progress or was never applied.
 */
export const newerMetadata = Effect.fnUntraced(function* ({
  metadata,
  metadataLocation,
  store
}: Table): Effect.fn.Return<string | null, IcebergError> {
  const current = versionIn(metadataLocation)
  if (current === null) return null
  const uuid = metadata["table-uuid"].toLowerCase()
  const newest = yield* newestMetadata(store, folderOf(metadataLocation), (found) => found === uuid)
  if (newest === null || canonicalLocation(newest) === canonicalLocation(metadataLocation)) return null
  return (versionIn(newest) ?? 0) > current ? newest : null
})

/**
 * The newest metadata of the table if other newer metadata led to it, so that its commits were certainly applied and the catalog was
 * rolled back; otherwise null.
 */
export const newerCommittedMetadata = Effect.fnUntraced(function* (
  table: Table
): Effect.fn.Return<string | null, IcebergError> {
  const newest = yield* newerMetadata(table)
  if (newest === null) return null
  const current = versionIn(table.metadataLocation) ?? 0
  const log = (yield* makeMetadataFiles(table.store).read(newest))["metadata-log"] ?? []
  return log.some((entry) => (versionIn(entry["metadata-file"]) ?? 0) > current) ? newest : null
})
