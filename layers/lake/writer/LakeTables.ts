import { Effect } from "effect"
import type { LakeTableName } from "../../../src/ports/LakeAdmin.ts"
import type { Catalog, Table } from "../../iceberg/catalog/Catalog.ts"
import type { IcebergError } from "../../iceberg/IcebergError.ts"
import { type CommitEvents, commitSnapshot, type SnapshotChange } from "../../iceberg/table/commit.ts"
import { ensureTable, type WritableTable } from "../ensureTable.ts"
import { LAKE_TABLES, type LakeTable } from "../schema.ts"

export type ByTable<A> = Readonly<Record<LakeTableName, A>>

export const byTable = <A>(make: (table: LakeTable) => A): ByTable<A> =>
  Object.fromEntries(LAKE_TABLES.map((table) => [table.name, make(table)])) as ByTable<A>

/** The lake's tables, created when missing, as they were last loaded or committed. */
export class LakeTables {
  readonly #catalog: Catalog
  readonly #namespace: ReadonlyArray<string>
  #opened: ByTable<WritableTable> | null = null

  constructor(catalog: Catalog, namespace: ReadonlyArray<string>) {
    this.#catalog = catalog
    this.#namespace = namespace
  }

  readonly open: Effect.Effect<ByTable<WritableTable>, IcebergError> = Effect.suspend(() =>
    this.#opened !== null
      ? Effect.succeed(this.#opened)
      : Effect.map(
          Effect.all(
            byTable((table) => ensureTable(this.#catalog, { namespace: this.#namespace, name: table.name }, table)),
            { concurrency: "unbounded" }
          ),
          (opened) => {
            this.#opened = opened
            return opened
          }
        )
  )

  commit(name: LakeTableName, change: SnapshotChange, events: CommitEvents): Effect.Effect<void, IcebergError> {
    return Effect.gen({ self: this }, function* () {
      const opened = yield* this.open
      const table: Table = yield* commitSnapshot(
        this.#catalog,
        { namespace: this.#namespace, name },
        change,
        events,
        opened[name].table
      )
      this.#opened = { ...(this.#opened ?? opened), [name]: { ...opened[name], table } }
    })
  }

  /** The next `open` loads the tables again. */
  forget(): void {
    this.#opened = null
  }
}
