import { Effect } from "effect"
import { errorCode } from "../../../src/lib/errorCode.ts"
import type { Run } from "../../forward/Destination.ts"
import { IcebergError } from "../../iceberg/IcebergError.ts"
import type { DataFile } from "../../iceberg/manifest/DataFile.ts"
import { dataFolder } from "../../iceberg/metadata/tableProperties.ts"
import { columnSizesOf } from "../../iceberg/parquet/columnSizes.ts"
import { readRecords } from "../../spool/readRecords.ts"
import type { Damage } from "../../spool/scan.ts"
import type { WritableTable } from "../ensureTable.ts"
import { encodeParquet } from "../parquet/encode.ts"
import { DAY_MS, PartitionedRows, type Rows } from "../parquet/rows.ts"
import { decodeRecord } from "../records.ts"
import { type ByTable, byTable } from "./LakeTables.ts"
import type { TableLane } from "./TableLane.ts"

/**
 * Column buffers are encoded when they reach this size. 10,000 events take half of it, whatever their sites, so that each of their
 * partitions gets one file. Encoding holds the rows of a partition four times: as columns, as Arrow's stream, in the memory of
 * parquet-wasm, and as the file.
 */
const ENCODED_BYTES = 24 << 20
/** The size of the buffers is checked once per this many records. */
const SIZE_CHECK_RECORDS = 1_000
/** Rows of one commit. A spool that is far behind is flushed in steps, after each of which it can be trimmed. */
const COMMIT_ROWS = 500_000
/** Concurrent uploads. */
const UPLOADS = 8

const unreadable = (folder: string, code: string) =>
  IcebergError.unavailable(
    `The spool in ${folder} can't be read (${code}). Its records stay there and will be retried. Check the disk. If this persists, stop the collector, copy what is readable of the folder to another disk, with zeros for the rest, and start with the copy.`
  )

const newerRecord = (folder: string, position: number) =>
  IcebergError.invalid(
    `The spool in ${folder} has a record at ${position} that this version cannot decode. Start the version that wrote it.`
  )

/** `event_time_day=2026-11-24/site_id=…/` */
const partitionPath = ({ partition, table }: Rows): string =>
  table.partitionSpec.fields
    .map(({ name, transform }, index) => {
      const value = partition[index]
      const shown = transform === "day" ? new Date(Number(value) * DAY_MS).toISOString().slice(0, 10) : String(value)
      return `${name}=${encodeURIComponent(shown)}/`
    })
    .join("")

const upload = ({ table }: WritableTable, rows: Rows): Effect.Effect<DataFile, IcebergError> =>
  Effect.suspend(() => {
    const { bytes, columnIds, file } = encodeParquet(rows)
    const location = `${dataFolder(table.metadata)}/${partitionPath(rows)}${crypto.randomUUID()}.parquet`
    return Effect.map(
      Effect.andThen(
        table.store.write(location, bytes),
        Effect.promise(() => columnSizesOf(bytes, bytes.length, columnIds))
      ),
      (columnSizes) => ({ ...file, columnSizes, location })
    )
  })

/** Rows on their way into data files: buffered as columns, then encoded and uploaded. */
class DataFileWriter {
  readonly files = byTable((): Array<DataFile> => [])
  readonly #tables: ByTable<WritableTable>
  readonly #days = new Set<number>()
  #buffered: PartitionedRows
  #written = 0

  constructor(tables: ByTable<WritableTable>) {
    this.#tables = tables
    this.#buffered = this.#newBuffer()
  }

  #newBuffer(): PartitionedRows {
    return new PartitionedRows(
      byTable(({ name }) => this.#tables[name].lake),
      (day) => this.#days.add(day)
    )
  }

  /** Days with rows, whatever the table. */
  get days(): number {
    return this.#days.size
  }

  get buffered(): PartitionedRows {
    return this.#buffered
  }

  get isFull(): boolean {
    return this.#buffered.bytes() >= ENCODED_BYTES
  }

  get hasEnoughForCommit(): boolean {
    return this.#written >= COMMIT_ROWS
  }

  readonly flush = Effect.suspend(() => {
    const rows = this.#buffered
    this.#written += rows.count
    this.#buffered = this.#newBuffer()
    return Effect.forEach(
      rows.all(),
      (partition) =>
        Effect.map(upload(this.#tables[partition.table.name], partition), (file) => {
          this.files[partition.table.name].push(file)
        }),
      { concurrency: UPLOADS, discard: true }
    )
  })
}

export interface DataFiles {
  readonly files: ByTable<ReadonlyArray<DataFile>>
  /** The files hold every record of the run up to here. */
  readonly position: number
  /** Whether the run has rows of more days than may be written at once. */
  readonly hasMoreDays: boolean
}

/**
 * Reads a run from a position, encodes the rows that each table does not have yet, and uploads the data files. Stops early when
 * there are enough rows for a commit, or when they have `maxDays` days. Blocks its thread while it reads and encodes.
 */
export const writeDataFiles = Effect.fnUntraced(function* (
  tables: ByTable<WritableTable>,
  lanes: ByTable<TableLane>,
  { spool: { folder }, upTo }: Run,
  from: number,
  maxDays: number,
  onDamage: (damage: Damage) => void
): Effect.fn.Return<DataFiles, IcebergError> {
  const writer = new DataFileWriter(tables)
  const records = readRecords(folder, from, upTo, onDamage)
  const readAndEncode = Effect.gen(function* () {
    let uncheckedRecords = 0
    try {
      for (const record of records) {
        const decoded = decodeRecord(record.payload)
        if (decoded === null) return yield* newerRecord(folder, record.position)
        writer.buffered.add(decoded, (name) => record.position > lanes[name].done)
        if (writer.days > maxDays) return record.position
        if (++uncheckedRecords < SIZE_CHECK_RECORDS) continue
        uncheckedRecords = 0
        if (writer.isFull) {
          yield* writer.flush
          // The buffers' memory is not part of the heap that decides about collections: hundreds of megabytes would pile up.
          Bun.gc(true)
        }
        if (writer.hasEnoughForCommit) return record.position
      }
    } catch (error) {
      if (errorCode(error) === "") throw error
      return yield* unreadable(folder, errorCode(error))
    }
    // Also when the spool ends earlier: what is missing was cut off or lost, and no later read would find it.
    return upTo
  })
  // A failed effect abandons the loop with a file open.
  const position = yield* Effect.ensuring(
    readAndEncode,
    Effect.sync(() => records.return())
  )
  yield* writer.flush
  return { files: writer.files, position, hasMoreDays: writer.days > maxDays && position < upTo }
})
