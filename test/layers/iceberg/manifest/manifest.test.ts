import { describe, expect, test } from "bun:test"
import { Result } from "effect"
import { avroSchema, readAvro, writeAvro } from "../../../../layers/iceberg/avro/container.ts"
import { manifestSchema } from "../../../../layers/iceberg/manifest/avroSchemas.ts"
import type { DataFile, ManifestEntry } from "../../../../layers/iceberg/manifest/DataFile.ts"
import type { ManifestFile } from "../../../../layers/iceberg/manifest/ManifestFile.ts"
import { readManifestList, writeManifestList } from "../../../../layers/iceberg/manifest/manifestList.ts"
import { readManifest } from "../../../../layers/iceberg/manifest/readManifest.ts"
import { writeManifest } from "../../../../layers/iceberg/manifest/writeManifest.ts"
import type { PartitionSpec, TableSchema } from "../../../../layers/iceberg/metadata/TableMetadata.ts"
import { newLakeTable, PA_EVENTS } from "../../../../layers/lake/schema.ts"

const SCHEMA: TableSchema = newLakeTable(PA_EVENTS).schema
const SPEC = PA_EVENTS.partitionSpec

const file = (fields: Partial<DataFile> = {}): DataFile => ({
  content: 0,
  location: "s3://lake/data/a.parquet",
  format: "PARQUET",
  partition: [20_781, "site-1"],
  recordCount: 10,
  fileSize: 1_000,
  columnSizes: null,
  valueCounts: new Map([[5, 10]]),
  nullCounts: new Map([[5, 0]]),
  nanCounts: null,
  lowerBounds: new Map([[5, Buffer.from("0100000000000000", "hex")]]),
  upperBounds: new Map([[5, Buffer.from("0200000000000000", "hex")]]),
  keyMetadata: null,
  splitOffsets: [4],
  equalityIds: null,
  sortOrderId: 1,
  ...fields
})

const added = (fields: Partial<DataFile> = {}): ManifestEntry => ({
  status: "added",
  snapshotId: 9_007_199_254_740_993n,
  sequenceNumber: null,
  fileSequenceNumber: null,
  file: file(fields)
})

const listed = (written: ReturnType<typeof writeManifest>, fields: Partial<ManifestFile> = {}): ManifestFile => ({
  ...written.list,
  location: "s3://lake/metadata/m0.avro",
  sequenceNumber: 7,
  addedSnapshotId: 9_007_199_254_740_993n,
  ...fields
})

const entriesOf = (bytes: Uint8Array, manifest: ManifestFile, specs: ReadonlyArray<PartitionSpec> = [SPEC]) =>
  Result.getOrThrow(readManifest(bytes, manifest, specs))

