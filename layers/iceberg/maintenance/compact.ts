import { Clock, Effect } from "effect"
import type { Catalog, Table, TableName } from "../catalog/Catalog.ts"
import { type IcebergError, icebergError } from "../IcebergError.ts"
import { manifestSchema } from "../manifest/avroSchemas.ts"
import { bytesIn, type DataFile, type ManifestEntry, rowsIn } from "../manifest/DataFile.ts"
import type { ManifestFile } from "../manifest/ManifestFile.ts"
import { mergedMetrics } from "../manifest/mergedMetrics.ts"
import { dayOf } from "../metadata/dayTransform.ts"
import { currentSchema, currentSnapshot, type PartitionSpec } from "../metadata/TableMetadata.ts"
import { mergeParquet, rowsOf, schemaKey } from "../parquet/merge.ts"
import { type CommitEvents, commitSnapshot, hasSnapshot, newSnapshotId, type SnapshotParts } from "../table/commit.ts"
import { addedEntries, addManifest, entriesOf, manifestsOf } from "../table/files.ts"
import { pack } from "./pack.ts"
import { forEachEntry, isLive } from "./reachable.ts"

/** A file of this part of the target size is large enough to be left alone, as in Iceberg's own bin packing. */
const LARGE_ENOUGH = 0.75
/** A day is closed for so long after its end: events sent late still come then. */
const GRACE_MS = 3_600_000
/** Bytes of inputs of one commit: what is lost when the commit meets another compaction. */
const COMMIT_BYTES = 2 * 1024 ** 3
const READS = 8
/** A file's end, where its schema is. */
const FOOTER_BYTES = 64 << 10
/** Twenty row groups of fifty columns take a tenth of it. */
const LARGEST_FOOTER_BYTES = 1 << 20

export interface CompactOptions {
  /** Bytes that files are merged to. */
  readonly targetBytes: number
  /** The application that writes the merged files, for their footers. */
  readonly createdBy: string
  readonly dryRun: boolean
  /** Told after each merged file. */
  readonly onProgress: (progress: CompactProgress) => void
}

export interface CompactProgress {
  readonly table: string
  readonly groups: number
  readonly done: number
}

export interface Compacted {
  /** Files that were (or would be) merged, their rows and bytes, and what came out. */
  readonly filesBefore: number
  readonly filesAfter: number
  readonly rows: number
  readonly bytesBefore: number
  readonly bytesAfter: number
  /** Why some of the table was left alone; null when all was looked at. */
  readonly skipped: string | null
}

interface LiveFile {
  readonly file: DataFile
  readonly spec: PartitionSpec
}

/** Files of one partition that become one. */
interface Group {
  readonly spec: PartitionSpec
  readonly files: ReadonlyArray<DataFile>
}

/** The place of the day in a partition of the spec; undefined when files are not divided by days. */
const dayIndex = (spec: PartitionSpec): number | undefined => {
  const index = spec.fields.findIndex(({ transform }) => transform === "day")
  return index === -1 ? undefined : index
}

const timeOf = (file: DataFile, timeId: number): bigint => {
  const bound = file.lowerBounds?.get(timeId)
  return bound === undefined || bound.length !== 8 ? 0n : Buffer.from(bound).readBigInt64LE()
}

const plan = (live: ReadonlyArray<LiveFile>, targetBytes: number, today: number) => {
  const partitions = new Map<string, Array<LiveFile>>()
  for (const one of live) {
    const index = dayIndex(one.spec)
    if (index === undefined || one.file.format !== "PARQUET" || one.file.fileSize >= targetBytes * LARGE_ENOUGH)
      continue
    const day = one.file.partition[index]
    if (typeof day !== "number" || day >= today) continue
    const key = `${one.spec["spec-id"]} ${one.file.partition.join("/")}`
    const there = partitions.get(key)
    if (there === undefined) partitions.set(key, [one])
    else there.push(one)
  }
  return [...partitions.values()].flatMap((files) => {
    const spec = files[0]!.spec
    const timeId = spec.fields[dayIndex(spec)!]!["source-id"]
    const ordered = files
      .map(({ file }) => ({ file, time: timeOf(file, timeId) }))
      .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
    // In the order of time, so that the files that come out overlap little.
    return pack(ordered, [{ most: targetBytes, of: ({ file }) => file.fileSize }])
      .filter((run) => run.length > 1)
      .map((run): Group => ({ spec, files: run.map(({ file }) => file) }))
  })
}

