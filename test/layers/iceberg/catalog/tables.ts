import type { Table, TableName } from "../../../../layers/iceberg/catalog/Catalog.ts"
import { MAIN, type Snapshot } from "../../../../layers/iceberg/metadata/TableMetadata.ts"
import type { NewTable, TableChange } from "../../../../layers/iceberg/metadata/TableUpdate.ts"

/** A table in a namespace that no other test uses, not even in another process. */
export const freshName = (namespace = "test"): TableName => ({
  namespace: [`${namespace}_${crypto.randomUUID().slice(0, 8)}`],
  name: "events"
})

export const NEW_TABLE: NewTable = {
  schema: {
    type: "struct",
    "schema-id": 0,
    fields: [
      { id: 1, name: "event_id", required: true, type: "string" },
      { id: 2, name: "event_time", required: true, type: "timestamptz", doc: "When it happened" },
      { id: 3, name: "site_id", required: true, type: "string" },
      {
        id: 4,
        name: "properties",
        required: false,
        type: { type: "map", "key-id": 5, key: "string", "value-id": 6, value: "string", "value-required": false }
      }
    ]
  },
  partitionSpec: {
    "spec-id": 0,
    fields: [{ "source-id": 2, "field-id": 1000, name: "event_time_day", transform: "day" }]
  },
  sortOrder: { "order-id": 0, fields: [] },
  properties: { "write.parquet.compression-codec": "zstd" }
}

let ids = BigInt(Date.now()) * 1_000_000n

/** Above 2^53, as chosen by other engines. */
export const nextSnapshotId = (): bigint => ids++

const mainOf = ({ metadata }: Table): bigint | null => {
  const id = metadata["current-snapshot-id"]
  return id === undefined || id === -1n ? null : id
}

/** A snapshot on top of the table as it was loaded. Its manifest list does not exist: catalogs do not read it. */
export const snapshotOn = (table: Table, id = nextSnapshotId(), summary: Record<string, string> = {}): Snapshot => {
  const parent = mainOf(table)
  return {
    "snapshot-id": id,
    ...(parent === null ? {} : { "parent-snapshot-id": parent }),
    "sequence-number": table.metadata["last-sequence-number"] + 1,
    "timestamp-ms": Math.max(Date.now(), table.metadata["last-updated-ms"]),
    "manifest-list": `${table.metadata.location}/metadata/snap-${id}-1-${crypto.randomUUID()}.avro`,
    summary: { operation: "append", "added-records": "1", ...summary },
    "schema-id": table.metadata["current-schema-id"]
  }
}

export const isTable = (table: Table): TableChange["requirements"][number] => ({
  type: "assert-table-uuid",
  uuid: table.metadata["table-uuid"]
})

export const append = (table: Table, snapshot = snapshotOn(table)): TableChange => ({
  requirements: [isTable(table), { type: "assert-ref-snapshot-id", ref: MAIN, "snapshot-id": mainOf(table) }],
  updates: [
    { action: "add-snapshot", snapshot },
    { action: "set-snapshot-ref", "ref-name": MAIN, "snapshot-id": snapshot["snapshot-id"], type: "branch" }
  ]
})

export const setProperties = (table: Table, updates: Record<string, string>): TableChange => ({
  requirements: [isTable(table)],
  updates: [{ action: "set-properties", updates }]
})

export const snapshotIds = (table: Table): ReadonlyArray<bigint> =>
  (table.metadata.snapshots ?? []).map((snapshot) => snapshot["snapshot-id"])
