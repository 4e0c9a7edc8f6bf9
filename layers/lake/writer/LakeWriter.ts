import { Clock, Effect } from "effect"
import type { OpenedSpool, Run, SpoolRef, SpoolRolledBack, Written } from "../../forward/Destination.ts"
import { rewindTarget } from "../../forward/openingJournal.ts"
import type { Table } from "../../iceberg/catalog/Catalog.ts"
import { IcebergError } from "../../iceberg/IcebergError.ts"
import { newerMetadata } from "../../iceberg/maintenance/newestMetadata.ts"
import type { CommitEvents } from "../../iceberg/table/commit.ts"
import type { Damage } from "../../spool/scan.ts"
import type { WritableTable } from "../ensureTable.ts"
import type { Lake } from "../openLake.ts"
import { formatReceipt, type Receipt, readReceipt, receiptOf, wasRolledBack } from "../receipt.ts"
import { LAKE_TABLES } from "../schema.ts"
import { readWatermark, watermarkOf } from "../watermark.ts"
import { type ByTable, byTable, LakeTables } from "./LakeTables.ts"
import { prepareRewind } from "./snapshotChanges.ts"
import { type LaneEvents, TableLane } from "./TableLane.ts"
import { writeDataFiles } from "./writeDataFiles.ts"

export type { Committed } from "./TableLane.ts"

/** Called as things happen, so that a write that fails afterwards has reported them. */
export interface WriteEvents extends LaneEvents {
  /** Part of the spool cannot be read; its records are lost. Called each time that part is read. */
  readonly onDamage: (damage: Damage) => void
}

export interface ReconcileEvents extends CommitEvents {
  readonly onRolledBack: (rolledBack: SpoolRolledBack) => void
}

export interface LakeWriter {
  /**
   * Call each time a spool is opened, before it is written. If the spool was rolled back behind a table's watermark, moves that
   * watermark back to where the spool ended: what it held there is in the table, what it accepts from now on is not. Safe to repeat.
   */
  readonly reconcile: (spool: OpenedSpool, events: ReconcileEvents) => Effect.Effect<void, IcebergError>
  /**
   * Adds the run's records to the tables, each exactly once; records up to a table's watermark are skipped. Data files and
   * manifests that were written before a failed commit are committed by the next call. Calls for one spool must not overlap.
   */
  readonly write: (run: Run, events: WriteEvents) => Effect.Effect<Written, IcebergError>
}

/**
 * Days that a write may have rows of. Each is at least one object per table, and an anonymous client chooses its events' days. The next
 * write may have twice as many, so that a spool with many days does not fall behind.
 */
const FIRST_MAX_DAYS = 64

const rolledBackCatalog = (table: Table, spoolId: string, position: number, newest: string): IcebergError =>
  IcebergError.invalid(
    `The catalog was rolled back: table ${table.name.name} had spool ${spoolId} up to ${position}, but the metadata that the catalog names, ${table.metadataLocation}, has it only up to ${watermarkOf(table.metadata, spoolId)}. The newest metadata of the table (uuid ${table.metadata["table-uuid"]}) is ${newest}. Run \`bun run footfall lake recover --dry-run\`, then without --dry-run. Events stay in the spool until then.`
  )

