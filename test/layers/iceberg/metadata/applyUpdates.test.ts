import { describe, expect, test } from "bun:test"
import { parseJson, stringifyJson } from "../../../../layers/iceberg/json.ts"
import { applyUpdates } from "../../../../layers/iceberg/metadata/applyUpdates.ts"
import { newTableMetadata } from "../../../../layers/iceberg/metadata/newTableMetadata.ts"
import { failedRequirement } from "../../../../layers/iceberg/metadata/requirements.ts"
import type { Snapshot, TableMetadata } from "../../../../layers/iceberg/metadata/TableMetadata.ts"
import type { TableUpdate } from "../../../../layers/iceberg/metadata/TableUpdate.ts"
import { newLakeTable, PA_SESSIONS } from "../../../../layers/lake/schema.ts"

const EMPTY = newTableMetadata(newLakeTable(PA_SESSIONS), { location: "s3://lake/t", uuid: "u-1", now: 1_000 })

const snapshot = (id: bigint, sequence: number, at: number, parent?: bigint): Snapshot => ({
  "snapshot-id": id,
  ...(parent === undefined ? {} : { "parent-snapshot-id": parent }),
  "sequence-number": sequence,
  "timestamp-ms": at,
  "manifest-list": `s3://lake/t/metadata/${id}.avro`,
  summary: { operation: "append" },
  "schema-id": 0
})

const append = (id: bigint, sequence: number, at: number, parent?: bigint): ReadonlyArray<TableUpdate> => [
  { action: "add-snapshot", snapshot: snapshot(id, sequence, at, parent) },
  { action: "set-snapshot-ref", "ref-name": "main", type: "branch", "snapshot-id": id }
]

const apply = (base: TableMetadata, updates: ReadonlyArray<TableUpdate>, now = 2_000, metadataLocation = "v1.json") =>
  applyUpdates(base, updates, { now, metadataLocation })

describe("metadata after updates", () => {
  test("an added snapshot is on the main branch and in the log, and its sequence number is the last one", () => {
    const metadata = apply(EMPTY, append(9_007_199_254_740_993n, 1, 1_500))
    expect(metadata).toMatchObject({
      "current-snapshot-id": 9_007_199_254_740_993n,
      "last-sequence-number": 1,
      "last-updated-ms": 2_000,
      refs: { main: { type: "branch", "snapshot-id": 9_007_199_254_740_993n } },
      "snapshot-log": [{ "timestamp-ms": 1_500, "snapshot-id": 9_007_199_254_740_993n }],
      "metadata-log": [{ "timestamp-ms": 1_000, "metadata-file": "v1.json" }]
    })
  })

  test("metadata never gets an older timestamp, whatever the clock says", () => {
    const later = apply(EMPTY, append(1n, 1, 5_000), 5_000)
    expect(apply(later, append(2n, 2, 5_000, 1n), 100)["last-updated-ms"]).toBe(5_000)
  })

  test("the metadata log keeps as many files as the property allows", () => {
    let metadata: TableMetadata = { ...EMPTY, properties: { "write.metadata.previous-versions-max": "3" } }
    for (let version = 1; version <= 9; version++) metadata = apply(metadata, [], 2_000, `v${version}.json`)
    expect(metadata["metadata-log"]?.map((entry) => entry["metadata-file"])).toEqual(["v7.json", "v8.json", "v9.json"])
  })

  test("removing snapshots also removes their references, their statistics and the history up to them", () => {
    let metadata = EMPTY
    for (const [id, at] of [1, 2, 3, 4].map((id) => [BigInt(id), id * 1_000] as const)) {
      metadata = apply(metadata, append(id, Number(id), at, id - 1n), at)
    }
    metadata = apply(
      {
        ...metadata,
        statistics: [{ "snapshot-id": 2n }, { "snapshot-id": 4n }],
        refs: { ...metadata.refs, old: { type: "tag", "snapshot-id": 2n } }
      },
      [{ action: "remove-snapshots", "snapshot-ids": [1n, 2n] }]
    )
    expect(metadata.snapshots?.map((entry) => entry["snapshot-id"])).toEqual([3n, 4n])
    expect(metadata["snapshot-log"]?.map((entry) => entry["snapshot-id"])).toEqual([3n, 4n])
    expect(Object.keys(metadata.refs ?? {})).toEqual(["main"])
    expect(metadata.statistics).toEqual([{ "snapshot-id": 4n }])
  })

  test("a new schema gets the next id, and an equal one is not added again", () => {
    const schema = {
      ...EMPTY.schemas[0]!,
      fields: [...EMPTY.schemas[0]!.fields, { id: 19, name: "plan", required: false, type: "string" }]
    }
    const updates: ReadonlyArray<TableUpdate> = [
      { action: "add-schema", schema, "last-column-id": 19 },
      { action: "set-current-schema", "schema-id": -1 }
    ]
    const once = apply(EMPTY, updates)
    expect(once).toMatchObject({ "current-schema-id": 1, "last-column-id": 19 })
    expect(apply(once, updates).schemas.length).toBe(2)
    expect(apply(once, [{ action: "set-current-schema", "schema-id": 0 }])["current-schema-id"]).toBe(0)
  })

  test("properties are set and removed, and unknown keys are kept", () => {
    const foreign = { ...EMPTY, "next-row-id": 7, properties: { a: "1", b: "2" } } as TableMetadata
    const metadata = apply(foreign, [
      { action: "set-properties", updates: { b: "3", c: "4" } },
      { action: "remove-properties", removals: ["a"] }
    ])
    expect(metadata.properties).toEqual({ b: "3", c: "4" })
    expect(metadata).toMatchObject({ "next-row-id": 7 })
  })
})

