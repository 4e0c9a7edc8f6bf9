import { Clock, Effect } from "effect"
import { errorCode } from "../../../src/lib/errorCode.ts"
import { endBehind, type Opening } from "../../forward/openings.ts"
import type { Catalog, Table } from "../../iceberg/catalog/Catalog.ts"
import { type IcebergError, icebergError } from "../../iceberg/IcebergError.ts"
import { bytesIn, type DataFile, rowsIn } from "../../iceberg/manifest/DataFile.ts"
import { type CommitEvents, commitSnapshot, type SnapshotChange } from "../../iceberg/table/commit.ts"
import { readRecords } from "../../spool/readRecords.ts"
import type { Damage } from "../../spool/scan.ts"
import { ensureTable, type WritableTable } from "../ensureTable.ts"
import { encodeParquet } from "../parquet/encode.ts"
import { DAY_MS, PartitionedRows, type Rows } from "../parquet/rows.ts"
import { decodeRecord } from "../records.ts"
import { LAKE_TABLES, type LakeTable, type LakeTableName } from "../schema.ts"
import { readWatermark, watermarkOf } from "../watermark.ts"
import { prepareAppend, prepareRewind } from "./append.ts"

/**
 * Column buffers that are encoded at once: some 10,000 events. Encoding holds them four times over: as columns, as Arrow's
 * stream, in the memory of parquet-wasm, and as the file.
 */
const ENCODED_BYTES = 8 << 20
/** How often the size of the buffers is looked at, in records. */
const SIZE_EVERY = 1_000
/** Rows of one commit: a log that fell far behind is caught up with in steps, each of which lets the log give up segments. */
const COMMIT_ROWS = 500_000
/** Files on their way at the same time. */
const UPLOADS = 8
/**
 * How long files wait for a commit that does not come about, in ms; then they are left to be removed as orphans, the youngest of
 * which are twice as old, and the log is read again.
 */
const PREPARED_FOR = 12 * 3_600_000

/** A collector's log. */
export interface Log {
  readonly folder: string
  readonly id: string
  /** Up to here the log was given up: it is in all tables that it had rows for. */
  readonly oldest: number
}

/** A log that was just opened, and every opening of it that was not compared with the lake, this one last. */
export interface OpenedLog {
  readonly id: string
  readonly openings: ReadonlyArray<Opening>
}

/** A log that ends behind what the lake has of it. */
export interface FellBack {
  /** Where it ended when it was opened. */
  readonly end: number
  /** How far it is in a table. */
  readonly watermark: number
}

export interface FlushResult {
  /** Every record up to here is in the lake. */
  readonly position: number
  /** That were committed. */
  readonly rows: number
}

/** A commit that is in a table. */
export interface Committed {
  readonly rows: number
  readonly files: number
  /** Of the files. */
  readonly bytes: number
  /** What the commit took, its retries included. */
  readonly seconds: number
}

/** Told of what happens in a flush, as it happens: one that fails afterwards has met it all the same. */
export interface FlushEvents extends CommitEvents {
  readonly onCommitted: (committed: Committed) => void
  /** A part of the log can't be read; its records are lost. Told again each time that the log is read there. */
  readonly onDamage: (damage: Damage) => void
}

const unreadable = (folder: string, code: string) =>
  icebergError(
    "Unavailable",
    `The log in ${folder} can't be read (${code}). What it holds stays there and is tried again. Check the disk; if it stays so, stop the collector, copy the folder to another disk with what can be read, zeros for the rest, and start with it.`
  )

export interface CompareEvents extends CommitEvents {
  readonly onFellBack: (fellBack: FellBack) => void
}

type ByTable<A> = Readonly<Record<LakeTableName, A>>

const byTable = <A>(of: (table: LakeTable) => A): ByTable<A> =>
  Object.fromEntries(LAKE_TABLES.map((table) => [table.name, of(table)])) as ByTable<A>

/** What is known of a log's way into one table. */
interface Lane {
  /** Every record up to here is in the table, or has no rows for it. */
  done: number
  /** The position that the table told when this lane began, or that its last commit set: other ones are others' commits. */
  watermark: number
  /** A commit that is prepared and not known to be in. */
  prepared: {
    readonly change: SnapshotChange
    readonly files: ReadonlyArray<DataFile>
    readonly upTo: number
    readonly at: number
  } | null
}

