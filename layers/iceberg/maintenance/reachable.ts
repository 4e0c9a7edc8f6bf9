import { Effect } from "effect"
import type { Table } from "../catalog/Catalog.ts"
import type { IcebergError } from "../IcebergError.ts"
import type { ManifestEntry } from "../manifest/DataFile.ts"
import type { ManifestFile } from "../manifest/ManifestFile.ts"
import type { Snapshot } from "../metadata/TableMetadata.ts"
import { entriesOf, manifestsOf } from "../table/files.ts"

/** Manifests read at the same time. */
const READS = 8

/** Manifest lists that were read, by location. */
export type ReadLists = Map<string, ReadonlyArray<ManifestFile>>

/** The manifests of several snapshots by location, without duplicates. Reads no list that is already in `lists`. */
export const manifestsIn = (
  table: Table,
  snapshots: ReadonlyArray<Snapshot>,
  lists: ReadLists = new Map()
): Effect.Effect<ReadonlyMap<string, ManifestFile>, IcebergError> => {
  const read = Effect.fnUntraced(function* (snapshot: Snapshot) {
    const location = snapshot["manifest-list"]
    const manifests = lists.get(location) ?? (yield* manifestsOf(table, snapshot))
    lists.set(location, manifests)
    return manifests
  })
  return Effect.map(
    Effect.forEach(snapshots, read, { concurrency: READS }),
    (all) => new Map(all.flat().map((manifest) => [manifest.location, manifest]))
  )
}

/** Passes every entry of the manifests to a callback. Only a few manifests are in memory at a time. */
export const forEachEntry = (
  table: Table,
  manifests: Iterable<ManifestFile>,
  visit: (entry: ManifestEntry, manifest: ManifestFile) => void
): Effect.Effect<void, IcebergError> =>
  Effect.forEach(
    manifests,
    (manifest) =>
      Effect.map(entriesOf(table, manifest), ({ entries }) => {
        for (const entry of entries) visit(entry, manifest)
      }),
    { concurrency: READS, discard: true }
  )

/** Whether readers of a snapshot with the manifest need the file. */
export const isLive = ({ status }: ManifestEntry): boolean => status !== "deleted"