/** Reads spools and commits their records to the lake's tables. Blocks its thread while it encodes. */
export const makeLakeWriter = ({ catalog, namespace }: Lake): LakeWriter => {
  const tables = new LakeTables(catalog, namespace)
  const lanesBySpool = new Map<string, ByTable<TableLane>>()
  /** The days that the next write of a spool may have, if the last one left some to it. */
  const daysBySpool = new Map<string, number>()
  /** What the tables had of each spool after its last flush. */
  const receipts = new Map<string, Receipt>()

  /** For when another engine changed a table: nothing that is known about it holds any more. */
  const forgetAll = () => {
    tables.forget()
    lanesBySpool.clear()
  }

  /** Whether each table has less of the spool than it had. Fails if its newer metadata still exists. */
  const findRollbacks = Effect.fnUntraced(function* (opened: ByTable<WritableTable>, spoolId: string) {
    const now = yield* Clock.currentTimeMillis
    const receipt = receipts.get(spoolId) ?? {}
    const found = byTable(({ name }) => wasRolledBack(receipt, name, opened[name].table, spoolId, now))
    for (const { name } of LAKE_TABLES) {
      if (!found[name]) continue
      const { table } = opened[name]
      const newest = yield* newerMetadata(table)
      if (newest !== null) return yield* rolledBackCatalog(table, spoolId, receipt[name]!.position, newest)
    }
    return found
  })

  const lanesOf = Effect.fnUntraced(function* (spool: SpoolRef, opened: ByTable<WritableTable>) {
    const known = lanesBySpool.get(spool.id)
    if (known !== undefined) return known
    const rollbacks = yield* findRollbacks(opened, spool.id)
    const lanes = byTable(({ name }) => new TableLane(name, opened[name].table.metadata, spool, rollbacks[name]))
    lanesBySpool.set(spool.id, lanes)
    return lanes
  })

  /** Remembers what the tables have of a spool, and returns it for the spool's folder. */
  const issueReceipt = Effect.fnUntraced(function* (spoolId: string) {
    const opened = yield* tables.open
    const issued: Receipt = Object.fromEntries(
      LAKE_TABLES.flatMap(({ name }) => {
        const ofTable = receiptOf(opened[name].table, spoolId)
        return ofTable === null ? [] : [[name, ofTable]]
      })
    )
    receipts.set(spoolId, issued)
    return formatReceipt(issued)
  })

  const reconcile = Effect.fnUntraced(function* ({ id, openings, receipt }: OpenedSpool, events: ReconcileEvents) {
    // Another process may have used the spool since it was last open here.
    lanesBySpool.delete(id)
    tables.forget()
    const opened = yield* tables.open
    receipts.set(id, readReceipt(receipt))
    yield* findRollbacks(opened, id)
    const ahead = LAKE_TABLES.flatMap(({ name }) => {
      const { position: watermark, setAt } = readWatermark(opened[name].table.metadata, id)
      const end = rewindTarget(openings, setAt)
      return watermark > end ? [{ name, end, watermark }] : []
    })
    const [farthest] = ahead.toSorted((a, b) => b.watermark - a.watermark)
    if (farthest === undefined) return
    events.onRolledBack({ end: farthest.end, watermark: farthest.watermark })
    yield* Effect.forEach(
      ahead,
      ({ end, name, watermark }) =>
        Effect.flatMap(prepareRewind(opened[name], { spoolId: id, watermark, upTo: end }), (change) =>
          tables.commit(name, change, events)
        ),
      { discard: true }
    )
    tables.forget()
  })

  const write = Effect.fnUntraced(function* (run: Run, events: WriteEvents): Effect.fn.Return<Written, IcebergError> {
    const { spool, upTo } = run
    if (Object.values(lanesBySpool.get(spool.id) ?? {}).some((lane) => lane.isStale)) forgetAll()
    const opened = yield* tables.open
    const lanes = yield* lanesOf(spool, opened)
    const commitAll = Effect.map(
      Effect.forEach(LAKE_TABLES, ({ name }) => lanes[name].commit(tables, events), { concurrency: "unbounded" }),
      (counts) => counts.reduce((sum, count) => sum + count, 0)
    )
    // What an earlier call prepared comes first: its rows are between `done` and the ones that follow.
    let rows = yield* commitAll
    for (;;) {
      const from = Math.min(...LAKE_TABLES.map(({ name }) => lanes[name].done))
      if (from >= upTo) return { position: from, rows, receipt: yield* issueReceipt(spool.id) }
      const maxDays = daysBySpool.get(spool.id) ?? FIRST_MAX_DAYS
      const { files, hasMoreDays, position } = yield* writeDataFiles(opened, lanes, run, from, maxDays, events.onDamage)
      yield* Effect.forEach(LAKE_TABLES, ({ name }) => lanes[name].prepare(tables, files[name], position), {
        discard: true
      })
      rows += yield* commitAll
      if (hasMoreDays) {
        daysBySpool.set(spool.id, maxDays * 2)
        return { position, rows, receipt: yield* issueReceipt(spool.id) }
      }
      daysBySpool.delete(spool.id)
    }
  })

  /** After these failures, tables are loaded again; the next call recreates one that was dropped. */
  const forgettingOnFailure = <A>(effect: Effect.Effect<A, IcebergError>): Effect.Effect<A, IcebergError> =>
    Effect.tapError(effect, ({ reason }) =>
      reason === "Invalid" || reason === "NotFound" ? Effect.sync(forgetAll) : Effect.void
    )

  return {
    reconcile: (spool, events) => forgettingOnFailure(reconcile(spool, events)),
    write: (run, events) => forgettingOnFailure(write(run, events))
  }
}
