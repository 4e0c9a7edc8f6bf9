import type { PartitionSpec, Snapshot, SnapshotRef, SortOrder, TableSchema } from "./TableMetadata.ts"

/**
 * A change of a table, as the REST catalog's OpenAPI names them (`TableUpdate`). Every catalog is given these: the REST
 * catalog sends them, the others apply them to the metadata they loaded.
 */
export type TableUpdate =
  | { readonly action: "add-schema"; readonly schema: TableSchema; readonly "last-column-id": number }
  /** -1: the schema added last. */
  | { readonly action: "set-current-schema"; readonly "schema-id": number }
  | { readonly action: "add-snapshot"; readonly snapshot: Snapshot }
  | ({ readonly action: "set-snapshot-ref"; readonly "ref-name": string } & SnapshotRef)
  | { readonly action: "remove-snapshots"; readonly "snapshot-ids": ReadonlyArray<bigint> }
  | { readonly action: "remove-snapshot-ref"; readonly "ref-name": string }
  | { readonly action: "set-properties"; readonly updates: Readonly<Record<string, string>> }
  | { readonly action: "remove-properties"; readonly removals: ReadonlyArray<string> }

/** What must hold of the table when the change is applied, else it is a conflict (`TableRequirement`). */
export type TableRequirement =
  | { readonly type: "assert-table-uuid"; readonly uuid: string }
  | { readonly type: "assert-ref-snapshot-id"; readonly ref: string; readonly "snapshot-id": bigint | null }
  | { readonly type: "assert-last-assigned-field-id"; readonly "last-assigned-field-id": number }
  | { readonly type: "assert-current-schema-id"; readonly "current-schema-id": number }

export interface TableChange {
  readonly requirements: ReadonlyArray<TableRequirement>
  readonly updates: ReadonlyArray<TableUpdate>
}

/** What a new table begins with. Ids are ours to choose; a REST catalog may choose others, its answer counts. */
export interface NewTable {
  readonly schema: TableSchema
  readonly partitionSpec: PartitionSpec
  readonly sortOrder: SortOrder
  readonly properties: Readonly<Record<string, string>>
}