export interface LakeWriter {
  /**
   * To be called each time that a log is opened, before it is flushed. When the log fell back behind what a table has of it, the
   * table's watermark goes back to where the log ended: what the log held there is in the table, what it takes from then on is
   * not. Otherwise nothing happens. May be called again after a failure.
   */
  readonly compare: (log: OpenedLog, events: CompareEvents) => Effect.Effect<void, IcebergError>
  /**
   * Brings a log's records up to a position into the tables, each exactly once: what a table holds already, by the position
   * that it tells, is left out. Data files and manifests that were written before a failed commit are committed by the next
   * call. Calls for one log must not overlap.
   */
  readonly flush: (log: Log, upTo: number, events: FlushEvents) => Effect.Effect<FlushResult, IcebergError>
}

export interface LakeWriterOptions {
  readonly catalog: Catalog
  readonly namespace: ReadonlyArray<string>
}

/** Reads logs, and writes and commits the files of the lake's tables. Blocks its thread while it encodes. */
export const makeLakeWriter = ({ catalog, namespace }: LakeWriterOptions): LakeWriter => {
  let tables: ByTable<WritableTable> | undefined
  /** By log and table. */
  const lanes = new Map<string, ByTable<Lane>>()

  const openTables = Effect.suspend(() =>
    tables === undefined
      ? Effect.map(
          Effect.all(
            byTable((table) => ensureTable(catalog, { namespace, name: table.name }, table)),
            { concurrency: "unbounded" }
          ),
          (opened) => {
            tables = opened
            return opened
          }
        )
      : Effect.succeed(tables)
  )

  const lanesOf = (log: Log, opened: ByTable<WritableTable>): ByTable<Lane> => {
    const known = lanes.get(log.id)
    if (known !== undefined) return known
    const made = byTable(({ name }): Lane => {
      const watermark = watermarkOf(opened[name].table.metadata, log.id)
      return { done: Math.max(log.oldest, watermark), watermark, prepared: null }
    })
    lanes.set(log.id, made)
    return made
  }

  /** After what another engine did to a table, all that was known of it is. */
  const forget = () => {
    tables = undefined
    lanes.clear()
  }

  const compare = Effect.fnUntraced(function* ({ id, openings }: OpenedLog, events: CompareEvents) {
    // Others may have used the log since it was last known here.
    lanes.delete(id)
    tables = undefined
    const opened = yield* openTables
    const behind = LAKE_TABLES.flatMap(({ name }) => {
      const { position, setAt } = readWatermark(opened[name].table.metadata, id)
      const end = endBehind(openings, setAt)
      return position > end ? [{ name, end, watermark: position }] : []
    })
    const [farthest] = behind.toSorted((a, b) => b.watermark - a.watermark)
    if (farthest === undefined) return
    events.onFellBack({ end: farthest.end, watermark: farthest.watermark })
    yield* Effect.forEach(
      behind,
      ({ end, name, watermark }) =>
        Effect.flatMap(prepareRewind(opened[name], { logId: id, watermark, upTo: end }), (change) =>
          commitSnapshot(catalog, { namespace, name }, change, events, opened[name].table)
        ),
      { discard: true }
    )
    // They are read again by who flushes.
    tables = undefined
  })

  const upload = (opened: ByTable<WritableTable>, rows: Rows): Effect.Effect<DataFile, IcebergError> =>
    Effect.suspend(() => {
      const { lake, table } = opened[rows.table.name]
      const { bytes, file } = encodeParquet(rows)
      const folders = lake.partitionSpec.fields.map(({ name, transform }, index) => {
        const value = rows.partition[index]
        const text = transform === "day" ? new Date(Number(value) * DAY_MS).toISOString().slice(0, 10) : String(value)
        return `${name}=${encodeURIComponent(text)}/`
      })
      const location = `${table.metadata.location}/data/${folders.join("")}${crypto.randomUUID()}.parquet`
      return Effect.as(table.store.write(location, bytes), { ...file, location })
    })

  const flush = Effect.fnUntraced(function* (
    log: Log,
    upTo: number,
    events: FlushEvents
  ): Effect.fn.Return<FlushResult, IcebergError> {
    let rows = 0

    const commit = Effect.fnUntraced(function* (name: LakeTableName, lane: Lane) {
      const { prepared } = lane
      if (prepared === null) return
      const opened = yield* openTables
      const began = yield* Clock.currentTimeNanos
      const table: Table = yield* commitSnapshot(
        catalog,
        { namespace, name },
        prepared.change,
        events,
        opened[name].table
      )
      tables = { ...(tables ?? opened), [name]: { ...opened[name], table } }
      const committed: Committed = {
        rows: rowsIn(prepared.files),
        files: prepared.files.length,
        bytes: bytesIn(prepared.files),
        seconds: Number((yield* Clock.currentTimeNanos) - began) / 1e9
      }
      rows += committed.rows
      events.onCommitted(committed)
      lane.done = prepared.upTo
      lane.watermark = prepared.upTo
      lane.prepared = null
    })
    const commitAll = (of: ByTable<Lane>) =>
      Effect.forEach(LAKE_TABLES, ({ name }) => commit(name, of[name]), { concurrency: "unbounded", discard: true })

    /** Encodes and uploads from where the tables are; the answer is how far it came. */
    const write = Effect.fnUntraced(function* (opened: ByTable<WritableTable>, of: ByTable<Lane>, from: number) {
      const files = byTable((): Array<DataFile> => [])
      const lakeTables = byTable(({ name }) => opened[name].lake)
      let position = from
      let chunk = new PartitionedRows(lakeTables)
      let encoded = 0
      const writeChunk = Effect.suspend(() => {
        const written = chunk
        encoded += written.count
        chunk = new PartitionedRows(lakeTables)
        return Effect.forEach(
          written.all(),
          (partition) =>
            Effect.map(upload(opened, partition), (file) => {
              files[partition.table.name].push(file)
            }),
          { concurrency: UPLOADS, discard: true }
        )
      })
      const records = readRecords(log.folder, from, upTo, events.onDamage)
      const read = Effect.gen(function* () {
        let sinceSize = 0
        try {
          for (const record of records) {
            const decoded = decodeRecord(record.payload)
            if (decoded === undefined) {
              return yield* icebergError(
                "Invalid",
                `The log in ${log.folder} holds a record that this version does not know, at ${record.position}. Start the version that wrote it.`
              )
            }
            chunk.add(decoded, (name) => record.position > of[name].done)
            position = record.position
            if (++sinceSize < SIZE_EVERY) continue
            sinceSize = 0
            if (chunk.bytes() >= ENCODED_BYTES) {
              yield* writeChunk
              // Buffers are far larger than what the collector sees of them: it would let hundreds of megabytes gather.
              Bun.gc(true)
            }
            if (encoded >= COMMIT_ROWS) break
          }
        } catch (error) {
          if (errorCode(error) === "") throw error
          return yield* unreadable(log.folder, errorCode(error))
        }
      })
      // A failed effect leaves the loop where it is, with a file open.
      yield* Effect.ensuring(
        read,
        Effect.sync(() => records.return())
      )
      yield* writeChunk
      // A log that ends before the position is one whose rest was cut or lost: there is nothing more to bring.
      return { files, position: encoded >= COMMIT_ROWS ? position : upTo }
    })

    const isOld = ({ prepared }: Lane) => prepared !== null && performance.now() - prepared.at > PREPARED_FOR
    if (Object.values(lanes.get(log.id) ?? {}).some(isOld)) forget()
    const opened = yield* openTables
    const of = lanesOf(log, opened)
    // What an earlier call left open comes first: its rows are between what is done and what follows.
    yield* commitAll(of)
    for (;;) {
      const from = Math.min(...LAKE_TABLES.map(({ name }) => of[name].done))
      if (from >= upTo) return { position: from, rows }
      const { files, position } = yield* write(opened, of, from)
      for (const { name } of LAKE_TABLES) {
        const lane = of[name]
        if (lane.done >= position) continue
        if (files[name].length === 0) lane.done = position
        else {
          const writable = (yield* openTables)[name]
          // Not what the table tells by now: another collector may have used the log since, and its rows are in `files` again.
          const range = { logId: log.id, watermark: lane.watermark, upTo: position }
          const change = yield* prepareAppend(writable, files[name], range)
          lane.prepared = { change, files: files[name], upTo: position, at: performance.now() }
        }
      }
      yield* commitAll(of)
    }
  })

  /** A table that was dropped is made again by the next call. */
  const forgetting = <A>(effect: Effect.Effect<A, IcebergError>): Effect.Effect<A, IcebergError> =>
    Effect.tapError(effect, (error) =>
      error.reason === "Invalid" || error.reason === "NotFound" ? Effect.sync(forget) : Effect.void
    )

  return {
    compare: (log, events) => forgetting(compare(log, events)),
    flush: (log, upTo, events) => forgetting(flush(log, upTo, events))
  }
}
