import { Clock, Effect } from "effect"
import { type IcebergError, icebergError } from "../../iceberg/IcebergError.ts"
import { bytesIn, type DataFile } from "../../iceberg/manifest/DataFile.ts"
import { hasLiveFiles, type ManifestFile } from "../../iceberg/manifest/ManifestFile.ts"
import { newSnapshotId, type SnapshotChange } from "../../iceberg/table/commit.ts"
import { addedEntries, addManifest } from "../../iceberg/table/files.ts"
import type { WritableTable } from "../ensureTable.ts"
import { watermarkKey, watermarkOf, watermarkText } from "../watermark.ts"

/** The part of a log that files hold. */
export interface LogRange {
  readonly logId: string
  /** The table's watermark when the rows were read; none of them is in the table as long as it stays. */
  readonly watermark: number
  readonly upTo: number
}

/** What moves the watermark of a log, with or without a manifest of new files; in when `isThere` says so of the table's watermark. */
const move = Effect.fnUntraced(function* (
  { table }: WritableTable,
  { logId, upTo, watermark }: LogRange,
  isThere: (watermark: number) => boolean,
  added: { readonly manifest: ManifestFile; readonly files: ReadonlyArray<DataFile> } | null,
  snapshotId: bigint
) {
  const now = yield* Clock.currentTimeMillis
  const moved = { [watermarkKey(logId)]: watermarkText(upTo, now) }
  const uuid = table.metadata["table-uuid"]
  const files = added?.files ?? []
  const partitions = new Set(files.map(({ partition }) => partition.join("/")))
  const change: SnapshotChange = {
    operation: "append",
    snapshotId,
    isApplied: (metadata) => metadata["table-uuid"] === uuid && isThere(watermarkOf(metadata, logId)),
    parts: (base, manifests) => {
      if (base.metadata["table-uuid"] !== uuid) {
        return Effect.fail(icebergError("Invalid", `Table ${base.name.name} was replaced by another one of its name.`))
      }
      if (watermarkOf(base.metadata, logId) !== watermark) {
        return Effect.fail(
          icebergError("Invalid", `Table ${base.name.name} got another part of log ${logId} meanwhile.`)
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
    updates: [{ action: "set-properties", updates: moved }]
  }
  return change
})

/**
 * A snapshot with these files on top of what there is. Its manifest is written here, once; the change may be committed again
 * and again until its fate is known. It is in when the table knows of the log up to the range's end. Fails with `Invalid` when
 * another part of the log got in instead, a commit of an earlier process that was on its way: then some of the rows may be in
 * the table, and the log has to be read again.
 */
export const prepareAppend = Effect.fnUntraced(function* (
  writable: WritableTable,
  files: ReadonlyArray<DataFile>,
  range: LogRange
): Effect.fn.Return<SnapshotChange, IcebergError> {
  const snapshotId = yield* newSnapshotId
  const { spec, table } = writable
  const manifest = yield* addManifest(table, spec, addedEntries(files, snapshotId), snapshotId)
  return yield* move(writable, range, (watermark) => watermark >= range.upTo, { manifest, files }, snapshotId)
})

/**
 * A snapshot that adds nothing, and takes a log's watermark back to the range's end. It is a snapshot all the same, so that what
 * an earlier process has on its way to the table does not get in behind it.
 */
export const prepareRewind = Effect.fnUntraced(function* (
  writable: WritableTable,
  range: LogRange
): Effect.fn.Return<SnapshotChange> {
  return yield* move(writable, range, (watermark) => watermark === range.upTo, null, yield* newSnapshotId)
})
