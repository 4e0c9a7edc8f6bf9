import { Clock, Effect } from "effect"
import { IcebergError } from "../../iceberg/IcebergError.ts"
import { bytesIn, type DataFile } from "../../iceberg/manifest/DataFile.ts"
import { hasLiveFiles, type ManifestFile } from "../../iceberg/manifest/ManifestFile.ts"
import { newSnapshotId, type SnapshotChange } from "../../iceberg/table/commit.ts"
import { addedEntries, addManifest } from "../../iceberg/table/files.ts"
import { columnsOf, type WritableTable } from "../ensureTable.ts"
import { COLUMNS_PROPERTY } from "../schema.ts"
import { formatWatermark, watermarkKey, watermarkOf } from "../watermark.ts"

/** The part of a spool whose rows are in the data files. */
export interface SpoolRange {
  readonly spoolId: string
  /** The table's watermark when the rows were read. While it stays the same, none of them is in the table. */
  readonly watermark: number
  readonly upTo: number
}

interface AddedFiles {
  readonly manifest: ManifestFile
  readonly files: ReadonlyArray<DataFile>
}

/** The property with the ids of our columns, if the table does not have it as it should be: a server may have assigned other ids. */
const changedColumns = (writable: WritableTable): Readonly<Record<string, string>> => {
  const columns = columnsOf(writable)
  return writable.table.metadata.properties[COLUMNS_PROPERTY] === columns ? {} : { [COLUMNS_PROPERTY]: columns }
}

/** Moves a spool's watermark, with or without new files. `isReached` decides by the table's watermark whether it was applied. */
const moveWatermark = Effect.fnUntraced(function* (
  writable: WritableTable,
  { spoolId, upTo, watermark }: SpoolRange,
  isReached: (watermark: number) => boolean,
  added: AddedFiles | null,
  snapshotId: bigint
) {
  const { table } = writable
  const moved = { [watermarkKey(spoolId)]: formatWatermark(upTo, yield* Clock.currentTimeMillis) }
  const uuid = table.metadata["table-uuid"]
  const files = added?.files ?? []
  const partitions = new Set(files.map(({ partition }) => partition.join("/")))
  const change: SnapshotChange = {
    operation: "append",
    snapshotId,
    isApplied: (metadata) => metadata["table-uuid"] === uuid && isReached(watermarkOf(metadata, spoolId)),
    parts: (base, manifests) => {
      if (base.metadata["table-uuid"] !== uuid) {
        return Effect.fail(IcebergError.invalid(`Table ${base.name.name} was replaced by another of the same name.`))
      }
      if (watermarkOf(base.metadata, spoolId) !== watermark) {
        return Effect.fail(
          IcebergError.invalid(`Another process has added records of spool ${spoolId} to table ${base.name.name}.`)
        )
      }
      return Effect.succeed({
        manifests: [...(added === null ? [] : [added.manifest]), ...manifests.filter(hasLiveFiles)],
        counts: {
          addedFiles: files.length,
          deletedFiles: 0,
          addedRecords: added?.manifest.addedRows ?? 0,
          deletedRecords: 0,
          addedBytes: bytesIn(files),
          deletedBytes: 0,
          changedPartitions: partitions.size
        }
      })
    },
    summary: moved,
    updates: [{ action: "set-properties", updates: { ...moved, ...changedColumns(writable) } }]
  }
  return change
})

/**
 * A snapshot that adds these files. Its manifest is written here, once, so that the change can be committed again until its outcome
 * is known. It is applied when the table's watermark has reached the range's end. Fails with `Invalid` when another part of the
 * spool was committed instead, by a commit of an earlier process that was still in flight: some of the rows may be in the table
 * then, and the spool must be read again.
 */
export const prepareAppend = Effect.fnUntraced(function* (
  writable: WritableTable,
  files: ReadonlyArray<DataFile>,
  range: SpoolRange
): Effect.fn.Return<SnapshotChange, IcebergError> {
  const snapshotId = yield* newSnapshotId
  const { spec, table } = writable
  const manifest = yield* addManifest(table, spec, addedEntries(files, snapshotId), snapshotId)
  return yield* moveWatermark(writable, range, (watermark) => watermark >= range.upTo, { manifest, files }, snapshotId)
})

/**
 * A snapshot that adds nothing and moves the watermark back to the range's end. It must be a snapshot, so that a commit of an
 * earlier process that is still in flight conflicts with it.
 */
export const prepareRewind = Effect.fnUntraced(function* (
  writable: WritableTable,
  range: SpoolRange
): Effect.fn.Return<SnapshotChange> {
  return yield* moveWatermark(writable, range, (watermark) => watermark === range.upTo, null, yield* newSnapshotId)
})
