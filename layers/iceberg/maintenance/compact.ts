import { Clock, Effect } from "effect"
import type { Catalog, Table, TableName } from "../catalog/Catalog.ts"
import type { IcebergError } from "../IcebergError.ts"
import { manifestSchema } from "../manifest/avroSchemas.ts"
import { bytesIn, rowsIn } from "../manifest/DataFile.ts"
import type { ManifestFile } from "../manifest/ManifestFile.ts"
import { dayOf } from "../metadata/dayTransform.ts"
import { currentSchema, currentSnapshot } from "../metadata/TableMetadata.ts"
import { type CommitEvents, commitSnapshot, newSnapshotId } from "../table/commit.ts"
import { manifestsOf } from "../table/files.ts"
import { divideBySchema, type MergedFile, mergeFiles } from "./compact/mergeFiles.ts"
import { type FileGroup, type LiveFile, planCompaction } from "./compact/planCompaction.ts"
import { replaceFiles } from "./compact/replaceFiles.ts"
import { pack } from "./pack.ts"
import { forEachEntry, isLive } from "./reachable.ts"

/** How long after its end a day counts as closed, in ms: late events still arrive before that. */
const GRACE_MS = 3_600_000
/** Bytes of the inputs of one commit: the work that is lost if the commit conflicts with another compaction. */
const COMMIT_BYTES = 2 * 1024 ** 3

export interface CompactOptions {
  /** Size of merged files, in bytes. */
  readonly targetBytes: number
  /** The application that writes the merged files, for their footers. */
  readonly createdBy: string
  readonly dryRun: boolean
  /** Called after each group of files. */
  readonly onProgress: (progress: CompactProgress) => void
}

export interface CompactProgress {
  readonly table: string
  readonly groups: number
  readonly done: number
}

/** What was merged, or in a dry run would be. */
export interface Compacted {
  readonly filesBefore: number
  readonly filesAfter: number
  readonly rows: number
  readonly bytesBefore: number
  readonly bytesAfter: number
  /** Why the table was not compacted; null if it was. */
  readonly skipped: string | null
}

const NOTHING: Compacted = {
  filesBefore: 0,
  filesAfter: 0,
  rows: 0,
  bytesBefore: 0,
  bytesAfter: 0,
  skipped: null
}

/** The live files of partition specs that this library can write. */
const liveFiles = Effect.fnUntraced(function* (
  table: Table,
  manifests: ReadonlyArray<ManifestFile>
): Effect.fn.Return<ReadonlyArray<LiveFile>, IcebergError> {
  const schema = currentSchema(table.metadata)
  const specs = new Map(
    table.metadata["partition-specs"]
      .filter((spec) => manifestSchema(schema, spec) !== null)
      .map((spec) => [spec["spec-id"], spec])
  )
  const live: Array<LiveFile> = []
  yield* forEachEntry(table, manifests, (entry, manifest) => {
    const spec = specs.get(manifest.specId)
    if (spec !== undefined && isLive(entry)) live.push({ file: entry.file, spec })
  })
  return live
})

/** What a dry run reports. */
const planned = (groups: ReadonlyArray<FileGroup>): Compacted => {
  const files = groups.flatMap((group) => group.files)
  return {
    ...NOTHING,
    filesBefore: files.length,
    filesAfter: groups.length,
    rows: rowsIn(files),
    bytesBefore: bytesIn(files)
  }
}

const completed = (merged: ReadonlyArray<MergedFile>): Compacted => {
  const before = merged.flatMap(({ replaced }) => replaced)
  const after = merged.map(({ file }) => file)
  return {
    filesBefore: before.length,
    filesAfter: after.length,
    rows: rowsIn(after),
    bytesBefore: bytesIn(before),
    bytesAfter: bytesIn(after),
    skipped: null
  }
}

/** Replaces files by merged ones. The merged files are removed if the commit certainly failed. */
const commitMerged = Effect.fnUntraced(function* (
  catalog: Catalog,
  table: Table,
  merged: ReadonlyArray<MergedFile>,
  events: CommitEvents
): Effect.fn.Return<void, IcebergError> {
  if (merged.length === 0) return
  const change = replaceFiles(merged, yield* newSnapshotId)
  yield* commitSnapshot(catalog, table.name, change, events).pipe(
    Effect.tapError(({ reason }) =>
      reason === "Invalid" ? Effect.ignore(table.store.remove(merged.map(({ file }) => file.location))) : Effect.void
    )
  )
})

/**
 * Merges the small files of past days, partition by partition, into files of the target size. Rows are neither changed nor
 * sorted again, and today's partition is never touched. Fails without a change if another engine has replaced the same files;
 * new files do not interfere. The old files stay until the snapshots that need them expire.
 */
export const compactTable = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  options: CompactOptions,
  events: CommitEvents
): Effect.fn.Return<Compacted, IcebergError> {
  const table = yield* catalog.load(name)
  const manifests = yield* manifestsOf(table, currentSnapshot(table.metadata))
  if (manifests.some(({ content }) => content !== 0)) {
    return {
      ...NOTHING,
      skipped: `${name.name} contains delete files from another engine: compact it with that engine.`
    }
  }
  const today = dayOf((yield* Clock.currentTimeMillis) - GRACE_MS)
  const groups = planCompaction(yield* liveFiles(table, manifests), options.targetBytes, today)
  if (options.dryRun || groups.length === 0) return planned(groups)
  const committed: Array<MergedFile> = []
  let done = 0
  for (const batch of pack(groups, [{ max: COMMIT_BYTES, measure: ({ files }) => bytesIn(files) }])) {
    const merged: Array<MergedFile> = []
    for (const group of batch) {
      for (const part of yield* divideBySchema(table, group)) {
        merged.push(yield* mergeFiles(table, part, options.createdBy))
      }
      options.onProgress({ table: name.name, groups: groups.length, done: ++done })
    }
    yield* commitMerged(catalog, table, merged, events)
    committed.push(...merged)
  }
  return completed(committed)
})
