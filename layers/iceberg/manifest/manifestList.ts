import { Result } from "effect"
import { avroBytes, readAvro, writeAvro } from "../avro/container.ts"
import { IcebergError } from "../IcebergError.ts"
import type { Snapshot } from "../metadata/TableMetadata.ts"
import { MANIFEST_LIST_SCHEMA, ROW_ID_MANIFEST_LIST_SCHEMA } from "./avroSchemas.ts"
import { fieldNames } from "./fieldIds.ts"
import type { ManifestFile, PartitionSummary } from "./ManifestFile.ts"

type Ids = Pick<Snapshot, "snapshot-id" | "parent-snapshot-id" | "sequence-number">

const bytesOrNull = (bytes: Uint8Array | null): Buffer | null => (bytes === null ? null : avroBytes(bytes))

/** The manifest list of a snapshot. */
export const writeManifestList = (
  snapshot: Ids,
  manifests: ReadonlyArray<ManifestFile>,
  formatVersion = 2
): Uint8Array =>
  writeAvro(
    formatVersion >= 3 ? ROW_ID_MANIFEST_LIST_SCHEMA : MANIFEST_LIST_SCHEMA,
    {
      "snapshot-id": String(snapshot["snapshot-id"]),
      "parent-snapshot-id": String(snapshot["parent-snapshot-id"] ?? "null"),
      "sequence-number": String(snapshot["sequence-number"]),
      "format-version": String(formatVersion)
    },
    manifests.map((manifest) => ({
      manifest_path: manifest.location,
      manifest_length: manifest.length,
      partition_spec_id: manifest.specId,
      content: manifest.content,
      sequence_number: manifest.sequenceNumber,
      min_sequence_number: manifest.minSequenceNumber,
      added_snapshot_id: manifest.addedSnapshotId,
      added_files_count: manifest.addedFiles,
      existing_files_count: manifest.existingFiles,
      deleted_files_count: manifest.deletedFiles,
      added_rows_count: manifest.addedRows,
      existing_rows_count: manifest.existingRows,
      deleted_rows_count: manifest.deletedRows,
      partitions:
        manifest.partitions?.map(({ containsNan, containsNull, lower, upper }) => ({
          contains_null: containsNull,
          contains_nan: containsNan,
          lower_bound: bytesOrNull(lower),
          upper_bound: bytesOrNull(upper)
        })) ?? null,
      key_metadata: bytesOrNull(manifest.keyMetadata),
      ...(formatVersion >= 3 ? { first_row_id: manifest.firstRowId ?? null } : {})
    }))
  )

type Fields = Readonly<Record<string, unknown>>

const rowIdOf = (firstRowId: number | null) => (firstRowId === null ? {} : { firstRowId })

const summary = (value: unknown): PartitionSummary => {
  const fields = value as Fields
  return {
    containsNull: fields.contains_null === true,
    containsNan: (fields.contains_nan ?? null) as boolean | null,
    lower: (fields.lower_bound ?? null) as Uint8Array | null,
    upper: (fields.upper_bound ?? null) as Uint8Array | null
  }
}

/** Reads a manifest list. Fails with `Invalid` if it is damaged. */
export const readManifestList = (
  bytes: Uint8Array,
  location: string
): Result.Result<ReadonlyArray<ManifestFile>, IcebergError> =>
  Result.try({
    try: () => {
      const { header, records } = readAvro(bytes)
      const names = fieldNames(JSON.parse(header.get("avro.schema") ?? "null"))
      return records.map((record): ManifestFile => {
        const fields = record as Fields
        const get = <A>(id: number, standardName: string) => (fields[names.name(id, standardName)] ?? null) as A
        const count = (id: number, standardName: string) => Number(get<number | null>(id, standardName) ?? 0)
        return {
          location: get(500, "manifest_path"),
          length: count(501, "manifest_length"),
          specId: get(502, "partition_spec_id"),
          content: count(517, "content"),
          sequenceNumber: count(515, "sequence_number"),
          minSequenceNumber: count(516, "min_sequence_number"),
          addedSnapshotId: BigInt(get<number | bigint>(503, "added_snapshot_id")),
          addedFiles: count(504, "added_files_count"),
          existingFiles: count(505, "existing_files_count"),
          deletedFiles: count(506, "deleted_files_count"),
          addedRows: count(512, "added_rows_count"),
          existingRows: count(513, "existing_rows_count"),
          deletedRows: count(514, "deleted_rows_count"),
          partitions: get<ReadonlyArray<unknown> | null>(507, "partitions")?.map(summary) ?? null,
          keyMetadata: get(519, "key_metadata"),
          ...rowIdOf(get<number | null>(520, "first_row_id"))
        }
      })
    },
    catch: (cause) => IcebergError.invalid(`Cannot read manifest list ${location}: ${(cause as Error).message}.`)
  })
