import { Effect } from "effect"
import type { Table } from "../catalog/Catalog.ts"
import { type IcebergError, icebergError } from "../IcebergError.ts"
import type { DataFile, ManifestEntry } from "../manifest/DataFile.ts"
import type { ManifestFile } from "../manifest/ManifestFile.ts"
import { type ReadManifest, readManifest, writeManifest } from "../manifest/manifest.ts"
import { readManifestList } from "../manifest/manifestList.ts"
import { currentSchema, type PartitionSpec, type Snapshot } from "../metadata/TableMetadata.ts"

/** A list is read for each commit on top of it, and ours is nearly always the one that we wrote before. */
const KEPT_LISTS = 8
const lists = new Map<string, ReadonlyArray<ManifestFile>>()

/** Keeps a manifest list that was just written or read; its location is never written twice. */
export const rememberManifests = (location: string, manifests: ReadonlyArray<ManifestFile>): void => {
  lists.set(location, manifests)
  for (const oldest of lists.keys()) {
    if (lists.size <= KEPT_LISTS) break
    lists.delete(oldest)
  }
}

/** The manifests of a snapshot; none for no snapshot. A list that is not there is `Invalid`: not the table is what is missing. */
export const manifestsOf = (
  { store }: Table,
  snapshot: Snapshot | undefined
): Effect.Effect<ReadonlyArray<ManifestFile>, IcebergError> => {
  if (snapshot === undefined) return Effect.succeed([])
  const location = snapshot["manifest-list"]
  const known = lists.get(location)
  if (known !== undefined) return Effect.succeed(known)
  const read = Effect.catchIf(
    store.read(location),
    (error) => error.reason === "NotFound",
    () => Effect.fail(icebergError("Invalid", `Manifest list ${location} is missing.`))
  )
  return Effect.flatMap(read, (bytes) => {
    const manifests = readManifestList(bytes, location)
    if ("reason" in manifests) return Effect.fail(manifests)
    rememberManifests(location, manifests)
    return Effect.succeed(manifests)
  })
}

/** What a manifest lists. A manifest that is not there makes the table unreadable, so that is `Invalid`. */
export const entriesOf = (table: Table, manifest: ManifestFile): Effect.Effect<ReadManifest, IcebergError> =>
  table.store.read(manifest.location).pipe(
    Effect.catchIf(
      (error) => error.reason === "NotFound",
      () => Effect.fail(icebergError("Invalid", `Manifest ${manifest.location} is missing.`))
    ),
    Effect.flatMap((bytes) => {
      const read = readManifest(bytes, manifest, table.metadata["partition-specs"])
      return "reason" in read ? Effect.fail(read) : Effect.succeed(read)
    })
  )

/** A new file's place beside the table's metadata. */
export const metadataPath = (table: Table, file: string): string => `${table.metadata.location}/metadata/${file}`

/** Files as entries of the manifest that brings them in; they inherit the sequence number of its commit. */
export const addedEntries = (files: ReadonlyArray<DataFile>, snapshotId: bigint): ReadonlyArray<ManifestEntry> =>
  files.map((file) => ({ status: "added", snapshotId, sequenceNumber: null, fileSequenceNumber: null, file }))

/** Writes a manifest for a snapshot to be. Its sequence number is 0 until `commitSnapshot` gives it that of the commit. */
export const addManifest = (
  table: Table,
  spec: PartitionSpec,
  entries: ReadonlyArray<ManifestEntry>,
  snapshotId: bigint
): Effect.Effect<ManifestFile, IcebergError> =>
  Effect.suspend(() => {
    const { bytes, list } = writeManifest(currentSchema(table.metadata), spec, entries)
    const location = metadataPath(table, `${crypto.randomUUID()}-m0.avro`)
    return Effect.as(table.store.write(location, bytes), {
      ...list,
      location,
      sequenceNumber: 0,
      addedSnapshotId: snapshotId
    })
  })
