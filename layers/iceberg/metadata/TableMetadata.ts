/*
 * Table metadata of format versions 2 and 3, with the keys of `metadata.json` (Iceberg spec, "Table Metadata"). Unknown keys are
 * carried over: every object may contain more than its type lists. Snapshot ids are bigint, times are in ms since the epoch.
 */

/** `long`, `timestamptz`, `decimal(19, 4)`. */
type PrimitiveType = string

export interface StructField {
  readonly id: number
  readonly name: string
  readonly required: boolean
  readonly type: IcebergType
  readonly doc?: string
}

export interface MapType {
  readonly type: "map"
  readonly "key-id": number
  readonly key: IcebergType
  readonly "value-id": number
  readonly value: IcebergType
  readonly "value-required": boolean
}

export interface ListType {
  readonly type: "list"
  readonly "element-id": number
  readonly element: IcebergType
  readonly "element-required": boolean
}

export interface StructType {
  readonly type: "struct"
  readonly fields: ReadonlyArray<StructField>
}

export type IcebergType = PrimitiveType | MapType | ListType | StructType

export interface TableSchema extends StructType {
  readonly "schema-id": number
  readonly "identifier-field-ids"?: ReadonlyArray<number>
}

export interface PartitionField {
  readonly "source-id": number
  readonly "field-id": number
  readonly name: string
  /** `identity`, `day`, `bucket[16]` … */
  readonly transform: string
}

export interface PartitionSpec {
  readonly "spec-id": number
  readonly fields: ReadonlyArray<PartitionField>
}

export interface SortField {
  readonly transform: string
  readonly "source-id": number
  readonly direction: "asc" | "desc"
  readonly "null-order": "nulls-first" | "nulls-last"
}

export interface SortOrder {
  readonly "order-id": number
  readonly fields: ReadonlyArray<SortField>
}

export type SnapshotOperation = "append" | "replace" | "overwrite" | "delete"

/** `operation`, and counts as decimal strings. */
export type SnapshotSummary = Readonly<Record<string, string>> & { readonly operation: string }

export interface Snapshot {
  readonly "snapshot-id": bigint
  readonly "parent-snapshot-id"?: bigint
  readonly "sequence-number": number
  readonly "timestamp-ms": number
  readonly "manifest-list": string
  readonly summary: SnapshotSummary
  readonly "schema-id"?: number
  /** In version 3: the first row id that the snapshot assigned, and how many it assigned at most. */
  readonly "first-row-id"?: number
  readonly "added-rows"?: number
}

export interface SnapshotRef {
  readonly "snapshot-id": bigint
  readonly type: "branch" | "tag"
  readonly "min-snapshots-to-keep"?: number
  readonly "max-snapshot-age-ms"?: number
  readonly "max-ref-age-ms"?: number
}

export interface TableMetadata {
  readonly "format-version": number
  readonly "table-uuid": string
  readonly location: string
  readonly "last-sequence-number": number
  readonly "last-updated-ms": number
  readonly "last-column-id": number
  readonly schemas: ReadonlyArray<TableSchema>
  readonly "current-schema-id": number
  readonly "partition-specs": ReadonlyArray<PartitionSpec>
  readonly "default-spec-id": number
  readonly "last-partition-id": number
  /** In version 3: the next row id to be assigned. */
  readonly "next-row-id"?: number
  readonly properties: Readonly<Record<string, string>>
  /** Absent, null or -1n if there is none. */
  readonly "current-snapshot-id"?: bigint | null
  readonly snapshots?: ReadonlyArray<Snapshot>
  readonly "snapshot-log"?: ReadonlyArray<{ readonly "timestamp-ms": number; readonly "snapshot-id": bigint }>
  readonly "metadata-log"?: ReadonlyArray<{ readonly "timestamp-ms": number; readonly "metadata-file": string }>
  readonly "sort-orders": ReadonlyArray<SortOrder>
  readonly "default-sort-order-id": number
  readonly refs?: Readonly<Record<string, SnapshotRef>>
  readonly statistics?: ReadonlyArray<unknown>
  readonly "partition-statistics"?: ReadonlyArray<unknown>
}

/** Whether the table's rows have ids (Iceberg spec, "Row Lineage"). */
export const hasRowIds = (metadata: TableMetadata): boolean => metadata["format-version"] >= 3

/** The branch that readers and writers use by default. */
export const MAIN = "main"

/** The snapshot that readers see; null if the table has none. */
export const currentSnapshot = (metadata: TableMetadata): Snapshot | null => {
  const id = metadata["current-snapshot-id"]
  return id === undefined || id === null || id === -1n
    ? null
    : (metadata.snapshots?.find((snapshot) => snapshot["snapshot-id"] === id) ?? null)
}

export const currentSchema = (metadata: TableMetadata): TableSchema => {
  const schema = metadata.schemas.find((candidate) => candidate["schema-id"] === metadata["current-schema-id"])
  if (schema === undefined) throw new Error(`The metadata of ${metadata.location} lacks its current schema.`)
  return schema
}
