import { Effect } from "effect"
import type { Table } from "../../catalog/Catalog.ts"
import { IcebergError } from "../../IcebergError.ts"
import { bytesIn, type ManifestEntry, rowsIn } from "../../manifest/DataFile.ts"
import type { ManifestFile } from "../../manifest/ManifestFile.ts"
import { hasSnapshot, type SnapshotChange, type SnapshotParts, type SummaryCounts } from "../../table/commit.ts"
import { addedEntries, addManifest, entriesOf } from "../../table/files.ts"
import { isLive } from "../reachable.ts"
import type { MergedFile } from "./mergeFiles.ts"

/** A manifest without the replaced files; itself if it lists none of them, null if nothing remains to be listed. */
const rewriteManifest = Effect.fnUntraced(function* (
  base: Table,
  manifest: ManifestFile,
  snapshotId: bigint,
  /** The files to replace that have not been found yet. */
  missing: Set<string>
): Effect.fn.Return<ManifestFile | null, IcebergError> {
  if (manifest.content !== 0) return manifest
  const { entries, isComplete } = yield* entriesOf(base, manifest)
  const live = entries.filter(isLive)
  if (!live.some(({ file }) => missing.has(file.location))) return live.length > 0 ? manifest : null
  if (!isComplete) {
    return yield* IcebergError.invalid(
      `Manifest ${manifest.location} contains values that this library cannot write, so its files cannot be replaced.`
    )
  }
  const spec = base.metadata["partition-specs"].find((candidate) => candidate["spec-id"] === manifest.specId)!
  const rewritten = live.map(
    (entry): ManifestEntry =>
      missing.delete(entry.file.location)
        ? { ...entry, status: "deleted", snapshotId }
        : { ...entry, status: "existing" }
  )
  return yield* addManifest(base, spec, rewritten, snapshotId)
})

const countsOf = (merged: ReadonlyArray<MergedFile>): SummaryCounts => {
  const before = merged.flatMap(({ replaced }) => replaced)
  const after = merged.map(({ file }) => file)
  return {
    addedFiles: after.length,
    deletedFiles: before.length,
    addedRecords: rowsIn(after),
    deletedRecords: rowsIn(before),
    addedBytes: bytesIn(after),
    deletedBytes: bytesIn(before),
    changedPartitions: new Set(after.map(({ partition }) => partition.join("/"))).size
  }
}

const replacedParts = Effect.fnUntraced(function* (
  base: Table,
  manifests: ReadonlyArray<ManifestFile>,
  merged: ReadonlyArray<MergedFile>,
  snapshotId: bigint
): Effect.fn.Return<SnapshotParts, IcebergError> {
  const missing = new Set(merged.flatMap(({ replaced }) => replaced.map(({ location }) => location)))
  const created: Array<ManifestFile> = []
  const kept: Array<ManifestFile> = []
  for (const manifest of manifests) {
    const rewritten = yield* rewriteManifest(base, manifest, snapshotId, missing)
    if (rewritten === manifest) kept.push(manifest)
    else if (rewritten !== null) created.push(rewritten)
  }
  if (missing.size > 0) {
    return yield* IcebergError.invalid(
      `Table ${base.name.name} no longer contains ${missing.size} of the files that were merged.`
    )
  }
  for (const [spec, ofSpec] of Map.groupBy(merged, (result) => result.spec)) {
    const added = ofSpec.map(({ file }) => file)
    created.push(yield* addManifest(base, spec, addedEntries(added, snapshotId), snapshotId))
  }
  return { manifests: [...created, ...kept], counts: countsOf(merged) }
})

/**
 * A snapshot in which merged files replace the files that they were merged from. Fails with `Invalid` on a base that no longer
 * contains all of those.
 */
export const replaceFiles = (merged: ReadonlyArray<MergedFile>, snapshotId: bigint): SnapshotChange => ({
  operation: "replace",
  snapshotId,
  isApplied: hasSnapshot(snapshotId),
  parts: (base, manifests) => replacedParts(base, manifests, merged, snapshotId),
  summary: {},
  updates: []
})
