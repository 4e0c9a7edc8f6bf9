import type { Effect } from "effect"
import type { IcebergError } from "../IcebergError.ts"
import type { ObjectStore } from "../io/ObjectStore.ts"
import type { TableMetadata } from "../metadata/TableMetadata.ts"
import type { NewTable, TableChange } from "../metadata/TableUpdate.ts"

export interface TableName {
  /** Levels, outermost first. */
  readonly namespace: ReadonlyArray<string>
  readonly name: string
}

/** A table as it was when it was loaded. */
export interface Table {
  readonly name: TableName
  readonly metadata: TableMetadata
  /** The file that contained the metadata. */
  readonly metadataLocation: string
  /** Reads and writes the table's files, with the catalog's vended credentials if it vends any. */
  readonly store: ObjectStore
}

/** Knows which tables exist and what their current metadata is. All commits are decided here. */
export interface Catalog {
  /** Fails with `NotFound`. */
  readonly load: (name: TableName) => Effect.Effect<Table, IcebergError>
  /** Creates the table, and its namespace if that is missing. Fails with `AlreadyExists`. */
  readonly create: (name: TableName, table: NewTable) => Effect.Effect<Table, IcebergError>
  /**
   * Applies a change to the table as it was loaded, all or nothing, and returns the resulting table. Fails with `Conflict` if
   * the table has changed or a requirement does not hold, and with `Unknown` if the outcome cannot be read back after several
   * attempts. A lost response whose outcome can be read back is not a failure. After a success, metadata files that dropped
   * out of the metadata log are removed if `write.metadata.delete-after-commit.enabled` is set.
   */
  readonly commit: (table: Table, change: TableChange) => Effect.Effect<Table, IcebergError>
}