const keyOf = (table: Table, file: DataFile, tail: number): Effect.Effect<string, IcebergError> => {
  const offset = Math.max(0, file.fileSize - tail)
  return Effect.flatMap(table.store.readRange(file.location, offset, file.fileSize - offset), (bytes) =>
    Effect.try({
      try: () => schemaKey(bytes),
      catch: (cause) => icebergError("Invalid", `Data file ${file.location} can't be read: ${String(cause)}.`)
    })
  )
}

/** Files of different columns (written before and after a column was added, or by another engine) stay apart. */
const divideBySchema = Effect.fnUntraced(function* (table: Table, group: Group) {
  const keyed = yield* Effect.forEach(
    group.files,
    (file) =>
      keyOf(table, file, FOOTER_BYTES).pipe(
        // A larger footer: then all of it.
        Effect.catchIf(
          (error) => error.reason === "Invalid",
          () => keyOf(table, file, file.fileSize)
        ),
        Effect.map((key) => ({ file, key }))
      ),
    { concurrency: READS }
  )
  return [...Map.groupBy(keyed, ({ key }) => key).values()]
    .filter((files) => files.length > 1)
    .map((files): Group => ({ spec: group.spec, files: files.map(({ file }) => file) }))
})

const merge = Effect.fnUntraced(function* (table: Table, group: Group, createdBy: string) {
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  const first = group.files[0]!
  const folder = first.location.slice(0, first.location.lastIndexOf("/"))
  const location = `${folder}/${crypto.randomUUID()}.parquet`
  const inputs = async function* () {
    for (const { location: input } of group.files) yield await run(table.store.read(input))
  }
  const recordCount = rowsIn(group.files)
  const fileSize = yield* table.store.writeChunks(location, mergeParquet(inputs(), recordCount, createdBy))
  const tail = Math.min(fileSize, LARGEST_FOOTER_BYTES)
  const end = yield* table.store.readRange(location, fileSize - tail, tail)
  const rows = yield* Effect.tryPromise({
    try: () => rowsOf(end, fileSize),
    catch: (cause) => icebergError("Invalid", `The merged file ${location} can't be read: ${String(cause)}.`)
  })
  if (rows !== recordCount) {
    return yield* icebergError("Invalid", `The merged file ${location} has ${rows} rows, not ${recordCount}.`)
  }
  const file: DataFile = {
    content: 0,
    location,
    format: "PARQUET",
    partition: first.partition,
    recordCount,
    fileSize,
    keyMetadata: null,
    splitOffsets: null,
    equalityIds: null,
    // Sorted one by one, but not together.
    sortOrderId: null,
    ...mergedMetrics(currentSchema(table.metadata), group.files)
  }
  return { spec: group.spec, file, replaced: group.files }
})

interface MergedFile {
  readonly spec: PartitionSpec
  readonly file: DataFile
  readonly replaced: ReadonlyArray<DataFile>
}

/** The manifests of a base in which some files are replaced by others. All of the former must still be there. */
const replacedParts = Effect.fnUntraced(function* (
  base: Table,
  manifests: ReadonlyArray<ManifestFile>,
  merged: ReadonlyArray<MergedFile>,
  snapshotId: bigint
): Effect.fn.Return<SnapshotParts, IcebergError> {
  const gone = new Set(merged.flatMap(({ replaced }) => replaced.map(({ location }) => location)))
  const missing = new Set(gone)
  const kept: Array<ManifestFile> = []
  const created: Array<ManifestFile> = []
  for (const manifest of manifests) {
    const { entries, whole } = manifest.content === 0 ? yield* entriesOf(base, manifest) : { entries: [], whole: true }
    const live = entries.filter(isLive)
    const touched = live.some(({ file }) => gone.has(file.location))
    if (!touched) {
      if (live.length > 0 || manifest.content !== 0) kept.push(manifest)
      continue
    }
    if (!whole) {
      return yield* icebergError("Invalid", `Manifest ${manifest.location} holds what can't be written again here.`)
    }
    const spec = base.metadata["partition-specs"].find((one) => one["spec-id"] === manifest.specId)!
    const rewritten = live.map((entry): ManifestEntry => {
      if (!missing.delete(entry.file.location)) return { ...entry, status: "existing" }
      return { ...entry, status: "deleted", snapshotId }
    })
    created.push(yield* addManifest(base, spec, rewritten, snapshotId))
  }
  if (missing.size > 0) {
    return yield* icebergError(
      "Invalid",
      `${missing.size} files that were merged are not in table ${base.name.name} any more.`
    )
  }
  for (const [spec, files] of Map.groupBy(merged, (one) => one.spec)) {
    const entries = addedEntries(
      files.map(({ file }) => file),
      snapshotId
    )
    created.push(yield* addManifest(base, spec, entries, snapshotId))
  }
  const before = merged.flatMap(({ replaced }) => replaced)
  const after = merged.map(({ file }) => file)
  return {
    manifests: [...created, ...kept],
    counts: {
      addedFiles: after.length,
      deletedFiles: before.length,
      addedRecords: rowsIn(after),
      deletedRecords: rowsIn(before),
      addedBytes: bytesIn(after),
      deletedBytes: bytesIn(before),
      changedPartitions: new Set(after.map(({ partition }) => partition.join("/"))).size
    }
  }
})

