import type { IcebergType, PartitionSpec, SortOrder, StructField } from "../iceberg/metadata/TableMetadata.ts"
import type { NewTable } from "../iceberg/metadata/TableUpdate.ts"

/*
 * The tables of the lake. Field ids are for ever: a column keeps its id, a new column takes the next one. Names are those of
 * the views where a column is the same.
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

/** Four places after the point, 15 before it: as wide as a number property may be. */
export const DECIMAL = { precision: 19, scale: 4 } as const
const DECIMAL_TYPE = `decimal(${DECIMAL.precision}, ${DECIMAL.scale})`

const EVENT_FIELDS: ReadonlyArray<StructField> = [
  required(1, "event_id", "string", "UUIDv7"),
  required(2, "site_id", "string", "UUID"),
  required(3, "session_id", "string", "UUID; a visitor in a salt period"),
  required(4, "visit_id", "string", "UUID"),
  required(5, "event_time", "timestamptz", "When it happened"),
  required(6, "received_at", "timestamptz", "When it was accepted; different for each record of a collector"),
  required(7, "event_type", "int", "1 pageview, 2 custom event, 3 link, 4 pixel, 5 performance"),
  optional(8, "event_name", "string", "Null but for custom events"),
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
  optional(28, "revenue", DECIMAL_TYPE, "Of the property `revenue`, when positive"),
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
    "Flattened properties as texts"
  )
]

const SESSION_FIELDS: ReadonlyArray<StructField> = [
  required(1, "session_id", "string", "UUID"),
  required(2, "site_id", "string", "UUID"),
  required(3, "created_at", "timestamptz", "The session's first event, as far as the row's writer knew"),
  required(4, "updated_at", "timestamptz", "When the row was accepted; different for each record of a collector"),
  optional(5, "distinct_id", "string", "The operator's id of the visitor"),
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
  optional(5, "string_value", "string", "The value as text, whatever its type"),
  optional(6, "number_value", DECIMAL_TYPE),
  optional(7, "date_value", "timestamptz"),
  required(8, "created_at", "timestamptz", "When it was said"),
  required(9, "updated_at", "timestamptz", "When the row was accepted; different for each record of a collector")
]

export type LakeTableName = "pa_events" | "pa_sessions" | "pa_session_data"

export interface LakeTable {
  readonly name: LakeTableName
  readonly fields: ReadonlyArray<StructField>
  readonly partitionSpec: PartitionSpec
  readonly sortOrder: SortOrder
  /** Names of the columns with counts and bounds in the manifests, where engines look for files to skip. */
  readonly measured: ReadonlyArray<string>
}

const idOf = (fields: ReadonlyArray<StructField>, name: string): number => {
  const found = fields.find((one) => one.name === name)
  if (found === undefined) throw new Error(`No column ${name}.`)
  return found.id
}

/** As Iceberg numbers the fields of a first partition spec. */
const FIRST_PARTITION_ID = 1000

const lakeTable = (
  name: LakeTableName,
  fields: ReadonlyArray<StructField>,
  time: string,
  /** Columns that divide the files of a day further. */
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
  measured
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

/** Kept so that a day of commits leaves small metadata; old files are removed with the commits that push them out. */
const PREVIOUS_METADATA_FILES = 20

/** What the table is told to other engines as well, so that their files are like ours. */
const propertiesOf = (table: LakeTable): Readonly<Record<string, string>> => ({
  "write.format.default": "parquet",
  "write.parquet.compression-codec": "zstd",
  "write.metadata.delete-after-commit.enabled": "true",
  "write.metadata.previous-versions-max": String(PREVIOUS_METADATA_FILES),
  "write.metadata.metrics.default": "none",
  ...Object.fromEntries(table.measured.map((column) => [`write.metadata.metrics.column.${column}`, "truncate(16)"]))
})

export const newLakeTable = (table: LakeTable): NewTable => ({
  schema: { type: "struct", "schema-id": 0, fields: table.fields },
  partitionSpec: table.partitionSpec,
  sortOrder: table.sortOrder,
  properties: propertiesOf(table)
})
