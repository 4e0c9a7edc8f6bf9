import { Effect } from "effect"
import type { Table } from "../../catalog/Catalog.ts"
import { IcebergError } from "../../IcebergError.ts"
import { bytesIn, type ManifestEntry, rowsIn } from "../../manifest/DataFile.ts"
import { hasLiveFiles, type ManifestFile } from "../../manifest/ManifestFile.ts"
import { hasRowIds } from "../../metadata/TableMetadata.ts"
import { hasSnapshot, type SnapshotChange, type SnapshotParts, type SummaryCounts } from "../../table/commit.ts"
import { addedEntries, addManifest, entriesOf } from "../../table/files.ts"
import { isLive } from "../reachable.ts"
import type { MergedFile } from "./mergeFiles.ts"

/** What an earlier attempt found out and wrote. Files never change, so it holds for every base. */
interface Progress {
  /** By the location of the original manifest. */
  readonly rewritten: Map<string, Rewritten>
  /** Manifests of the merged files; null until they are written. */
  added: ReadonlyArray<ManifestFile> | null
  hasNewDeletes: boolean
}

/** A replacement of files that can be committed. */
export interface Replacement {
  readonly change: SnapshotChange
  /** Whether a base had delete files, so that the rewrite must be planned again. */
  readonly hasNewDeletes: () => boolean
  /** Locations of the manifests that were written for it. */
  readonly manifests: () => ReadonlyArray<string>
}

interface Rewritten {
  /** The manifest without the replaced files; itself if it lists none of them, null if nothing remains to be listed. */
  readonly manifest: ManifestFile | null
  /** The replaced files that it listed. */
  readonly replaced: ReadonlyArray<string>
}

const rewriteManifest = Effect.fnUntraced(function* (
  base: Table,
  manifest: ManifestFile,
  snapshotId: bigint,
  /** The files to replace. */
  locations: ReadonlySet<string>
): Effect.fn.Return<Rewritten, IcebergError> {
  const { entries, isComplete } = yield* entriesOf(base, manifest)
  const live = entries.filter(isLive)
  const replaced = live.flatMap(({ file }) => (locations.has(file.location) ? [file.location] : []))
  if (replaced.length === 0) return { manifest: live.length > 0 ? manifest : null, replaced }
  if (!isComplete) {
    return yield* IcebergError.invalid(
      `Manifest ${manifest.location} contains values that this library cannot write, so its files cannot be replaced.`
    )
  }
  const spec = base.metadata["partition-specs"].find((candidate) => candidate["spec-id"] === manifest.specId)!
  const rewritten = live.map(
    (entry): ManifestEntry =>
      locations.has(entry.file.location)
        ? { ...entry, status: "deleted", snapshotId }
        : { ...entry, status: "existing" }
  )
  return { manifest: yield* addManifest(base, spec, rewritten, snapshotId), replaced }
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
  snapshotId: bigint,
  progress: Progress
): Effect.fn.Return<SnapshotParts, IcebergError> {
  // It was upgraded since. Rewriting would lose the ids of its rows.
  if (hasRowIds(base.metadata)) {
    return yield* IcebergError.invalid(`Table ${base.name.name} was upgraded to format version 3 meanwhile.`)
  }
  // A delete file that was added since the inputs were read may delete rows of theirs. It would not apply to the merged files, whose
  // sequence number is higher.
  if (manifests.some((manifest) => manifest.content !== 0 && hasLiveFiles(manifest))) {
    progress.hasNewDeletes = true
    return yield* IcebergError.invalid(
      `Another engine has added delete files to table ${base.name.name} while its files were merged.`
    )
  }
  const locations = new Set(merged.flatMap(({ replaced }) => replaced.map(({ location }) => location)))
  const missing = new Set(locations)
  const created: Array<ManifestFile> = []
  const kept: Array<ManifestFile> = []
  for (const manifest of manifests) {
    const rewritten =
      progress.rewritten.get(manifest.location) ?? (yield* rewriteManifest(base, manifest, snapshotId, locations))
    progress.rewritten.set(manifest.location, rewritten)
    for (const location of rewritten.replaced) missing.delete(location)
    if (rewritten.manifest === null) continue
    if (rewritten.manifest.location === manifest.location) kept.push(manifest)
    else created.push(rewritten.manifest)
  }
  if (missing.size > 0) {
    return yield* IcebergError.invalid(
      `Table ${base.name.name} no longer contains ${missing.size} of the files that were merged.`
    )
  }
  progress.added ??= yield* Effect.forEach(
    Map.groupBy(merged, (result) => result.spec),
    ([spec, ofSpec]) =>
      addManifest(
        base,
        spec,
        addedEntries(
          ofSpec.map(({ file }) => file),
          snapshotId
        ),
        snapshotId
      )
  )
  return { manifests: [...created, ...progress.added, ...kept], counts: countsOf(merged) }
})

/**
 * A snapshot in which merged files replace the files that they were merged from. The plan had no delete files. Fails with `Invalid` on
 * a base that has some, or that no longer contains all of the replaced files.
 */
export const replaceFiles = (merged: ReadonlyArray<MergedFile>, snapshotId: bigint): Replacement => {
  const progress: Progress = { rewritten: new Map(), added: null, hasNewDeletes: false }
  return {
    change: {
      operation: "replace",
      snapshotId,
      isApplied: hasSnapshot(snapshotId),
      parts: (base, manifests) => replacedParts(base, manifests, merged, snapshotId, progress),
      summary: {},
      updates: []
    },
    hasNewDeletes: () => progress.hasNewDeletes,
    manifests: () => [
      ...[...progress.rewritten].flatMap(([original, { manifest }]) =>
        manifest === null || manifest.location === original ? [] : [manifest.location]
      ),
      ...(progress.added ?? []).map(({ location }) => location)
    ]
  }
}
