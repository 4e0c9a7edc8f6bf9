import { type AvroSchema, avroSchema } from "../avro/container.ts"
import type { IcebergType, PartitionField, PartitionSpec, TableSchema } from "../metadata/TableMetadata.ts"

/*
 * The Avro schemas of manifests and manifest lists of format versions 2 and 3, with the field ids of the Iceberg spec ("Manifests",
 * "Manifest Lists").
 */

const required = (id: number, name: string, type: unknown) => ({ name, type, "field-id": id })
const optional = (id: number, name: string, type: unknown) => ({
  name,
  type: ["null", type],
  default: null,
  "field-id": id
})
/** Avro's maps have string keys, so maps with other keys are arrays of pairs. */
const mapOf = (keyId: number, valueId: number, value: unknown) => ({
  type: "array",
  items: {
    type: "record",
    name: `k${keyId}_v${valueId}`,
    fields: [required(keyId, "key", "int"), required(valueId, "value", value)]
  },
  logicalType: "map"
})
const listOf = (elementId: number, type: unknown) => ({ type: "array", items: type, "element-id": elementId })

/** Result types of transforms whose type does not depend on the source. Days are dates, as in Java. */
const TRANSFORM_TYPES: Readonly<Record<string, unknown>> = {
  day: { type: "int", logicalType: "date" },
  year: "int",
  month: "int",
  hour: "int"
}

const PRIMITIVES: Readonly<Record<string, unknown>> = {
  boolean: "boolean",
  int: "int",
  long: "long",
  float: "float",
  double: "double",
  date: { type: "int", logicalType: "date" },
  time: { type: "long", logicalType: "time-micros" },
  timestamp: { type: "long", logicalType: "timestamp-micros", "adjust-to-utc": false },
  timestamptz: { type: "long", logicalType: "timestamp-micros", "adjust-to-utc": true },
  string: "string",
  binary: "bytes"
}

const sourceType = (schema: TableSchema, field: PartitionField): IcebergType | null =>
  schema.fields.find(({ id }) => id === field["source-id"])?.type ?? null

/** The Avro type of a partition field's values; null if the transform or type is not supported. */
const partitionType = (schema: TableSchema, field: PartitionField): unknown => {
  if (field.transform.startsWith("bucket[")) return "int"
  const fixed = TRANSFORM_TYPES[field.transform]
  if (fixed !== undefined) return fixed
  const source = sourceType(schema, field)
  if (field.transform !== "identity" && !field.transform.startsWith("truncate[")) return null
  return typeof source === "string" ? (PRIMITIVES[source] ?? null) : null
}

/** The schema of a manifest's entries; null if the type of a partition field is not supported. */
export const manifestSchema = (schema: TableSchema, spec: PartitionSpec): AvroSchema | null => {
  const partition = spec.fields.map((field) => ({ field, type: partitionType(schema, field) }))
  if (partition.some(({ type }) => type === null)) return null
  return avroSchema({
    type: "record",
    name: "manifest_entry",
    fields: [
      required(0, "status", "int"),
      optional(1, "snapshot_id", "long"),
      optional(3, "sequence_number", "long"),
      optional(4, "file_sequence_number", "long"),
      required(2, "data_file", {
        type: "record",
        name: "r2",
        fields: [
          required(134, "content", "int"),
          required(100, "file_path", "string"),
          required(101, "file_format", "string"),
          required(102, "partition", {
            type: "record",
            name: "r102",
            fields: partition.map(({ field, type }) => optional(field["field-id"], field.name, type))
          }),
          required(103, "record_count", "long"),
          required(104, "file_size_in_bytes", "long"),
          optional(108, "column_sizes", mapOf(117, 118, "long")),
          optional(109, "value_counts", mapOf(119, 120, "long")),
          optional(110, "null_value_counts", mapOf(121, 122, "long")),
          optional(137, "nan_value_counts", mapOf(138, 139, "long")),
          optional(125, "lower_bounds", mapOf(126, 127, "bytes")),
          optional(128, "upper_bounds", mapOf(129, 130, "bytes")),
          optional(131, "key_metadata", "bytes"),
          optional(132, "split_offsets", listOf(133, "long")),
          optional(135, "equality_ids", listOf(136, "int")),
          optional(140, "sort_order_id", "int")
        ]
      })
    ]
  })
}

const MANIFEST_FILE_FIELDS = [
  required(500, "manifest_path", "string"),
  required(501, "manifest_length", "long"),
  required(502, "partition_spec_id", "int"),
  required(517, "content", "int"),
  required(515, "sequence_number", "long"),
  required(516, "min_sequence_number", "long"),
  required(503, "added_snapshot_id", "long"),
  required(504, "added_files_count", "int"),
  required(505, "existing_files_count", "int"),
  required(506, "deleted_files_count", "int"),
  required(512, "added_rows_count", "long"),
  required(513, "existing_rows_count", "long"),
  required(514, "deleted_rows_count", "long"),
  optional(
    507,
    "partitions",
    listOf(508, {
      type: "record",
      name: "r508",
      fields: [
        required(509, "contains_null", "boolean"),
        optional(518, "contains_nan", "boolean"),
        optional(510, "lower_bound", "bytes"),
        optional(511, "upper_bound", "bytes")
      ]
    })
  ),
  optional(519, "key_metadata", "bytes")
]

const manifestListSchema = (fields: ReadonlyArray<unknown>) =>
  avroSchema({ type: "record", name: "manifest_file", fields: [...MANIFEST_FILE_FIELDS, ...fields] } as never)

/** Of version 2. */
export const MANIFEST_LIST_SCHEMA: AvroSchema = manifestListSchema([])
/** Of version 3. */
export const ROW_ID_MANIFEST_LIST_SCHEMA: AvroSchema = manifestListSchema([optional(520, "first_row_id", "long")])
