import type { IcebergType, TableMetadata } from "./TableMetadata.ts"
import type { NewTable } from "./TableUpdate.ts"

/** `last-partition-id` of a table without partition fields; their ids start after it (Iceberg spec, "Partition Evolution"). */
const BEFORE_FIRST_PARTITION_ID = 999

const idsOf = (type: IcebergType): ReadonlyArray<number> => {
  if (typeof type === "string") return []
  switch (type.type) {
    case "struct":
      return type.fields.flatMap((field) => [field.id, ...idsOf(field.type)])
    case "map":
      return [type["key-id"], type["value-id"], ...idsOf(type.key), ...idsOf(type.value)]
    case "list":
      return [type["element-id"], ...idsOf(type.element)]
  }
}

/** The greatest field id in a type, including nested types. */
export const lastColumnId = (type: IcebergType): number => Math.max(0, ...idsOf(type))

export interface NewTableOptions {
  /** Location for the table's files, without a trailing slash. */
  readonly location: string
  readonly uuid: string
  /** Ms since the epoch. */
  readonly now: number
}

/** The first metadata of a table of format version 2, without a snapshot. */
export const newTableMetadata = (table: NewTable, { location, now, uuid }: NewTableOptions): TableMetadata => ({
  "format-version": 2,
  "table-uuid": uuid,
  location,
  "last-sequence-number": 0,
  "last-updated-ms": now,
  "last-column-id": lastColumnId(table.schema),
  "current-schema-id": table.schema["schema-id"],
  schemas: [table.schema],
  "default-spec-id": table.partitionSpec["spec-id"],
  "partition-specs": [table.partitionSpec],
  "last-partition-id": Math.max(
    BEFORE_FIRST_PARTITION_ID,
    ...table.partitionSpec.fields.map((field) => field["field-id"])
  ),
  "default-sort-order-id": table.sortOrder["order-id"],
  "sort-orders": [table.sortOrder],
  properties: table.properties,
  "current-snapshot-id": -1n,
  refs: {},
  snapshots: [],
  statistics: [],
  "partition-statistics": [],
  "snapshot-log": [],
  "metadata-log": []
})
