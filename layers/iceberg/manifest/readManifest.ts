import { Result } from "effect"
import { readAvro } from "../avro/container.ts"
import { IcebergError } from "../IcebergError.ts"
import type { PartitionSpec } from "../metadata/TableMetadata.ts"
import type { DataFile, ManifestEntry, PartitionValue } from "./DataFile.ts"
import { type FieldNames, fieldNames } from "./fieldIds.ts"
import type { ManifestFile } from "./ManifestFile.ts"
import { STATUS } from "./writeManifest.ts"

type Fields = Readonly<Record<string, unknown>>

const toMap = <A>(value: unknown): ReadonlyMap<number, A> | null =>
  Array.isArray(value) ? new Map(value.map((pair: { key: number; value: A }) => [pair.key, pair.value])) : null

/** Reads partition values by field id, otherwise by name, otherwise by position: some writers provide neither id nor name. */
const partitionReader = (spec: PartitionSpec, names: FieldNames) => {
  const columns = spec.fields.map((field, index) => {
    const byId = names.ids.has(field["field-id"]) ? names.name(field["field-id"], field.name) : undefined
    return byId ?? (names.all.includes(field.name) ? field.name : names.all[index])
  })
  return (partition: Fields): ReadonlyArray<PartitionValue> =>
    columns.map((name) => (name === undefined ? null : ((partition[name] ?? null) as PartitionValue)))
}

const dataFileReader =
  (names: FieldNames, readPartition: (partition: Fields) => ReadonlyArray<PartitionValue>) =>
  (fields: Fields): DataFile => {
    const get = <A>(id: number, standardName: string) => (fields[names.name(id, standardName)] ?? null) as A
    return {
      content: get<number | null>(134, "content") ?? 0,
      location: get(100, "file_path"),
      format: get<string>(101, "file_format").toUpperCase(),
      partition: readPartition(get<Fields>(102, "partition")),
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

/** Reads entries. Null values are inherited from the manifest's own entry in the manifest list. */
const entryReader =
  (names: FieldNames, manifest: ManifestFile, readFile: (fields: Fields) => DataFile) =>
  (record: unknown): ManifestEntry => {
    const fields = record as Fields
    const get = <A>(id: number, standardName: string) => (fields[names.name(id, standardName)] ?? null) as A
    const status = STATUS[get<number>(0, "status")] ?? "added"
    const snapshotId = get<number | bigint | null>(1, "snapshot_id")
    const inherited = status === "added" ? manifest.sequenceNumber : null
    return {
      status,
      snapshotId: snapshotId === null ? manifest.addedSnapshotId : BigInt(snapshotId),
      sequenceNumber: get<number | null>(3, "sequence_number") ?? inherited,
      fileSequenceNumber: get<number | null>(4, "file_sequence_number") ?? inherited,
      file: readFile(get<Fields>(2, "data_file"))
    }
  }

const DATA_FILE = { id: 2, standardName: "data_file" } as const
const PARTITION = { id: 102, standardName: "partition" } as const

/** The fields of `DataFile`. A value in any other field would be lost if the entries were written again. */
const KNOWN_DATA_FILE_IDS = new Set([
  134, 100, 101, 102, 103, 104, 108, 109, 110, 137, 125, 128, 131, 132, 135, 140,
  // Deprecated fields, which may be dropped: block size, ordinal, sort columns, distinct counts.
  105, 106, 107, 111
])

export interface ReadManifest {
  readonly entries: ReadonlyArray<ManifestEntry>
  /** Whether the entries contain everything that the file does, so that they may be written into another manifest. */
  readonly isComplete: boolean
}

/** Reads a manifest. Fails with `Invalid` if it is damaged. */
export const readManifest = (
  bytes: Uint8Array,
  manifest: ManifestFile,
  specs: ReadonlyArray<PartitionSpec>
): Result.Result<ReadManifest, IcebergError> => {
  const spec = specs.find((candidate) => candidate["spec-id"] === manifest.specId)
  if (spec === undefined) {
    return Result.fail(
      IcebergError.invalid(
        `Manifest ${manifest.location} refers to partition spec ${manifest.specId}, which does not exist.`
      )
    )
  }
  return Result.try({
    try: () => {
      const { header, records } = readAvro(bytes)
      const schema: unknown = JSON.parse(header.get("avro.schema") ?? "null")
      const fileNames = fieldNames(schema, [DATA_FILE])
      const readPartition = partitionReader(spec, fieldNames(schema, [DATA_FILE, PARTITION]))
      const readEntry = entryReader(fieldNames(schema), manifest, dataFileReader(fileNames, readPartition))
      return {
        entries: records.map(readEntry),
        isComplete: [...fileNames.ids].every((id) => KNOWN_DATA_FILE_IDS.has(id))
      }
    },
    catch: (cause) => IcebergError.invalid(`Cannot read manifest ${manifest.location}: ${(cause as Error).message}.`)
  })
}
