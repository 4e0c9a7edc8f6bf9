import { Effect } from "effect"
import type { Catalog, Table, TableName } from "../catalog/Catalog.ts"
import { IcebergError } from "../IcebergError.ts"
import { manifestSchema } from "../manifest/avroSchemas.ts"
import type { ManifestEntry } from "../manifest/DataFile.ts"
import { hasLiveFiles, type ManifestFile } from "../manifest/ManifestFile.ts"
import { currentSchema, currentSnapshot, hasRowIds, type PartitionSpec } from "../metadata/TableMetadata.ts"
import { type CommitEvents, commitSnapshot, hasSnapshot, newSnapshotId, type SnapshotChange } from "../table/commit.ts"
import { addManifest, entriesOf, manifestsOf } from "../table/files.ts"
import { discard } from "./discard.ts"
import { pack } from "./pack.ts"
import { isLive } from "./reachable.ts"

/** Iceberg's `commit.manifest.target-size-bytes`: larger manifests are kept. */
const TARGET_BYTES = 8 << 20
/** Entries of one manifest: 10,000 take a second to write, and as long for every reader. */
const MAX_ENTRIES = 20_000
/** Small manifests of a partition spec that are worth merging: those of a quarter of an hour of commits. */
const MIN_MANIFESTS = 30
const READS = 8

export interface Merged {
  /** Manifests that were merged into others. */
  readonly replaced: number
  readonly created: number
}

interface MergedManifest {
  readonly manifest: ManifestFile
  readonly replaced: ReadonlyArray<ManifestFile>
}

const isSmall = (manifest: ManifestFile, spec: PartitionSpec): boolean =>
  manifest.content === 0 &&
  manifest.specId === spec["spec-id"] &&
  manifest.length < TARGET_BYTES / 2 &&
  hasLiveFiles(manifest)

/** Groups of manifests that together fill one. */
const groupsOf = (manifests: ReadonlyArray<ManifestFile>) =>
  pack(manifests, [
    { max: TARGET_BYTES, measure: ({ length }) => length },
    { max: MAX_ENTRIES, measure: ({ addedFiles, existingFiles }) => addedFiles + existingFiles }
  ]).filter((group) => group.length > 1)

/** Writes the live entries of several manifests as one; null if fewer than two can be rewritten without loss. */
const mergeGroup = Effect.fnUntraced(function* (
  table: Table,
  spec: PartitionSpec,
  group: ReadonlyArray<ManifestFile>,
  snapshotId: bigint
): Effect.fn.Return<MergedManifest | null, IcebergError> {
  const contents = yield* Effect.forEach(
    group,
    (manifest) => Effect.map(entriesOf(table, manifest), (content) => ({ ...content, manifest })),
    { concurrency: READS }
  )
  const complete = contents.filter(({ isComplete }) => isComplete)
  if (complete.length < 2) return null
  const entries = complete
    .flatMap((content) => content.entries)
    .filter(isLive)
    .map((entry): ManifestEntry => ({ ...entry, status: "existing" }))
  return {
    manifest: yield* addManifest(table, spec, entries, snapshotId),
    replaced: complete.map(({ manifest }) => manifest)
  }
})

const mergeAll = Effect.fnUntraced(function* (
  table: Table,
  manifests: ReadonlyArray<ManifestFile>,
  minManifests: number,
  snapshotId: bigint
): Effect.fn.Return<ReadonlyArray<MergedManifest>, IcebergError> {
  const schema = currentSchema(table.metadata)
  const merged: Array<MergedManifest> = []
  const mergeOne = (spec: PartitionSpec, group: ReadonlyArray<ManifestFile>) =>
    mergeGroup(table, spec, group, snapshotId).pipe(
      Effect.tapError(() =>
        discard(
          table,
          merged.map(({ manifest }) => manifest.location)
        )
      )
    )
  for (const spec of table.metadata["partition-specs"]) {
    if (manifestSchema(schema, spec) === null) continue
    const small = manifests.filter((manifest) => isSmall(manifest, spec))
    if (small.length < minManifests) continue
    for (const group of groupsOf(small)) {
      const result = yield* mergeOne(spec, group)
      if (result !== null) merged.push(result)
    }
  }
  return merged
})

/** The snapshot in which the merged manifests replace the small ones. */
const replaceManifests = (
  name: TableName,
  manifests: ReadonlyArray<ManifestFile>,
  merged: ReadonlyArray<MergedManifest>,
  snapshotId: bigint
): SnapshotChange => {
  const created = merged.map(({ manifest }) => manifest)
  const replaced = new Set(merged.flatMap((result) => result.replaced.map(({ location }) => location)))
  return {
    operation: "replace",
    snapshotId,
    isApplied: hasSnapshot(snapshotId),
    parts: ({ metadata }, current) => {
      // It was upgraded since. Rewriting would lose the ids of its rows.
      if (hasRowIds(metadata)) {
        return Effect.fail(IcebergError.invalid(`Table ${name.name} was upgraded to format version 3 meanwhile.`))
      }
      const locations = new Set(current.map(({ location }) => location))
      if (![...replaced].every((location) => locations.has(location))) {
        return Effect.fail(IcebergError.invalid(`Other maintenance has changed the manifests of table ${name.name}.`))
      }
      return Effect.succeed({
        manifests: [...current.filter(({ location }) => !replaced.has(location)), ...created],
        counts: {
          addedFiles: 0,
          deletedFiles: 0,
          addedRecords: 0,
          deletedRecords: 0,
          addedBytes: 0,
          deletedBytes: 0,
          changedPartitions: 0
        }
      })
    },
    summary: {
      "manifests-created": String(created.length),
      "manifests-replaced": String(replaced.size),
      "manifests-kept": String(manifests.length - replaced.size),
      "entries-processed": String(created.reduce((sum, { existingFiles }) => sum + existingFiles, 0))
    },
    updates: []
  }
}

/**
 * Rewrites many small manifests of data files as a few large ones, so that readers open fewer and manifest lists stay short.
 * The table's files do not change, nor do their sequence numbers, so delete files apply to them as before. Manifests with values
 * that this library cannot write are kept. Runs apart from the commit path: commits of writers that come in between stay in the
 * table.
 */
export const mergeManifests = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  events: CommitEvents,
  minManifests: number = MIN_MANIFESTS
): Effect.fn.Return<Merged, IcebergError> {
  const table = yield* catalog.load(name)
  // A row's id depends on its place in its manifest.
  if (hasRowIds(table.metadata)) return { replaced: 0, created: 0 }
  const manifests = yield* manifestsOf(table, currentSnapshot(table.metadata))
  const snapshotId = yield* newSnapshotId
  const merged = yield* mergeAll(table, manifests, minManifests, snapshotId)
  if (merged.length === 0) return { replaced: 0, created: 0 }
  const created = merged.map(({ manifest }) => manifest.location)
  yield* commitSnapshot(catalog, name, replaceManifests(name, manifests, merged, snapshotId), events, table).pipe(
    Effect.tapError(({ reason }) => (reason === "Unknown" ? Effect.void : discard(table, created)))
  )
  return { replaced: merged.reduce((sum, { replaced }) => sum + replaced.length, 0), created: merged.length }
})
