import { Clock, Effect } from "effect"
import type { LakeTableName } from "../../../src/ports/LakeAdmin.ts"
import type { SpoolRef } from "../../forward/Destination.ts"
import type { Table } from "../../iceberg/catalog/Catalog.ts"
import { IcebergError, nullIfNotFound } from "../../iceberg/IcebergError.ts"
import { bytesIn, type DataFile, rowsIn } from "../../iceberg/manifest/DataFile.ts"
import type { TableMetadata } from "../../iceberg/metadata/TableMetadata.ts"
import type { CommitEvents, SnapshotChange } from "../../iceberg/table/commit.ts"
import { watermarkOf } from "../watermark.ts"
import type { LakeTables } from "./LakeTables.ts"
import { prepareAppend } from "./snapshotChanges.ts"

/**
 * How long data files wait for a commit that keeps failing, in ms. Then they are abandoned, and the spool is read again. Orphan
 * removal deletes only files that are at least twice as old.
 */
const PREPARED_MAX_AGE_MS = 12 * 3_600_000

/** Data files that are looked up at the same time. */
const HEADS = 16

/** A commit that was applied. */
export interface Committed {
  readonly rows: number
  readonly files: number
  /** Of the files. */
  readonly bytes: number
  /** Duration of the commit, including retries. */
  readonly seconds: number
}

export interface LaneEvents extends CommitEvents {
  readonly onCommitted: (committed: Committed) => void
}

interface PreparedCommit {
  readonly change: SnapshotChange
  readonly files: ReadonlyArray<DataFile>
  readonly upTo: number
  /** `performance.now()`. */
  readonly at: number
  /** Whether a commit of it failed or was interrupted. */
  hasFailed: boolean
}

/**
 * One spool's progress in one table.
 *
 * ```
 *   0 ........ done ........ prepared.upTo
 *   └ in table ─┘└ data files written, commit not known to be applied
 * ```
 */
export class TableLane {
  readonly #spoolId: string
  readonly #name: LakeTableName
  /** Every record up to here is in the table or has no rows for it. */
  #done: number
  /** The table's watermark when the lane was created, or what its last commit set. Any other value is another process's commit. */
  #watermark: number
  #prepared: PreparedCommit | null = null

  /** `isRolledBack`: what the spool trimmed may be missing in the table, and what is left of it on the disk is added again. */
  constructor(name: LakeTableName, metadata: TableMetadata, { id, oldest }: SpoolRef, isRolledBack: boolean) {
    this.#spoolId = id
    this.#name = name
    this.#watermark = watermarkOf(metadata, id)
    this.#done = isRolledBack ? this.#watermark : Math.max(oldest, this.#watermark)
  }

  get done(): number {
    return this.#done
  }

  get isStale(): boolean {
    return this.#prepared !== null && performance.now() - this.#prepared.at > PREPARED_MAX_AGE_MS
  }

  /** Prepares the commit of these data files, which hold all rows up to the position. Does nothing if the table has them. */
  readonly prepare = Effect.fnUntraced(
    { self: this },
    function* (tables: LakeTables, files: ReadonlyArray<DataFile>, upTo: number): Effect.fn.Return<void, IcebergError> {
      if (this.#done >= upTo) return
      if (files.length === 0) {
        this.#done = upTo
        return
      }
      const writable = (yield* tables.open)[this.#name]
      // Not the table's current watermark: if another collector has used the spool since, its rows are in these files again.
      const range = { spoolId: this.#spoolId, watermark: this.#watermark, upTo }
      const change = yield* prepareAppend(writable, files, range)
      this.#prepared = { change, files, upTo, at: performance.now(), hasFailed: false }
    }
  )

  /** Files that wait for their commit may have been deleted meanwhile. Then they are abandoned, and the spool is read again. */
  readonly #checkFiles = Effect.fnUntraced(
    { self: this },
    function* ({ store }: Table, files: ReadonlyArray<DataFile>): Effect.fn.Return<void, IcebergError> {
      const found = yield* Effect.forEach(files, ({ location }) => nullIfNotFound(store.head(location)), {
        concurrency: HEADS
      })
      const missing = files.find((_, index) => found[index] === null)
      if (missing === undefined) return
      return yield* IcebergError.invalid(
        `Data file ${missing.location} of table ${this.#name} was deleted before it was committed. Its rows are still in the spool and will be written again.`
      )
    }
  )

  /** Commits what is prepared. Returns its rows; 0 if nothing is. After a failure, the next call commits it. */
  readonly commit = Effect.fnUntraced(
    { self: this },
    function* (tables: LakeTables, events: LaneEvents): Effect.fn.Return<number, IcebergError> {
      const prepared = this.#prepared
      if (prepared === null) return 0
      const { table } = (yield* tables.open)[this.#name]
      if (prepared.hasFailed) yield* this.#checkFiles(table, prepared.files)
      prepared.hasFailed = true
      const began = yield* Clock.currentTimeNanos
      yield* tables.commit(this.#name, prepared.change, events)
      const seconds = Number((yield* Clock.currentTimeNanos) - began) / 1e9
      const { files, upTo } = prepared
      const rows = rowsIn(files)
      events.onCommitted({ rows, files: files.length, bytes: bytesIn(files), seconds })
      this.#done = upTo
      this.#watermark = upTo
      this.#prepared = null
      return rows
    }
  )
}
