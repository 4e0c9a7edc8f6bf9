import type { PartitionSpec, Snapshot, SnapshotRef, SortOrder, TableSchema } from "./TableMetadata.ts"

/**
 * One change to a table, as in the REST catalog's OpenAPI (`TableUpdate`). The REST catalog sends updates to its server; the
 * other catalogs apply them to the metadata that they loaded.
 */
export type TableUpdate =
  | { readonly action: "add-schema"; readonly schema: TableSchema; readonly "last-column-id": number }
  /** -1 for the schema that was added last. */
  | { readonly action: "set-current-schema"; readonly "schema-id": number }
  | { readonly action: "add-snapshot"; readonly snapshot: Snapshot }
  | ({ readonly action: "set-snapshot-ref"; readonly "ref-name": string } & SnapshotRef)
  | { readonly action: "remove-snapshots"; readonly "snapshot-ids": ReadonlyArray<bigint> }
  | { readonly action: "remove-snapshot-ref"; readonly "ref-name": string }
  | { readonly action: "set-properties"; readonly updates: Readonly<Record<string, string>> }
  | { readonly action: "remove-properties"; readonly removals: ReadonlyArray<string> }

/** A condition that must hold when a change is applied; otherwise the change is a conflict (`TableRequirement`). */
export type TableRequirement =
  | { readonly type: "assert-table-uuid"; readonly uuid: string }
  | { readonly type: "assert-ref-snapshot-id"; readonly ref: string; readonly "snapshot-id": bigint | null }
  | { readonly type: "assert-last-assigned-field-id"; readonly "last-assigned-field-id": number }
  | { readonly type: "assert-current-schema-id"; readonly "current-schema-id": number }

export interface TableChange {
  readonly requirements: ReadonlyArray<TableRequirement>
  readonly updates: ReadonlyArray<TableUpdate>
}

/** The initial definition of a table. A REST catalog may assign other ids; the ones in its response count. */
export interface NewTable {
  readonly schema: TableSchema
  readonly partitionSpec: PartitionSpec
  readonly sortOrder: SortOrder
  readonly properties: Readonly<Record<string, string>>
}
