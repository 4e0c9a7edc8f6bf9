import { Clock, Effect } from "effect"
import { type IcebergError, icebergError } from "../IcebergError.ts"
import type { DataFile } from "../manifest/DataFile.ts"
import { hasLiveFiles } from "../manifest/ManifestFile.ts"
import { newSnapshotId, type SnapshotChange } from "./commit.ts"
import type { WritableTable } from "./ensureTable.ts"
import { addedEntries, addManifest } from "./files.ts"
import { watermarkKey, watermarkOf, watermarkText } from "./watermark.ts"

/** The part of a log that files hold. */
export interface LogRange {
  readonly logId: string
  /** The table's watermark when the rows were read; none of them is in the table as long as it stays. */
  readonly watermark: number
  readonly upTo: number
}

/**
 * A snapshot with these files on top of what there is. Its manifest is written here, once; the change may be committed again
 * and again until its fate is known. It is in when the table knows of the log up to the range's end. Fails with `Invalid` when
 * another part of the log got in instead, a commit of an earlier process that was on its way: then some of the rows may be in
 * the table, and the log has to be read again.
 */
export const prepareAppend = Effect.fnUntraced(function* (
  { spec, table }: WritableTable,
  files: ReadonlyArray<DataFile>,
  { logId, upTo, watermark }: LogRange
): Effect.fn.Return<SnapshotChange, IcebergError> {
  const snapshotId = yield* newSnapshotId
  const manifest = yield* addManifest(table, spec, addedEntries(files, snapshotId), snapshotId)
  const now = yield* Clock.currentTimeMillis
  const moved = { [watermarkKey(logId)]: watermarkText(upTo, now) }
  const uuid = table.metadata["table-uuid"]
  const partitions = new Set(files.map(({ partition }) => partition.join("/")))
  return {
    operation: "append",
    snapshotId,
    isApplied: (metadata) => metadata["table-uuid"] === uuid && watermarkOf(metadata, logId) >= upTo,
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
        manifests: [manifest, ...manifests.filter(hasLiveFiles)],
        counts: {
          addedFiles: files.length,
          deletedFiles: 0,
          addedRecords: manifest.addedRows,
          deletedRecords: 0,
          addedBytes: files.reduce((sum, file) => sum + file.fileSize, 0),
          deletedBytes: 0,
          changedPartitions: partitions.size
        }
      })
    },
    summary: moved,
    updates: [{ action: "set-properties", updates: moved }]
  }
})
