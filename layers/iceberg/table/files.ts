import { Effect } from "effect"
import type { Table } from "../catalog/Catalog.ts"
import { IcebergError } from "../IcebergError.ts"
import { LruCache } from "../LruCache.ts"
import type { DataFile, ManifestEntry } from "../manifest/DataFile.ts"
import type { ManifestFile } from "../manifest/ManifestFile.ts"
import { readManifestList } from "../manifest/manifestList.ts"
import { type ReadManifest, readManifest } from "../manifest/readManifest.ts"
import { writeManifest } from "../manifest/writeManifest.ts"
import { currentSchema, type PartitionSpec, type Snapshot } from "../metadata/TableMetadata.ts"
import { metadataFolder } from "../metadata/tableProperties.ts"

/** Each commit reads the list of the snapshot before, which is nearly always the list that this process wrote last. */
const CACHED_LISTS = 8
/** Manifest lists by location. No location is ever written twice, so entries never go stale. */
const lists = new LruCache<ReadonlyArray<ManifestFile>>(CACHED_LISTS)

/** Caches a manifest list that was just written. */
export const cacheManifests = (location: string, manifests: ReadonlyArray<ManifestFile>): void =>
  lists.set(location, manifests)

/** Reads a file that the table refers to. If it is missing, the table is broken (`Invalid`), not absent (`NotFound`). */
const readReferenced = ({ store }: Table, what: string, location: string): Effect.Effect<Uint8Array, IcebergError> =>
  Effect.mapError(store.read(location), (error) =>
    error.reason === "NotFound" ? IcebergError.invalid(`${what} ${location} is missing.`) : error
  )

/** The manifests of a snapshot; empty for null. */
export const manifestsOf = Effect.fnUntraced(function* (
  table: Table,
  snapshot: Snapshot | null
): Effect.fn.Return<ReadonlyArray<ManifestFile>, IcebergError> {
  if (snapshot === null) return []
  const location = snapshot["manifest-list"]
  const cached = lists.get(location)
  if (cached !== null) return cached
  const bytes = yield* readReferenced(table, "Manifest list", location)
  const manifests = yield* Effect.fromResult(readManifestList(bytes, location))
  lists.set(location, manifests)
  return manifests
})

/** The entries of a manifest. */
export const entriesOf = Effect.fnUntraced(function* (
  table: Table,
  manifest: ManifestFile
): Effect.fn.Return<ReadManifest, IcebergError> {
  const bytes = yield* readReferenced(table, "Manifest", manifest.location)
  return yield* Effect.fromResult(readManifest(bytes, manifest, table.metadata["partition-specs"]))
})

/** The location of a new file in the table's metadata folder. */
export const metadataPath = (table: Table, file: string): string => `${metadataFolder(table.metadata)}/${file}`

/** Entries that add files. They inherit the sequence number of their commit. */
export const addedEntries = (files: ReadonlyArray<DataFile>, snapshotId: bigint): ReadonlyArray<ManifestEntry> =>
  files.map((file) => ({ status: "added", snapshotId, sequenceNumber: null, fileSequenceNumber: null, file }))

/** Writes a manifest for a future snapshot. Its sequence number is 0 until `commitSnapshot` assigns that of the commit. */
export const addManifest = (
  table: Table,
  spec: PartitionSpec,
  entries: ReadonlyArray<ManifestEntry>,
  snapshotId: bigint
): Effect.Effect<ManifestFile, IcebergError> =>
  Effect.suspend(() => {
    const { bytes, list } = writeManifest(
      currentSchema(table.metadata),
      spec,
      entries,
      table.metadata["format-version"]
    )
    const location = metadataPath(table, `${crypto.randomUUID()}-m0.avro`)
    return Effect.as(table.store.write(location, bytes), {
      ...list,
      location,
      sequenceNumber: 0,
      addedSnapshotId: snapshotId
    })
  })
