import { avroBytes, readAvro, writeAvro } from "../avro/container.ts"
import { type IcebergError, icebergError } from "../IcebergError.ts"
import type { PartitionSpec, TableSchema } from "../metadata/TableMetadata.ts"
import { manifestSchema } from "./avroSchemas.ts"
import type { DataFile, ManifestEntry, PartitionValue } from "./DataFile.ts"
import { type FieldNames, fieldNames } from "./fieldIds.ts"
import type { ManifestFile, PartitionSummary } from "./ManifestFile.ts"
import { compareValues, encodeValue, transformType } from "./singleValue.ts"

const STATUS = ["existing", "added", "deleted"] as const

/** The spec for a table without partitions says nothing of bounds; nor do we for a type we can't write. */
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
    const bound = (value: typeof lower) =>
      type === undefined || value === undefined ? null : (encodeValue(type, value) ?? null)
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

/** A manifest that is written but not listed yet: all but its place and what the commit decides. */
export interface WrittenManifest {
  readonly bytes: Uint8Array
  readonly list: Omit<ManifestFile, "location" | "sequenceNumber" | "addedSnapshotId">
}

/** A manifest of data files of one partition spec. Entries of status `added` inherit the sequence number of their commit. */
export const writeManifest = (
  schema: TableSchema,
  spec: PartitionSpec,
  entries: ReadonlyArray<ManifestEntry>
): WrittenManifest => {
  const avroSchema = manifestSchema(schema, spec)
  if (avroSchema === undefined)
    throw new Error(`Partition spec ${spec["spec-id"]} has a transform that is not written here.`)
  const bytes = writeAvro(
    avroSchema,
    {
      schema: JSON.stringify(schema),
      "schema-id": String(schema["schema-id"]),
      "partition-spec": JSON.stringify(spec.fields),
      "partition-spec-id": String(spec["spec-id"]),
      "format-version": "2",
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
      // Entries that inherit get the number of the commit, which is greater than any other.
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

type Fields = Readonly<Record<string, unknown>>

const toMap = <A>(value: unknown): ReadonlyMap<number, A> | null =>
  Array.isArray(value) ? new Map(value.map((pair: { key: number; value: A }) => [pair.key, pair.value])) : null

/** The partition's values by the spec's field ids, else by name, else by place: some writers give neither id nor name. */
const partitionReader = (spec: PartitionSpec, names: FieldNames) => {
  const columns = spec.fields.map((field, index) => {
    const byId = names.ids.has(field["field-id"]) ? names.name(field["field-id"], field.name) : undefined
    return byId ?? (names.all.includes(field.name) ? field.name : names.all[index])
  })
  return (partition: Fields): ReadonlyArray<PartitionValue> =>
    columns.map((name) => (name === undefined ? null : ((partition[name] ?? null) as PartitionValue)))
}

const DATA_FILE = { id: 2, usual: "data_file" } as const
const PARTITION = { id: 102, usual: "partition" } as const

/** Of format version 2. What our own schema has no place for would be lost if the entries were written again. */
const KNOWN_DATA_FILE_IDS = new Set([
  134, 100, 101, 102, 103, 104, 108, 109, 110, 137, 125, 128, 131, 132, 135, 140,
  // Deprecated ones that carry nothing: block size, ordinal, sort columns, distinct counts.
  105, 106, 107, 111
])

export interface ReadManifest {
  readonly entries: ReadonlyArray<ManifestEntry>
  /** Whether the entries hold all that the file told, so that they may stand in another manifest. */
  readonly whole: boolean
}

/** Reads a manifest, its inherited values filled in from its place in the list. Fails with `Invalid` when it is damaged. */
export const readManifest = (
  bytes: Uint8Array,
  manifest: ManifestFile,
  specs: ReadonlyArray<PartitionSpec>
): ReadManifest | IcebergError => {
  const spec = specs.find((one) => one["spec-id"] === manifest.specId)
  if (spec === undefined) {
    return icebergError(
      "Invalid",
      `Manifest ${manifest.location} names partition spec ${manifest.specId}, which is not there.`
    )
  }
  try {
    const { header, records } = readAvro(bytes)
    const schema: unknown = JSON.parse(header.get("avro.schema") ?? "null")
    const top = fieldNames(schema)
    const inFile = fieldNames(schema, [DATA_FILE])
    const partition = partitionReader(spec, fieldNames(schema, [DATA_FILE, PARTITION]))
    const file = (fields: Fields): DataFile => {
      const get = <A>(id: number, usual: string) => (fields[inFile.name(id, usual)] ?? null) as A
      return {
        content: get<number | null>(134, "content") ?? 0,
        location: get(100, "file_path"),
        format: get<string>(101, "file_format").toUpperCase(),
        partition: partition(get<Fields>(102, "partition")),
        recordCount: Number(get(103, "record_count")),
        fileSize: Number(get(104, "file_size_in_bytes")),
        columnSizes: toMap(get(108, "column_sizes")),
        valueCounts: toMap(get(109, "value_counts")),
        nullCounts: toMap(get(110, "null_value_counts")),
        nanCounts: toMap(get(137, "nan_value_counts")),
        lowerBounds: toMap(get(125, "lower_bounds")),
        upperBounds: toMap(get(128, "upper_bounds")),
        keyMetadata: get(131, "key_metadata"),
        splitOffsets: get(132, "split_offsets"),
        equalityIds: get(135, "equality_ids"),
        sortOrderId: get(140, "sort_order_id")
      }
    }
    const entries = records.map((record): ManifestEntry => {
      const fields = record as Fields
      const get = <A>(id: number, usual: string) => (fields[top.name(id, usual)] ?? null) as A
      const status = STATUS[get<number>(0, "status")] ?? "added"
      const snapshotId = get<number | bigint | null>(1, "snapshot_id")
      const sequenceNumber = get<number | null>(3, "sequence_number")
      const inherited = status === "added" ? manifest.sequenceNumber : null
      return {
        status,
        snapshotId: snapshotId === null ? manifest.addedSnapshotId : BigInt(snapshotId),
        sequenceNumber: sequenceNumber ?? inherited,
        fileSequenceNumber: get<number | null>(4, "file_sequence_number") ?? inherited,
        file: file(get<Fields>(2, "data_file"))
      }
    })
    return { entries, whole: [...inFile.ids].every((id) => KNOWN_DATA_FILE_IDS.has(id)) }
  } catch (error) {
    return icebergError("Invalid", `Manifest ${manifest.location} can't be read: ${(error as Error).message}.`)
  }
}
