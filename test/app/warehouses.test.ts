import { describe, expect, test } from "bun:test"
import { Context, Effect, Layer, References } from "effect"
import { AppDatabase } from "../../layers/postgres/client/Database.ts"
import { warehouse } from "../../src/app/warehouses.ts"
import { QueryEngine } from "../../src/ports/QueryEngine.ts"
import { probe } from "../../src/query/probe.ts"
import * as MemorySettings from "../support/memory/MemorySettings.ts"
import { layerFreshDatabase } from "../support/postgres.ts"

const LAKE = { STORAGE_BACKEND: "iceberg", PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE: "file:///nowhere/lake" }

/** What a process with these settings asks, and whether that answers; or why the process does not start. */
const asked = (environment: Readonly<Record<string, string>>) =>
  Layer.build(
    warehouse.pipe(
      Layer.provide(
        AppDatabase.layer.pipe(
          Layer.provideMerge(layerFreshDatabase),
          Layer.provideMerge(MemorySettings.layer(environment))
        )
      ),
      Layer.fresh
    )
  ).pipe(
    Effect.flatMap((context) => {
      const engine = Context.get(context, QueryEngine)
      return Effect.match(probe(engine), {
        onSuccess: () => [engine.dialect, "answers"],
        onFailure: ({ message, reason }) => [engine.dialect, reason, message]
      })
    }),
    Effect.catch(({ message }) => Effect.succeed(["does not start", message])),
    Effect.scoped,
    Effect.provideService(References.MinimumLogLevel, "Fatal"),
    Effect.runPromise
  )

describe("what is asked, by the settings", () => {
  test.each<[string, Record<string, string>, ReadonlyArray<string>]>([
    ["the app database unless told otherwise", {}, ["postgres", "answers"]],
    [
      "nothing, when the events are in a lake that the app database has none of",
      LAKE,
      ["postgres", "Missing", "Set WAREHOUSE to duckdb or trino"]
    ],
    [
      "Trino",
      { ...LAKE, WAREHOUSE: "trino", TRINO_URL: "http://127.0.0.1:1" },
      ["trino", "Unavailable", "http://127.0.0.1:1"]
    ],
    ["no Trino without its address", { ...LAKE, WAREHOUSE: "trino" }, ["does not start", "TRINO_URL"]],
    [
      "no Trino with a password in the clear",
      { ...LAKE, WAREHOUSE: "trino", TRINO_URL: "http://trino:8080", TRINO_PASSWORD: "hunter2" },
      ["does not start", "TRINO_URL is not https"]
    ],
    [
      "no Trino where no events are",
      { WAREHOUSE: "trino", TRINO_URL: "http://127.0.0.1:1" },
      ["does not start", "Set WAREHOUSE to postgres, or change STORAGE_BACKEND"]
    ],
    ["no DuckDB where no events are", { WAREHOUSE: "duckdb" }, ["does not start", "or change STORAGE_BACKEND"]],
    [
      "no DuckDB without a lake",
      { STORAGE_BACKEND: "iceberg", WAREHOUSE: "duckdb" },
      ["does not start", "PRODUCT_ANALYTICS_ICEBERG_S3_BUCKET is missing"]
    ],
    [
      "no DuckDB without its extensions",
      { ...LAKE, WAREHOUSE: "duckdb", DUCKDB_EXTENSION_DIRECTORY: "/nowhere" },
      ["does not start", "DUCKDB_EXTENSION_DIRECTORY may name a folder"]
    ]
  ])("%s", async (_, environment, expected) => {
    const found = await asked(environment)
    expect(found).toEqual(expected.map((part) => expect.stringContaining(part)))
    expect(found.join(" ")).not.toContain("hunter2")
  })
})
