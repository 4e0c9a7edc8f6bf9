import { Clock, Effect } from "effect"
import type { Catalog, Table, TableName } from "../catalog/Catalog.ts"
import type { IcebergError } from "../IcebergError.ts"
import { manifestSchema } from "../manifest/avroSchemas.ts"
import { bytesIn, rowsIn } from "../manifest/DataFile.ts"
import { hasLiveFiles, type ManifestFile } from "../manifest/ManifestFile.ts"
import { dayOf } from "../metadata/dayTransform.ts"
import { currentSchema, currentSnapshot, hasRowIds } from "../metadata/TableMetadata.ts"
import { targetFileBytes } from "../metadata/tableProperties.ts"
import { type CommitEvents, commitSnapshot, newSnapshotId } from "../table/commit.ts"
import { manifestsOf } from "../table/files.ts"
import { divideBySchema, type MergedFile, mergeFiles } from "./compact/mergeFiles.ts"
import { type FileGroup, type LiveFile, planCompaction } from "./compact/planCompaction.ts"
import { replaceFiles } from "./compact/replaceFiles.ts"
import { discard } from "./discard.ts"
import { pack } from "./pack.ts"
import { forEachEntry, isLive } from "./reachable.ts"

/** How long after its end a day counts as closed, in ms: late events still arrive before that. */
const GRACE_MS = 3_600_000
/** Bytes of the inputs of one commit: the work that is lost if the commit conflicts with another compaction. */
const COMMIT_BYTES = 2 * 1024 ** 3
/** How often a compaction is planned. The second plan finds the delete files that made the first one stale. */
const MAX_PLANS = 3

export interface CompactOptions {
  /** Size of merged files, in bytes, unless the table's property `write.target-file-size-bytes` says otherwise. */
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
  /** Why the table, or the rest of it, was not compacted; null if it was. */
  readonly skipped: string | null
  /** Messages of the partitions that could not be compacted. */
  readonly failures: ReadonlyArray<string>
}

const NOTHING: Compacted = {
  filesBefore: 0,
  filesAfter: 0,
  rows: 0,
  bytesBefore: 0,
  bytesAfter: 0,
  skipped: null,
  failures: []
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
    skipped: null,
    failures: []
  }
}

const locationsOf = (merged: ReadonlyArray<MergedFile>): ReadonlyArray<string> =>
  merged.map(({ file }) => file.location)

/**
 * Replaces files by merged ones. False if delete files were added since, so that the rewrite must be planned again. Whatever was
 * written for a commit that was certainly not applied is removed.
 */
const commitMerged = Effect.fnUntraced(function* (
  catalog: Catalog,
  table: Table,
  merged: ReadonlyArray<MergedFile>,
  events: CommitEvents
): Effect.fn.Return<boolean, IcebergError> {
  if (merged.length === 0) return true
  const replacement = replaceFiles(merged, yield* newSnapshotId)
  return yield* commitSnapshot(catalog, table.name, replacement.change, events).pipe(
    Effect.as(true),
    Effect.tapError(({ reason }) =>
      reason === "Unknown" ? Effect.void : discard(table, [...locationsOf(merged), ...replacement.manifests()])
    ),
    Effect.catchIf(
      ({ reason }) => reason === "Invalid" && replacement.hasNewDeletes(),
      () => Effect.succeed(false)
    )
  )
})

/** What the groups of a batch became. */
interface MergedBatch {
  readonly merged: ReadonlyArray<MergedFile>
  readonly failures: ReadonlyArray<IcebergError>
}

/** Whether a failure is that of one group's files, so that the others may still be merged. */
const isOfGroup = ({ reason }: IcebergError): boolean => reason === "Invalid" || reason === "NotFound"

/** Merges the files of each group. A group whose files cannot be merged is left out; nothing stays of a failed one. */
const mergeBatch = Effect.fnUntraced(function* (
  table: Table,
  batch: ReadonlyArray<FileGroup>,
  createdBy: string,
  onGroup: () => void
): Effect.fn.Return<MergedBatch, IcebergError> {
  const merged: Array<MergedFile> = []
  const failures: Array<IcebergError> = []
  for (const group of batch) {
    const ofGroup: Array<MergedFile> = []
    const merge = Effect.gen(function* () {
      for (const part of yield* divideBySchema(table, group)) ofGroup.push(yield* mergeFiles(table, part, createdBy))
    })
    const failure = yield* Effect.match(merge, { onFailure: (error) => error, onSuccess: () => null })
    if (failure === null) merged.push(...ofGroup)
    else {
      yield* discard(table, locationsOf(ofGroup))
      if (!isOfGroup(failure)) {
        yield* discard(table, locationsOf(merged))
        return yield* failure
      }
      failures.push(failure)
    }
    onGroup()
  }
  return { merged, failures }
})

/** One plan and what became of it. */
interface Pass {
  readonly committed: ReadonlyArray<MergedFile>
  readonly failures: ReadonlyArray<IcebergError>
  readonly isStale: boolean
}

const mergeAll = Effect.fnUntraced(function* (
  catalog: Catalog,
  table: Table,
  groups: ReadonlyArray<FileGroup>,
  options: CompactOptions,
  events: CommitEvents
): Effect.fn.Return<Pass, IcebergError> {
  const committed: Array<MergedFile> = []
  const failures: Array<IcebergError> = []
  let done = 0
  const onGroup = () => options.onProgress({ table: table.name.name, groups: groups.length, done: ++done })
  for (const batch of pack(groups, [{ max: COMMIT_BYTES, measure: ({ files }) => bytesIn(files) }])) {
    const result = yield* mergeBatch(table, batch, options.createdBy, onGroup)
    failures.push(...result.failures)
    if (!(yield* commitMerged(catalog, table, result.merged, events))) return { committed, failures, isStale: true }
    committed.push(...result.merged)
  }
  return { committed, failures, isStale: false }
})

/**
 * Merges the small files of past days, partition by partition, into files of the target size. Rows are neither changed nor
 * sorted again, and today's partition is never touched. Fails without a change if another engine has replaced the same files;
 * new files do not interfere. If another engine adds delete files meanwhile, everything is planned again. Partitions whose files
 * cannot be merged are reported, and the others are compacted. The old files stay until the snapshots that need them expire.
 */
export const compactTable = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  options: CompactOptions,
  events: CommitEvents
): Effect.fn.Return<Compacted, IcebergError> {
  const committed: Array<MergedFile> = []
  for (let plans = 1; ; plans++) {
    const table = yield* catalog.load(name)
    if (hasRowIds(table.metadata)) {
      return {
        ...completed(committed),
        skipped: `${name.name} has format version 3: compact it with the engine that upgraded it.`
      }
    }
    const manifests = yield* manifestsOf(table, currentSnapshot(table.metadata))
    if (manifests.some((manifest) => manifest.content !== 0 && hasLiveFiles(manifest))) {
      return {
        ...completed(committed),
        skipped: `${name.name} contains delete files from another engine: compact it with that engine.`
      }
    }
    const today = dayOf((yield* Clock.currentTimeMillis) - GRACE_MS)
    const groups = planCompaction(
      yield* liveFiles(table, manifests),
      targetFileBytes(table.metadata) ?? options.targetBytes,
      today
    )
    if (options.dryRun) return planned(groups)
    const pass = yield* mergeAll(catalog, table, groups, options, events)
    committed.push(...pass.committed)
    if (pass.isStale && plans < MAX_PLANS) continue
    const [failure] = pass.failures
    if (failure !== undefined && committed.length === 0) return yield* failure
    return { ...completed(committed), failures: pass.failures.map(({ message }) => message) }
  }
})
