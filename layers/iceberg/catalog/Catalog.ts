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
  /** The file that held the metadata. */
  readonly metadataLocation: string
  /** Where its files are read and written, with the credentials that the catalog vended, if it did. */
  readonly store: ObjectStore
}

/** Which tables there are and what their current metadata is; the one place where commits are decided. */
export interface Catalog {
  /** Fails with `NotFound`. */
  readonly load: (name: TableName) => Effect.Effect<Table, IcebergError>
  /** Makes the table, and its namespace when missing. Fails with `AlreadyExists`. */
  readonly create: (name: TableName, table: NewTable) => Effect.Effect<Table, IcebergError>
  /**
   * Applies a change to the table as it was loaded, all or nothing; the answer is the table after it. Fails with `Conflict`
   * when the table is no longer what it was or a requirement does not hold, and with `Unknown` when the outcome can't be
   * read back after several tries. A lost answer that can be read back is no failure. Old metadata files that fall out of the
   * metadata log are removed after a success when `write.metadata.delete-after-commit.enabled` says so.
   */
  readonly commit: (table: Table, change: TableChange) => Effect.Effect<Table, IcebergError>
}