test("63-bit ids in JSON stay exact, and small ones are bigints too", () => {
  const json = `{"current-snapshot-id":1076502731341224864,"snapshots":[{"snapshot-id":5,"parent-snapshot-id":4}],"last-updated-ms":1763980000000,"x":9007199254740993,"summary":{"total-records":"12"}}`
  const parsed = parseJson(json)
  expect(parsed).toMatchObject({
    "current-snapshot-id": 1_076_502_731_341_224_864n,
    snapshots: [{ "snapshot-id": 5n, "parent-snapshot-id": 4n }],
    "last-updated-ms": 1_763_980_000_000,
    x: 9_007_199_254_740_993n
  })
  expect(stringifyJson(parsed)).toBe(json)
})

test.each([
  ["assert-table-uuid", { type: "assert-table-uuid", uuid: "u-2" }],
  ["assert-ref-snapshot-id", { type: "assert-ref-snapshot-id", ref: "main", "snapshot-id": null }],
  ["assert-ref-snapshot-id", { type: "assert-ref-snapshot-id", ref: "other", "snapshot-id": 1n }],
  ["assert-last-assigned-field-id", { type: "assert-last-assigned-field-id", "last-assigned-field-id": 17 }],
  ["assert-current-schema-id", { type: "assert-current-schema-id", "current-schema-id": 1 }]
] as const)("the requirement %s is reported if it does not hold", (name, requirement) => {
  const metadata = apply(EMPTY, append(1n, 1, 1_500))
  expect(failedRequirement(metadata, [requirement])).toBe(name)
  expect(
    failedRequirement(metadata, [
      { type: "assert-table-uuid", uuid: "U-1" },
      { type: "assert-ref-snapshot-id", ref: "main", "snapshot-id": 1n },
      { type: "assert-ref-snapshot-id", ref: "other", "snapshot-id": null },
      { type: "assert-last-assigned-field-id", "last-assigned-field-id": 18 },
      { type: "assert-current-schema-id", "current-schema-id": 0 }
    ])
  ).toBeNull()
})
