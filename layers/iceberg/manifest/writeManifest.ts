import { avroBytes, writeAvro } from "../avro/container.ts"
import type { PartitionSpec, TableSchema } from "../metadata/TableMetadata.ts"
import { manifestSchema } from "./avroSchemas.ts"
import type { ManifestEntry, PartitionValue } from "./DataFile.ts"
import type { ManifestFile, PartitionSummary } from "./ManifestFile.ts"
import { compareValues, encodeValue, transformType } from "./singleValue.ts"

export const STATUS = ["existing", "added", "deleted"] as const

/** The ranges of the partition values; without bounds for types that are not supported. */
const summaryOf = (
  schema: TableSchema,
  spec: PartitionSpec,
  entries: ReadonlyArray<ManifestEntry>
): ReadonlyArray<PartitionSummary> =>
  spec.fields.map((field, index) => {
    const type = transformType(schema, field)
    let lower: Exclude<PartitionValue, null> | undefined
    let upper: Exclude<PartitionValue, null> | undefined
    let containsNull = false
    let containsNan = false
    for (const { file } of entries) {
      const value = file.partition[index] ?? null
      if (value === null) containsNull = true
      else if (Number.isNaN(value)) containsNan = true
      else {
        if (lower === undefined || compareValues(value, lower) < 0) lower = value
        if (upper === undefined || compareValues(value, upper) > 0) upper = value
      }
    }
    const bound = (value: typeof lower) => (type === null || value === undefined ? null : encodeValue(type, value))
    return { containsNull, containsNan, lower: bound(lower), upper: bound(upper) }
  })

const pairs = (map: ReadonlyMap<number, unknown> | null) =>
  map === null ? null : Array.from(map, ([key, value]) => ({ key, value }))

const bufferPairs = (map: ReadonlyMap<number, Uint8Array> | null) =>
  map === null ? null : Array.from(map, ([key, value]) => ({ key, value: avroBytes(value) }))

const encodeEntry = (spec: PartitionSpec, { file, ...entry }: ManifestEntry) => ({
  status: STATUS.indexOf(entry.status),
  snapshot_id: entry.snapshotId,
  sequence_number: entry.sequenceNumber,
  file_sequence_number: entry.fileSequenceNumber,
  data_file: {
    content: file.content,
    file_path: file.location,
    file_format: file.format,
    partition: Object.fromEntries(spec.fields.map(({ name }, index) => [name, file.partition[index] ?? null])),
    record_count: file.recordCount,
    file_size_in_bytes: file.fileSize,
    column_sizes: pairs(file.columnSizes),
    value_counts: pairs(file.valueCounts),
    null_value_counts: pairs(file.nullCounts),
    nan_value_counts: pairs(file.nanCounts),
    lower_bounds: bufferPairs(file.lowerBounds),
    upper_bounds: bufferPairs(file.upperBounds),
    key_metadata: file.keyMetadata === null ? null : avroBytes(file.keyMetadata),
    split_offsets: file.splitOffsets,
    equality_ids: file.equalityIds,
    sort_order_id: file.sortOrderId
  }
})

/** A manifest before it is stored, without its location and the values that the commit assigns. */
export interface WrittenManifest {
  readonly bytes: Uint8Array
  readonly list: Omit<ManifestFile, "location" | "sequenceNumber" | "addedSnapshotId">
}

/** Encodes a manifest of data files of one partition spec. Added entries inherit the sequence number of their commit. */
export const writeManifest = (
  schema: TableSchema,
  spec: PartitionSpec,
  entries: ReadonlyArray<ManifestEntry>,
  formatVersion = 2
): WrittenManifest => {
  const avroSchema = manifestSchema(schema, spec)
  if (avroSchema === null) throw new Error(`Partition spec ${spec["spec-id"]} has an unsupported transform.`)
  const bytes = writeAvro(
    avroSchema,
    {
      schema: JSON.stringify(schema),
      "schema-id": String(schema["schema-id"]),
      "partition-spec": JSON.stringify(spec.fields),
      "partition-spec-id": String(spec["spec-id"]),
      "format-version": String(formatVersion),
      content: "data"
    },
    entries.map((entry) => encodeEntry(spec, entry))
  )
  const rows = (status: ManifestEntry["status"]) =>
    entries.reduce((sum, entry) => (entry.status === status ? sum + entry.file.recordCount : sum), 0)
  const files = (status: ManifestEntry["status"]) => entries.filter((entry) => entry.status === status).length
  return {
    bytes,
    list: {
      length: bytes.length,
      specId: spec["spec-id"],
      content: 0,
      // Entries without one inherit the number of the commit, which is greater than any other.
      minSequenceNumber: Math.min(...entries.map(({ sequenceNumber }) => sequenceNumber ?? Number.MAX_SAFE_INTEGER)),
      addedFiles: files("added"),
      existingFiles: files("existing"),
      deletedFiles: files("deleted"),
      addedRows: rows("added"),
      existingRows: rows("existing"),
      deletedRows: rows("deleted"),
      partitions: summaryOf(schema, spec, entries),
      keyMetadata: null
    }
  }
}