const nothing: Compacted = {
  filesBefore: 0,
  filesAfter: 0,
  rows: 0,
  bytesBefore: 0,
  bytesAfter: 0,
  skipped: null
}

/**
 * Merges the small files of days that are over, in each partition on its own, to files of the target size. Rows are neither
 * changed nor sorted anew. Today's partition is never touched. Fails without a change when another engine replaced the same
 * files meanwhile; new files beside them do no harm. The old files stay until the snapshots that need them expire.
 */
export const compactTable = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  options: CompactOptions,
  events: CommitEvents
): Effect.fn.Return<Compacted, IcebergError> {
  const table = yield* catalog.load(name)
  const { metadata } = table
  const manifests = yield* manifestsOf(table, currentSnapshot(metadata))
  if (manifests.some(({ content }) => content !== 0)) {
    return { ...nothing, skipped: `${name.name} holds delete files of another engine: compact it with that engine.` }
  }
  const schema = currentSchema(metadata)
  const specs = new Map(
    metadata["partition-specs"]
      .filter((spec) => manifestSchema(schema, spec) !== undefined)
      .map((spec) => [spec["spec-id"], spec])
  )
  const live: Array<LiveFile> = []
  yield* forEachEntry(table, manifests, (entry, manifest) => {
    const spec = specs.get(manifest.specId)
    if (spec !== undefined && isLive(entry)) live.push({ file: entry.file, spec })
  })
  const today = dayOf((yield* Clock.currentTimeMillis) - GRACE_MS)
  const groups = plan(live, options.targetBytes, today)
  const files = groups.flatMap((group) => group.files)
  const planned = {
    ...nothing,
    filesBefore: files.length,
    filesAfter: groups.length,
    rows: rowsIn(files),
    bytesBefore: bytesIn(files)
  }
  if (options.dryRun || groups.length === 0) return planned
  const result = { filesBefore: 0, filesAfter: 0, rows: 0, bytesBefore: 0, bytesAfter: 0, skipped: null }
  let done = 0
  for (const batch of pack(groups, [{ most: COMMIT_BYTES, of: ({ files }) => bytesIn(files) }])) {
    const merged: Array<MergedFile> = []
    for (const group of batch) {
      for (const part of yield* divideBySchema(table, group)) merged.push(yield* merge(table, part, options.createdBy))
      options.onProgress({ table: name.name, groups: groups.length, done: ++done })
    }
    if (merged.length === 0) continue
    const snapshotId = yield* newSnapshotId
    yield* commitSnapshot(
      catalog,
      name,
      {
        operation: "replace",
        snapshotId,
        isApplied: hasSnapshot(snapshotId),
        parts: (base, current) => replacedParts(base, current, merged, snapshotId),
        summary: {},
        updates: []
      },
      events
    ).pipe(
      Effect.tapError((error) =>
        error.reason === "Invalid"
          ? Effect.ignore(table.store.remove(merged.map(({ file }) => file.location)))
          : Effect.void
      )
    )
    for (const { file, replaced } of merged) {
      result.filesBefore += replaced.length
      result.filesAfter++
      result.rows += file.recordCount
      result.bytesBefore += bytesIn(replaced)
      result.bytesAfter += file.fileSize
    }
  }
  return result
})
