import { expect, test } from "bun:test"
import { tableFromIPC } from "apache-arrow"
import { Effect } from "effect"
import { readSchema } from "parquet-wasm/esm/parquet_wasm.js"
import type { TableMetadata, TableSchema } from "../../../layers/iceberg/metadata/TableMetadata.ts"
import { currentSchema } from "../../../layers/iceberg/metadata/TableMetadata.ts"
import { columnsOf, ensureTable } from "../../../layers/lake/ensureTable.ts"
import { encodeParquet } from "../../../layers/lake/parquet/encode.ts"
import { Rows } from "../../../layers/lake/parquet/rows.ts"
import { type LakeTable, newLakeTable, PA_EVENTS, PA_SESSIONS } from "../../../layers/lake/schema.ts"
import { prepareRewind } from "../../../layers/lake/writer/snapshotChanges.ts"
import { NAMESPACE } from "../../support/lake/lakeTables.ts"
import { MemoryCatalog } from "../../support/lake/MemoryCatalog.ts"

const NAME = { namespace: NAMESPACE, name: "pa_sessions" }
const run = <A>(effect: Effect.Effect<A, unknown>): Promise<A> => Effect.runPromise(effect)

/** The table of an earlier release, with fewer columns. */
const older = (table: LakeTable, columns: number): LakeTable => ({ ...table, fields: table.fields.slice(0, columns) })

/** Changes the table like another engine. */
const changed = (catalog: MemoryCatalog, change: (metadata: TableMetadata) => TableMetadata) =>
  Effect.map(catalog.load(NAME), (table) => {
    catalog.tables.set("product_analytics.pa_sessions", { ...table, metadata: change(table.metadata) })
  })

const withSchema = (metadata: TableMetadata, change: (schema: TableSchema) => TableSchema): TableMetadata => ({
  ...metadata,
  schemas: metadata.schemas.map(change)
})

test("a missing table is created with its schema, partitions, sort order and properties for other engines", () =>
  run(
    Effect.gen(function* () {
      const { lake, table } = yield* ensureTable(
        new MemoryCatalog(),
        { namespace: NAMESPACE, name: "pa_events" },
        PA_EVENTS
      )
      expect(lake).toEqual(PA_EVENTS)
      expect(table.metadata["partition-specs"]).toEqual([
        {
          "spec-id": 0,
          fields: [
            { name: "event_time_day", transform: "day", "source-id": 5, "field-id": 1000 },
            { name: "site_id", transform: "identity", "source-id": 2, "field-id": 1001 }
          ]
        }
      ])
      expect(table.metadata["sort-orders"]).toEqual([
        {
          "order-id": 1,
          fields: [{ transform: "identity", "source-id": 5, direction: "asc", "null-order": "nulls-first" }]
        }
      ])
      expect(table.metadata.properties).toMatchObject({
        "write.parquet.compression-codec": "zstd",
        "write.metadata.delete-after-commit.enabled": "true",
        "write.metadata.metrics.default": "none",
        "write.metadata.metrics.column.event_time": "truncate(16)"
      })
      expect(table.metadata["last-column-id"]).toBe(37)
    })
  ))

test("processes that start together create a table once", () =>
  run(
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      const opened = yield* Effect.all(
        Array.from({ length: 8 }, () => ensureTable(catalog, NAME, PA_SESSIONS)),
        { concurrency: "unbounded" }
      )
      expect(new Set(opened.map(({ table }) => table.metadata["table-uuid"])).size).toBe(1)
    })
  ))

test("a table of an earlier release gets new columns under new ids, including a map's, once", () =>
  run(
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      const name = { namespace: NAMESPACE, name: "pa_events" }
      yield* ensureTable(catalog, name, older(PA_EVENTS, 33))
      const opened = yield* Effect.all(
        Array.from({ length: 4 }, () => ensureTable(catalog, name, PA_EVENTS)),
        { concurrency: "unbounded" }
      )
      for (const { lake, table } of opened) {
        expect(table.metadata.schemas.length).toBe(2)
        expect(lake.fields.slice(33)).toMatchObject([
          { id: 34, name: "cls" },
          { id: 35, name: "properties", type: { "key-id": 36, "value-id": 37 } }
        ])
      }
    })
  ))

test("a table whose ids another engine chose is written under those ids", () =>
  run(
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      yield* ensureTable(catalog, NAME, PA_SESSIONS)
      yield* changed(catalog, (metadata) => ({
        ...withSchema(metadata, (schema) => ({
          ...schema,
          fields: schema.fields.map((field) => ({ ...field, id: field.id + 100 })).toReversed()
        })),
        "partition-specs": [
          {
            "spec-id": 4,
            fields: [{ name: "day", transform: "day", "source-id": 103, "field-id": 1000 }]
          }
        ],
        "default-spec-id": 4,
        "sort-orders": [{ "order-id": 0, fields: [] }]
      }))
      const { lake, spec } = yield* ensureTable(catalog, NAME, PA_SESSIONS)
      expect(lake.fields.map(({ id }) => id)).toEqual(PA_SESSIONS.fields.map(({ id }) => id + 100))
      expect(spec["spec-id"]).toBe(4)
      expect(lake.sortOrder).toMatchObject({ "order-id": 0, fields: [{ "source-id": 103 }] })
    })
  ))

