import type { LakeTableName } from "../../src/ports/LakeAdmin.ts"
import type { TableName } from "../iceberg/catalog/Catalog.ts"
import type { IcebergType, PartitionSpec, SortOrder, StructField } from "../iceberg/metadata/TableMetadata.ts"
import type { NewTable } from "../iceberg/metadata/TableUpdate.ts"

/*
 * The tables of the lake. Field ids are permanent: a column keeps its id, and a new column gets the next one. Columns that the
 * Postgres views also have go by the same names.
 */

const field = (id: number, name: string, isRequired: boolean, type: IcebergType, doc?: string): StructField => ({
  id,
  name,
  required: isRequired,
  type,
  ...(doc === undefined ? {} : { doc })
})
const required = (id: number, name: string, type: IcebergType, doc?: string) => field(id, name, true, type, doc)
const optional = (id: number, name: string, type: IcebergType, doc?: string) => field(id, name, false, type, doc)

/** 15 digits before the point and 4 after it: the range of a number property. */
export const DECIMAL = { precision: 19, scale: 4 } as const
const DECIMAL_TYPE = `decimal(${DECIMAL.precision}, ${DECIMAL.scale})`

const EVENT_FIELDS: ReadonlyArray<StructField> = [
  required(1, "event_id", "string", "UUIDv7"),
  required(2, "site_id", "string", "UUID"),
  required(3, "session_id", "string", "UUID; a visitor within a salt period"),
  required(4, "visit_id", "string", "UUID"),
  required(5, "event_time", "timestamptz", "When it happened"),
  required(6, "received_at", "timestamptz", "When it was accepted; unique per collector"),
  required(7, "event_type", "int", "1 pageview, 2 custom event, 3 link, 4 pixel, 5 performance"),
  optional(8, "event_name", "string", "Null except for custom events"),
  required(9, "url_path", "string"),
  optional(10, "url_query", "string", "Without the question mark"),
  optional(11, "hostname", "string"),
  optional(12, "page_title", "string"),
  optional(13, "referrer_domain", "string"),
  optional(14, "referrer_path", "string"),
  optional(15, "referrer_query", "string"),
  optional(16, "tag", "string"),
  optional(17, "utm_source", "string"),
  optional(18, "utm_medium", "string"),
  optional(19, "utm_campaign", "string"),
  optional(20, "utm_content", "string"),
  optional(21, "utm_term", "string"),
  optional(22, "gclid", "string", "Google Ads"),
  optional(23, "fbclid", "string", "Meta"),
  optional(24, "msclkid", "string", "Microsoft Ads"),
  optional(25, "ttclid", "string", "TikTok"),
  optional(26, "li_fat_id", "string", "LinkedIn"),
  optional(27, "twclid", "string", "X"),
  optional(28, "revenue", DECIMAL_TYPE, "From the property `revenue`, if positive"),
  optional(29, "currency", "string", "ISO 4217"),
  optional(30, "lcp", DECIMAL_TYPE, "Largest contentful paint, ms"),
  optional(31, "inp", DECIMAL_TYPE, "Interaction to next paint, ms"),
  optional(32, "fcp", DECIMAL_TYPE, "First contentful paint, ms"),
  optional(33, "ttfb", DECIMAL_TYPE, "Time to first byte, ms"),
  optional(34, "cls", DECIMAL_TYPE, "Cumulative layout shift, a score"),
  optional(
    35,
    "properties",
    { type: "map", "key-id": 36, key: "string", "value-id": 37, value: "string", "value-required": false },
    "Flattened properties; values as strings"
  )
]

const SESSION_FIELDS: ReadonlyArray<StructField> = [
  required(1, "session_id", "string", "UUID"),
  required(2, "site_id", "string", "UUID"),
  required(3, "created_at", "timestamptz", "Time of the session's first event known to the row's writer"),
  required(4, "updated_at", "timestamptz", "When the row was accepted; unique per collector"),
  optional(5, "distinct_id", "string", "The site operator's id for the visitor"),
  optional(6, "browser", "string"),
  optional(7, "os", "string"),
  optional(8, "device", "string"),
  optional(9, "screen", "string", "1920x1080"),
  optional(10, "language", "string", "BCP 47"),
  optional(11, "country", "string", "ISO 3166-1 alpha-2"),
  optional(12, "region", "string", "ISO 3166-2"),
  optional(13, "city", "string"),
  optional(14, "first_path", "string", "First touch"),
  optional(15, "first_referrer_domain", "string", "First touch"),
  optional(16, "first_utm_source", "string", "First touch"),
  optional(17, "first_utm_medium", "string", "First touch"),
  optional(18, "first_utm_campaign", "string", "First touch")
]

