import { Effect } from "effect"
import type { Catalog, TableName } from "../../../layers/iceberg/catalog/Catalog.ts"
import type { IcebergError } from "../../../layers/iceberg/IcebergError.ts"
import type { DataFile } from "../../../layers/iceberg/manifest/DataFile.ts"
import {
  type CommitEvents,
  commitSnapshot,
  hasSnapshot,
  newSnapshotId,
  SILENT
} from "../../../layers/iceberg/table/commit.ts"
import { addedEntries, addManifest } from "../../../layers/iceberg/table/files.ts"
import { ensureTable, type WritableTable } from "../../../layers/lake/ensureTable.ts"
import { encodeParquet } from "../../../layers/lake/parquet/encode.ts"
import { PartitionedRows } from "../../../layers/lake/parquet/rows.ts"
import { decodeRecord, encodeEvent } from "../../../layers/lake/records.ts"
import { type LakeTable, PA_EVENTS, PA_SESSION_DATA, PA_SESSIONS } from "../../../layers/lake/schema.ts"
import { watermarkOf } from "../../../layers/lake/watermark.ts"
import { prepareAppend } from "../../../layers/lake/writer/snapshotChanges.ts"
import { DataType } from "../../../src/domain/Event.ts"
import type { LakeTableName } from "../../../src/ports/LakeAdmin.ts"
import { event, text } from "../collect/records.ts"

export const NAMESPACE = ["product_analytics"]
export const EVENTS_NAME: TableName = { namespace: NAMESPACE, name: "pa_events" }
export const DAY_MS = 86_400_000

const lakeTables = (events: LakeTable): Readonly<Record<LakeTableName, LakeTable>> => ({
  pa_events: events,
  pa_sessions: PA_SESSIONS,
  pa_session_data: PA_SESSION_DATA
})

/** Writes a file with this many events of a day for each site. */
export const writeEvents = (
  { lake, table }: WritableTable,
  day: number,
  count: number,
  sites: ReadonlyArray<string> = ["11111111-2222-4333-8444-555555555555"]
): Effect.Effect<ReadonlyArray<DataFile>, IcebergError> => {
  const rows = new PartitionedRows(lakeTables(lake))
  for (const site of sites) {
    for (let index = 0; index < count; index++) {
      const record = event({
        siteId: site as never,
        createdAt: day * DAY_MS + index,
        properties: [text("plan", "Team"), { key: "seats", type: DataType.number, string: "5", number: 5, date: null }]
      })
      rows.add(decodeRecord(Buffer.from(encodeEvent(record, null, Date.now())))!, (name) => name === "pa_events")
    }
  }
  return Effect.forEach(rows.all(), (one) => {
    const { bytes, file } = encodeParquet(one)
    const location = `${table.metadata.location}/data/${crypto.randomUUID()}.parquet`
    return Effect.as(table.store.write(location, bytes), { ...file, location })
  })
}

export const openEvents = (catalog: Catalog): Effect.Effect<WritableTable, IcebergError> =>
  ensureTable(catalog, EVENTS_NAME, PA_EVENTS)

/** Appends a file of events, and moves the watermark of the spool forward by one. */
export const appendEvents = Effect.fnUntraced(function* (
  catalog: Catalog,
  options: {
    readonly log: string
    readonly day: number
    readonly count: number
    readonly sites?: ReadonlyArray<string>
  },
  events: CommitEvents = SILENT
) {
  const writable = yield* openEvents(catalog)
  const files = yield* writeEvents(writable, options.day, options.count, options.sites)
  const watermark = watermarkOf(writable.table.metadata, options.log)
  const change = yield* prepareAppend(writable, files, { spoolId: options.log, watermark, upTo: watermark + 1 })
  return yield* commitSnapshot(catalog, EVENTS_NAME, change, events, writable.table)
})

/**
 * Commits a delete file for a day and site as another engine does: positions, an equality or a deletion vector are all listed in a
 * manifest of deletes.
 */
export const appendDeletes = Effect.fnUntraced(function* (catalog: Catalog, day: number, site: string) {
  const table = yield* catalog.load(EVENTS_NAME)
  const snapshotId = yield* newSnapshotId
  const deletes: DataFile = {
    content: 1,
    location: `${table.metadata.location}/data/${crypto.randomUUID()}-deletes.parquet`,
    format: "PARQUET",
    partition: [day, site],
    recordCount: 1,
    fileSize: 1,
    columnSizes: null,
    valueCounts: null,
    nullCounts: null,
    nanCounts: null,
    lowerBounds: null,
    upperBounds: null,
    keyMetadata: null,
    splitOffsets: null,
    equalityIds: null,
    sortOrderId: null
  }
  yield* table.store.write(deletes.location, Buffer.from("x"))
  const spec = table.metadata["partition-specs"][0]!
  const manifest = yield* addManifest(table, spec, addedEntries([deletes], snapshotId), snapshotId)
  return yield* commitSnapshot(
    catalog,
    EVENTS_NAME,
    {
      operation: "delete",
      snapshotId,
      isApplied: hasSnapshot(snapshotId),
      parts: (_, manifests) =>
        Effect.succeed({ manifests: [{ ...manifest, content: 1 }, ...manifests], counts: NO_DATA_FILES }),
      summary: {},
      updates: []
    },
    SILENT
  )
})

const NO_DATA_FILES = {
  addedFiles: 0,
  deletedFiles: 0,
  addedRecords: 0,
  deletedRecords: 0,
  addedBytes: 0,
  deletedBytes: 0,
  changedPartitions: 1
}