test("a table whose column was widened by another engine is written as it is", () =>
  run(
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      const name = { namespace: NAMESPACE, name: "pa_events" }
      const { table } = yield* ensureTable(catalog, name, PA_EVENTS)
      catalog.tables.set("product_analytics.pa_events", {
        ...table,
        metadata: withSchema(table.metadata, (schema) => ({
          ...schema,
          fields: schema.fields.map((field) =>
            field.name === "event_type"
              ? { ...field, type: "long" }
              : field.name === "revenue"
                ? { ...field, type: "decimal(30, 4)" }
                : field
          )
        }))
      })
      expect(currentSchema((yield* ensureTable(catalog, name, PA_EVENTS)).table.metadata).fields.length).toBe(35)
    })
  ))

test("a renamed column is written under its id, and a dropped one is neither written nor added again", () =>
  run(
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      yield* ensureTable(catalog, NAME, PA_SESSIONS)
      yield* changed(catalog, (metadata) =>
        withSchema(metadata, (schema) => ({
          ...schema,
          fields: schema.fields
            .filter(({ name }) => name !== "city")
            .map((field) =>
              field.name === "created_at" || field.name === "browser" ? { ...field, name: `my_${field.name}` } : field
            )
        }))
      )
      const { lake, spec, table } = yield* ensureTable(catalog, NAME, PA_SESSIONS)
      expect(currentSchema(table.metadata).fields.map(({ name }) => name)).not.toContain("city")
      expect(catalog.commits).toBe(0)
      expect(lake.fields.find(({ name }) => name === "browser")?.id).toBe(6)
      expect(lake.dropped).toEqual(["city"])
      expect(spec["spec-id"]).toBe(0)

      const rows = new Rows(lake, [20_000])
      rows.push(["session", "site", 20_000 * 86_400_000, 20_000 * 86_400_000, null, "firefox"])
      const { bytes, file } = encodeParquet(rows)
      const fields = tableFromIPC(readSchema(bytes).intoIPCStream()).schema.fields
      const ids = fields.map((field) => Number(field.metadata.get("PARQUET:field_id")))
      expect(ids).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18])
      expect(file.recordCount).toBe(1)
    })
  ))

test("a table of an earlier release learns the ids of its columns with the next commit", () =>
  run(
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      const { lake, table } = yield* ensureTable(catalog, NAME, PA_SESSIONS)
      expect(JSON.parse(table.metadata.properties["footfall-columns"]!)).toMatchObject({ session_id: 1, city: 13 })
      const { "footfall-columns": _, ...properties } = table.metadata.properties
      yield* changed(catalog, (metadata) => ({ ...metadata, properties }))
      const old = yield* ensureTable(catalog, NAME, PA_SESSIONS)
      expect(old.lake).toEqual(lake)
      const change = yield* prepareRewind(old, { spoolId: "a", watermark: 0, upTo: 7 })
      expect(change.updates).toMatchObject([
        { action: "set-properties", updates: { "footfall-columns": expect.stringContaining('"city":13') } }
      ])
      // Without it, a dropped column looks like one that a new release adds.
      expect(columnsOf(old)).toBe(table.metadata.properties["footfall-columns"]!)
    })
  ))

test.each<[string, (metadata: TableMetadata) => TableMetadata, string]>([
  [
    "a column of another type",
    (metadata) =>
      withSchema(metadata, (schema) => ({
        ...schema,
        fields: schema.fields.map((field) => (field.name === "browser" ? { ...field, type: "int" } : field))
      })),
    'column browser has the type "int"'
  ],
  [
    "a required column of its own",
    (metadata) =>
      withSchema(metadata, (schema) => ({
        ...schema,
        fields: [...schema.fields, { id: 99, name: "tenant", required: true, type: "string" }]
      })),
    "its column tenant is required but not one of Footfall's"
  ],
  [
    "other partitions",
    (metadata) => ({ ...metadata, "partition-specs": [{ "spec-id": 0, fields: [] }] }),
    "it is not partitioned by created_at,day"
  ]
])("a table with %s is refused with a message that says why", (_, change, problem) =>
  run(
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      yield* catalog.create(NAME, newLakeTable(PA_SESSIONS))
      yield* changed(catalog, change)
      const refused = yield* Effect.flip(ensureTable(catalog, NAME, PA_SESSIONS))
      expect(refused).toMatchObject({ reason: "Invalid", message: expect.stringContaining(problem) })
    })
  )
)
