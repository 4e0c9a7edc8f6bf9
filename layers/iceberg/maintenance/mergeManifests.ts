import { Effect } from "effect"
import type { Catalog, TableName } from "../catalog/Catalog.ts"
import { type IcebergError, icebergError } from "../IcebergError.ts"
import { manifestSchema } from "../manifest/avroSchemas.ts"
import type { ManifestEntry } from "../manifest/DataFile.ts"
import { hasLiveFiles, type ManifestFile } from "../manifest/ManifestFile.ts"
import { currentSchema, currentSnapshot } from "../metadata/TableMetadata.ts"
import { type CommitEvents, commitSnapshot, hasSnapshot, newSnapshotId } from "../table/commit.ts"
import { addManifest, entriesOf, manifestsOf } from "../table/files.ts"
import { pack } from "./pack.ts"
import { isLive } from "./reachable.ts"

/** Iceberg's `commit.manifest.target-size-bytes`: a larger manifest is left as it is. */
const TARGET_BYTES = 8 << 20
/** Entries of one manifest: some 10,000 take a second to write, and as long for every reader. */
const MOST_ENTRIES = 20_000
/** Small manifests of a spec that are worth merging: a quarter of an hour of commits. */
const LEAST_MANIFESTS = 30
const READS = 8

export interface Merged {
  /** Manifests that went into others. */
  readonly replaced: number
  readonly created: number
}

/** Manifests that together fill one. */
const groupsOf = (manifests: ReadonlyArray<ManifestFile>) =>
  pack(manifests, [
    { most: TARGET_BYTES, of: ({ length }) => length },
    { most: MOST_ENTRIES, of: ({ addedFiles, existingFiles }) => addedFiles + existingFiles }
  ]).filter((group) => group.length > 1)

/**
 * Writes many small manifests of data files as few large ones, so that readers open few and a commit's list stays short. What
 * the files are does not change. Manifests that hold what we have no place for are left as they are. Done off the commit
 * path: a writer's commit that comes in between stays on top.
 */
export const mergeManifests = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  events: CommitEvents,
  leastManifests: number = LEAST_MANIFESTS
): Effect.fn.Return<Merged, IcebergError> {
  const table = yield* catalog.load(name)
  const { metadata } = table
  const manifests = yield* manifestsOf(table, currentSnapshot(metadata))
  const schema = currentSchema(metadata)
  const merged = new Map<string, ManifestFile>()
  const created: Array<ManifestFile> = []
  const snapshotId = yield* newSnapshotId
  for (const spec of metadata["partition-specs"]) {
    if (manifestSchema(schema, spec) === undefined) continue
    const small = manifests.filter(
      (one) => one.content === 0 && one.specId === spec["spec-id"] && one.length < TARGET_BYTES / 2 && hasLiveFiles(one)
    )
    if (small.length < leastManifests) continue
    for (const group of groupsOf(small)) {
      const read = yield* Effect.forEach(
        group,
        (manifest) => Effect.map(entriesOf(table, manifest), (held) => ({ ...held, manifest })),
        { concurrency: READS }
      )
      const whole = read.filter((one) => one.whole)
      if (whole.length < 2) continue
      const entries = whole
        .flatMap((one) => one.entries)
        .filter(isLive)
        .map((entry): ManifestEntry => ({ ...entry, status: "existing" }))
      created.push(yield* addManifest(table, spec, entries, snapshotId))
      for (const { manifest } of whole) merged.set(manifest.location, manifest)
    }
  }
  if (created.length === 0) return { replaced: 0, created: 0 }
  const done = yield* Effect.result(
    commitSnapshot(
      catalog,
      name,
      {
        operation: "replace",
        snapshotId,
        isApplied: hasSnapshot(snapshotId),
        parts: (_, current) => {
          const there = new Set(current.map(({ location }) => location))
          if (![...merged.keys()].every((location) => there.has(location))) {
            return Effect.fail(icebergError("Invalid", `Table ${name.name} was changed by another maintenance.`))
          }
          return Effect.succeed({
            manifests: [...current.filter(({ location }) => !merged.has(location)), ...created],
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
          "manifests-replaced": String(merged.size),
          "manifests-kept": String(manifests.length - merged.size),
          "entries-processed": String(created.reduce((sum, { existingFiles }) => sum + existingFiles, 0))
        },
        updates: []
      },
      events,
      table
    )
  )
  if (done._tag === "Failure") {
    // Surely not in: what was written for it is of no use to anybody.
    if (done.failure.reason === "Invalid")
      yield* Effect.ignore(table.store.remove(created.map(({ location }) => location)))
    return yield* done.failure
  }
  return { replaced: merged.size, created: created.length }
})
