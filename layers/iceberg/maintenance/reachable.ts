import { Effect } from "effect"
import type { Table } from "../catalog/Catalog.ts"
import type { IcebergError } from "../IcebergError.ts"
import type { ManifestEntry } from "../manifest/DataFile.ts"
import type { ManifestFile } from "../manifest/ManifestFile.ts"
import type { Snapshot } from "../metadata/TableMetadata.ts"
import { entriesOf, manifestsOf } from "../table/files.ts"

/** Manifests read at the same time. */
const READS = 8

/** The manifests of some snapshots, each once, by location. */
export const manifestsIn = (
  table: Table,
  snapshots: ReadonlyArray<Snapshot>
): Effect.Effect<ReadonlyMap<string, ManifestFile>, IcebergError> =>
  Effect.map(
    Effect.forEach(snapshots, (snapshot) => manifestsOf(table, snapshot), { concurrency: READS }),
    (lists) => new Map(lists.flat().map((manifest) => [manifest.location, manifest]))
  )

/** Calls back with each manifest's entries, so that no more than a few are held at a time. */
export const forEachEntry = (
  table: Table,
  manifests: Iterable<ManifestFile>,
  each: (entry: ManifestEntry, manifest: ManifestFile) => void
): Effect.Effect<void, IcebergError> =>
  Effect.forEach(
    manifests,
    (manifest) =>
      Effect.map(entriesOf(table, manifest), ({ entries }) => {
        for (const entry of entries) each(entry, manifest)
      }),
    { concurrency: READS, discard: true }
  )

/** A file that a reader of some snapshot with the manifest needs. */
export const isLive = ({ status }: ManifestEntry): boolean => status !== "deleted"
