import { describe, expect, test } from "bun:test"
import { tmpdir } from "node:os"
import { Context, Effect, Layer, References } from "effect"
import { AppDatabase } from "../../layers/postgres/client/Database.ts"
import { warehouse } from "../../src/app/warehouses.ts"
import { QueryEngine } from "../../src/ports/QueryEngine.ts"
import { probe } from "../../src/query/probe.ts"
import * as MemorySettings from "../support/memory/MemorySettings.ts"
import { layerFreshDatabase } from "../support/postgres/postgres.ts"

const LAKE = {
  STORAGE_BACKEND: "iceberg",
  PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE: `file://${tmpdir()}/footfall-empty/lake`
}

/** The engine that a process with these settings queries, and whether it answers; or why the process does not start. */
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

describe("the warehouse", () => {
  test.each<[string, Record<string, string>, ReadonlyArray<string>]>([
    ["the app database by default", {}, ["postgres", "answers"]],
    [
      "none, if the events are in a lake that the app database cannot query",
      LAKE,
      ["postgres", "Missing", "Set WAREHOUSE to duckdb or trino"]
    ],
    [
      "Trino",
      { ...LAKE, WAREHOUSE: "trino", TRINO_URL: "http://127.0.0.1:1" },
      ["trino", "Unavailable", "http://127.0.0.1:1"]
    ],
    ["Trino requires its URL", { ...LAKE, WAREHOUSE: "trino" }, ["does not start", "TRINO_URL"]],
    [
      "Trino requires https for a password",
      { ...LAKE, WAREHOUSE: "trino", TRINO_URL: "http://trino:8080", TRINO_PASSWORD: "hunter2" },
      ["does not start", "TRINO_PASSWORD requires an https TRINO_URL"]
    ],
    [
      "Trino requires a lake",
      { WAREHOUSE: "trino", TRINO_URL: "http://127.0.0.1:1" },
      ["does not start", "Set WAREHOUSE to postgres, or change STORAGE_BACKEND"]
    ],
    ["DuckDB requires a lake", { WAREHOUSE: "duckdb" }, ["does not start", "or change STORAGE_BACKEND"]],
    [
      "DuckDB requires the lake's settings",
      { STORAGE_BACKEND: "iceberg", WAREHOUSE: "duckdb" },
      ["does not start", "PRODUCT_ANALYTICS_ICEBERG_S3_BUCKET is missing"]
    ],
    [
      "DuckDB requires its extensions",
      { ...LAKE, WAREHOUSE: "duckdb", DUCKDB_EXTENSION_DIRECTORY: "/nowhere" },
      ["does not start", "set DUCKDB_EXTENSION_DIRECTORY to a folder"]
    ]
  ])("the settings choose the warehouse: %s", async (_, environment, expected) => {
    const found = await asked(environment)
    expect(found).toEqual(expected.map((part) => expect.stringContaining(part)))
    expect(found.join(" ")).not.toContain("hunter2")
  })
})
