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
  /** Only of catalogs that store nothing but a pointer to each table's current metadata file, which can be wrong. */
  readonly pointers?: Pointers
}

/** The pointers of a catalog, for repairing them. */
export interface Pointers {
  readonly store: ObjectStore
  /** The metadata file that the catalog names, whether or not it exists. Fails with `NotFound` if there is no such table. */
  readonly read: (name: TableName) => Effect.Effect<string, IcebergError>
  /** The content of a metadata file. Fails with `NotFound`. */
  readonly metadata: (location: string) => Effect.Effect<TableMetadata, IcebergError>
  /** Fails with `Conflict` if the pointer does not name `from` any longer. */
  readonly move: (name: TableName, from: string, to: string) => Effect.Effect<void, IcebergError>
}