const SESSION_DATA_FIELDS: ReadonlyArray<StructField> = [
  required(1, "session_id", "string", "UUID"),
  required(2, "site_id", "string", "UUID"),
  required(3, "data_key", "string"),
  required(4, "data_type", "int", "1 string, 2 number, 3 boolean, 4 date, 5 array"),
  optional(5, "string_value", "string", "The value as a string, whatever its type"),
  optional(6, "number_value", DECIMAL_TYPE),
  optional(7, "date_value", "timestamptz"),
  required(8, "created_at", "timestamptz", "When it was set"),
  required(9, "updated_at", "timestamptz", "When the row was accepted; unique per collector")
]

export interface LakeTable {
  readonly name: LakeTableName
  readonly fields: ReadonlyArray<StructField>
  readonly partitionSpec: PartitionSpec
  readonly sortOrder: SortOrder
  /** Columns with counts and bounds in the manifests, which engines use to skip files. */
  readonly measured: ReadonlyArray<string>
  /** Columns that were dropped from the table by another engine and are not written. */
  readonly dropped: ReadonlyArray<string>
}

const idOf = (fields: ReadonlyArray<StructField>, name: string): number => {
  const found = fields.find((candidate) => candidate.name === name)
  if (found === undefined) throw new Error(`No column ${name}.`)
  return found.id
}

/** The id of the first field of a table's first partition spec (Iceberg spec, "Partition Specs"). */
const FIRST_PARTITION_ID = 1000

const lakeTable = (
  name: LakeTableName,
  fields: ReadonlyArray<StructField>,
  time: string,
  /** Columns that partition a day further. */
  identity: ReadonlyArray<string>,
  sortedBy: ReadonlyArray<string>,
  measured: ReadonlyArray<string>
): LakeTable => ({
  name,
  fields,
  partitionSpec: {
    "spec-id": 0,
    fields: [
      { name: `${time}_day`, transform: "day", "source-id": idOf(fields, time), "field-id": FIRST_PARTITION_ID },
      ...identity.map((column, index) => ({
        name: column,
        transform: "identity",
        "source-id": idOf(fields, column),
        "field-id": FIRST_PARTITION_ID + 1 + index
      }))
    ]
  },
  sortOrder: {
    "order-id": 1,
    fields: sortedBy.map((column) => ({
      transform: "identity",
      "source-id": idOf(fields, column),
      direction: "asc" as const,
      "null-order": "nulls-first" as const
    }))
  },
  measured,
  dropped: []
})

export const PA_EVENTS = lakeTable(
  "pa_events",
  EVENT_FIELDS,
  "event_time",
  ["site_id"],
  ["event_time"],
  ["event_id", "site_id", "session_id", "event_time", "received_at", "event_type", "event_name"]
)
export const PA_SESSIONS = lakeTable(
  "pa_sessions",
  SESSION_FIELDS,
  "created_at",
  [],
  ["created_at"],
  ["session_id", "site_id", "created_at", "updated_at", "distinct_id"]
)
export const PA_SESSION_DATA = lakeTable(
  "pa_session_data",
  SESSION_DATA_FIELDS,
  "created_at",
  [],
  ["created_at"],
  ["session_id", "site_id", "created_at", "updated_at", "data_key"]
)

export const LAKE_TABLES: ReadonlyArray<LakeTable> = [PA_EVENTS, PA_SESSIONS, PA_SESSION_DATA]

/** The other tables of a lake's table. */
export const otherTables = ({ name, namespace }: TableName): ReadonlyArray<TableName> =>
  LAKE_TABLES.flatMap((other) => (other.name === name ? [] : [{ namespace, name: other.name }]))

/**
 * The table property with the field id of each of our columns, as JSON. A column that another engine renamed is recognized by its id, and
 * one that it dropped is not added again.
 */
export const COLUMNS_PROPERTY = "footfall-columns"

export const formatColumns = (fields: ReadonlyArray<StructField>): string =>
  JSON.stringify(Object.fromEntries(fields.map(({ id, name }) => [name, id])))

/** Few enough to keep metadata small; commits delete the files that exceed it. */
const PREVIOUS_METADATA_FILES = 20

/** Table properties that make other engines write files like ours. */
const propertiesOf = (table: LakeTable): Readonly<Record<string, string>> => ({
  "write.format.default": "parquet",
  "write.parquet.compression-codec": "zstd",
  "write.metadata.delete-after-commit.enabled": "true",
  "write.metadata.previous-versions-max": String(PREVIOUS_METADATA_FILES),
  "write.metadata.metrics.default": "none",
  [COLUMNS_PROPERTY]: formatColumns(table.fields),
  ...Object.fromEntries(table.measured.map((column) => [`write.metadata.metrics.column.${column}`, "truncate(16)"]))
})

export const newLakeTable = (table: LakeTable): NewTable => ({
  schema: { type: "struct", "schema-id": 0, fields: table.fields },
  partitionSpec: table.partitionSpec,
  sortOrder: table.sortOrder,
  properties: propertiesOf(table)
})