describe("a manifest", () => {
  test("a manifest is read back as it was written, and its added entries inherit the sequence number of their commit", () => {
    const existing: ManifestEntry = {
      ...added({ location: "s3://lake/data/b.parquet" }),
      status: "existing",
      snapshotId: 5n,
      sequenceNumber: 3,
      fileSequenceNumber: 2
    }
    const written = writeManifest(SCHEMA, SPEC, [added(), existing])
    expect(entriesOf(written.bytes, listed(written))).toEqual({
      entries: [{ ...added(), sequenceNumber: 7, fileSequenceNumber: 7 }, existing],
      isComplete: true
    })
  })

  test("a written manifest comes with its row counts and partition bounds for the manifest list", () => {
    const written = writeManifest(SCHEMA, SPEC, [
      added({ partition: [20_782, "b"] }),
      added({ partition: [-1, "\u{1f600}"] }),
      { ...added({ partition: [20_781, "\uff5e"], recordCount: 5 }), status: "existing", sequenceNumber: 4 },
      { ...added({ partition: [20_781, "a"], recordCount: 1 }), status: "deleted", sequenceNumber: 4 }
    ])
    const int = (value: number) => {
      const bytes = Buffer.alloc(4)
      bytes.writeInt32LE(value)
      return bytes
    }
    expect(written.list).toMatchObject({
      addedFiles: 2,
      existingFiles: 1,
      deletedFiles: 1,
      addedRows: 20,
      existingRows: 5,
      deletedRows: 1,
      minSequenceNumber: 4,
      partitions: [
        { containsNull: false, containsNan: false, lower: int(-1), upper: int(20_782) },
        // By code points, the emoji comes last; by UTF-16 units it would not.
        { containsNull: false, containsNan: false, lower: Buffer.from("a"), upper: Buffer.from("\u{1f600}") }
      ]
    })
  })

  test("a manifest has the header and the field ids of the Iceberg spec", () => {
    const written = writeManifest(SCHEMA, SPEC, [added()])
    const { header } = readAvro(written.bytes)
    expect(Object.fromEntries([...header].filter(([key]) => !key.startsWith("avro.")))).toEqual({
      schema: JSON.stringify(SCHEMA),
      "schema-id": "0",
      "partition-spec": JSON.stringify(SPEC.fields),
      "partition-spec-id": "0",
      "format-version": "2",
      content: "data"
    })
    const ids = [...(header.get("avro.schema") ?? "").matchAll(/"(?:field|element)-id":(\d+)/g)].map(([, id]) =>
      Number(id)
    )
    expect(ids.sort((a, b) => a - b)).toEqual([
      0, 1, 2, 3, 4, 100, 101, 102, 103, 104, 108, 109, 110, 117, 118, 119, 120, 121, 122, 125, 126, 127, 128, 129, 130,
      131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 1000, 1001
    ])
  })

  test("a manifest without field ids and with other partition names is read by name and position", () => {
    const schema = manifestSchema(SCHEMA, SPEC)!
    const bare = JSON.parse(
      schema.json
        .replaceAll(/,"(?:field|element)-id":\d+/g, "")
        .replace('"name":"event_time_day"', '"name":"event_time"')
    ) as object
    const entry = {
      status: 1,
      snapshot_id: null,
      sequence_number: null,
      file_sequence_number: null,
      data_file: {
        content: 0,
        file_path: "s3://lake/c.parquet",
        file_format: "parquet",
        partition: { event_time: 20_781, site_id: "s" },
        record_count: 3,
        file_size_in_bytes: 30,
        column_sizes: null,
        value_counts: null,
        null_value_counts: null,
        nan_value_counts: null,
        lower_bounds: null,
        upper_bounds: null,
        key_metadata: null,
        split_offsets: null,
        equality_ids: null,
        sort_order_id: null
      }
    }
    const bytes = writeAvro(avroSchema(bare), {}, [entry])
    const [read] = entriesOf(bytes, listed(writeManifest(SCHEMA, SPEC, []), { addedSnapshotId: 11n })).entries
    expect(read).toMatchObject({
      status: "added",
      snapshotId: 11n,
      sequenceNumber: 7,
      file: { location: "s3://lake/c.parquet", format: "PARQUET", partition: [20_781, "s"], recordCount: 3 }
    })
  })

  test("a manifest with an unknown field is reported as incomplete", () => {
    const schema = manifestSchema(SCHEMA, SPEC)!
    const more = JSON.parse(
      schema.json.replace(
        '{"name":"sort_order_id"',
        '{"name":"first_row_id","type":["null","long"],"default":null,"field-id":142},{"name":"sort_order_id"'
      )
    ) as object
    const written = writeManifest(SCHEMA, SPEC, [added()])
    const records = readAvro(written.bytes).records.map((record) => {
      const entry = record as { data_file: object }
      return { ...entry, data_file: { ...entry.data_file, first_row_id: 4 } }
    })
    expect(entriesOf(writeAvro(avroSchema(more), {}, records), listed(written)).isComplete).toBe(false)
  })

  test("a damaged manifest fails with its location in the message", () => {
    const written = writeManifest(SCHEMA, SPEC, [added()])
    const read = readManifest(written.bytes.subarray(0, 2_000), listed(written), [SPEC])
    expect(Result.getOrThrow(Result.flip(read))).toMatchObject({
      reason: "Invalid",
      message: expect.stringContaining("Cannot read manifest s3://lake/metadata/m0.avro:")
    })
  })
})

describe("a manifest list", () => {
  test("a manifest list is read back as it was written, with exact 63-bit ids", () => {
    const manifests = [
      listed(writeManifest(SCHEMA, SPEC, [added()])),
      listed(writeManifest(SCHEMA, SPEC, []), {
        content: 1,
        addedSnapshotId: 1_076_502_731_341_224_864n,
        partitions: null,
        minSequenceNumber: 2
      })
    ]
    const bytes = writeManifestList(
      { "snapshot-id": 1_076_502_731_341_224_865n, "parent-snapshot-id": 4n, "sequence-number": 7 },
      manifests
    )
    expect(Result.getOrThrow(readManifestList(bytes, "s3://lake/list.avro"))).toEqual(manifests)
    const { header } = readAvro(bytes)
    expect(header.get("snapshot-id")).toBe("1076502731341224865")
    expect(header.get("parent-snapshot-id")).toBe("4")
    expect(header.get("sequence-number")).toBe("7")
  })
})
