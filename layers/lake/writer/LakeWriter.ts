import { Effect } from "effect"
import type { OpenedSpool, Run, SpoolRef, SpoolRolledBack, Written } from "../../forward/Destination.ts"
import { rewindTarget } from "../../forward/openingJournal.ts"
import type { IcebergError } from "../../iceberg/IcebergError.ts"
import type { CommitEvents } from "../../iceberg/table/commit.ts"
import type { Damage } from "../../spool/scan.ts"
import type { WritableTable } from "../ensureTable.ts"
import type { Lake } from "../openLake.ts"
import { LAKE_TABLES } from "../schema.ts"
import { readWatermark } from "../watermark.ts"
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

/** Reads spools and commits their records to the lake's tables. Blocks its thread while it encodes. */
export const makeLakeWriter = ({ catalog, namespace }: Lake): LakeWriter => {
  const tables = new LakeTables(catalog, namespace)
  const lanesBySpool = new Map<string, ByTable<TableLane>>()

  /** For when another engine changed a table: nothing that is known about it holds any more. */
  const forgetAll = () => {
    tables.forget()
    lanesBySpool.clear()
  }

  const lanesOf = (spool: SpoolRef, opened: ByTable<WritableTable>): ByTable<TableLane> => {
    const known = lanesBySpool.get(spool.id)
    if (known !== undefined) return known
    const lanes = byTable(({ name }) => new TableLane(name, opened[name].table.metadata, spool))
    lanesBySpool.set(spool.id, lanes)
    return lanes
  }

  const reconcile = Effect.fnUntraced(function* ({ id, openings }: OpenedSpool, events: ReconcileEvents) {
    // Another process may have used the spool since it was last open here.
    lanesBySpool.delete(id)
    tables.forget()
    const opened = yield* tables.open
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
    const lanes = lanesOf(spool, opened)
    const commitAll = Effect.map(
      Effect.forEach(LAKE_TABLES, ({ name }) => lanes[name].commit(tables, events), { concurrency: "unbounded" }),
      (counts) => counts.reduce((sum, count) => sum + count, 0)
    )
    // What an earlier call prepared comes first: its rows are between `done` and the ones that follow.
    let rows = yield* commitAll
    for (;;) {
      const from = Math.min(...LAKE_TABLES.map(({ name }) => lanes[name].done))
      if (from >= upTo) return { position: from, rows }
      const { files, position } = yield* writeDataFiles(opened, lanes, run, from, events.onDamage)
      yield* Effect.forEach(LAKE_TABLES, ({ name }) => lanes[name].prepare(tables, files[name], position), {
        discard: true
      })
      rows += yield* commitAll
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
