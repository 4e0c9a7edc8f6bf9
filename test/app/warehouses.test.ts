import { describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, References } from "effect"
import { AppDatabase } from "../../layers/postgres/client/Database.ts"
import { questionWarehouse, warehouse } from "../../src/app/warehouses.ts"
import { QueryEngine } from "../../src/ports/QueryEngine.ts"
import { QuestionEngines, type UsableEngines } from "../../src/ports/QuestionEngines.ts"
import { probe } from "../../src/query/probe.ts"
import { eventually } from "../support/eventually.ts"
import * as MemorySettings from "../support/memory/MemorySettings.ts"
import { layerFreshDatabase, temporaryFolder } from "../support/postgres/postgres.ts"

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
    ["the app database behind its replica", { WAREHOUSE: "replica" }, ["postgres", "answers"]],
    [
      "DuckDB by default, if the events are in a lake; collecting works without its extensions",
      { ...LAKE, DUCKDB_EXTENSION_DIRECTORY: "/nowhere" },
      ["duckdb", "Missing", "The lake has no table pa_events yet"]
    ],
    [
      "the app database cannot query a lake",
      { ...LAKE, WAREHOUSE: "postgres" },
      ["does not start", "Set WAREHOUSE to duckdb, trino or none, or change STORAGE_BACKEND"]
    ],
    [
      "a replica cannot query a lake",
      { ...LAKE, WAREHOUSE: "replica" },
      ["does not start", "Set WAREHOUSE to duckdb, trino or none, or change STORAGE_BACKEND"]
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
      ["does not start", "Set WAREHOUSE to replica, postgres or none, or change STORAGE_BACKEND"]
    ],
    ["no engine", { WAREHOUSE: "none" }, ["postgres", "NoEngine", "Set WAREHOUSE to replica or postgres, and restart"]],
    [
      "no engine for a lake",
      { ...LAKE, WAREHOUSE: "none" },
      ["duckdb", "NoEngine", "Set WAREHOUSE to duckdb or trino, and restart"]
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

/** The engines of a server with these settings, until the scope closes. */
const questionEngines = (environment: Readonly<Record<string, string>>) =>
  Effect.map(
    Layer.build(
      questionWarehouse.pipe(
        Layer.provide(
          AppDatabase.layer.pipe(
            Layer.provideMerge(layerFreshDatabase),
            Layer.provideMerge(MemorySettings.layer(environment))
          )
        ),
        Layer.fresh
      )
    ),
    (context) => Context.get(context, QuestionEngines).usable
  )

/** The models of the usable engines, and whether there is a reason why the primary one is missing. */
const models = Effect.map(
  ({ fallback, primary, why }: UsableEngines): ReadonlyArray<string | boolean | null> => [
    primary?.model ?? null,
    fallback?.model ?? null,
    why === null
  ]
)

describe("the engines for questions", () => {
  test("Postgres answers until its replica can, and then behind it", async () => {
    const before = process.env["DATA_DIR"]
    process.env["DATA_DIR"] = temporaryFolder()
    try {
      await Effect.gen(function* () {
        const usable = yield* questionEngines({})
        expect(yield* models(usable)).toEqual([null, "postgres", false])
        yield* eventually("the replica answers", async () => (await Effect.runPromise(usable)).primary !== null)
        expect(yield* models(usable)).toEqual(["replica", "postgres", true])
        const { primary } = yield* usable
        const { rows } = yield* primary!.run({ sql: "SELECT count(*) FROM event", parameters: [], tables: [] })
        expect(rows).toEqual([[0]])
      }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "Fatal"), Effect.runPromise)
    } finally {
      if (before === undefined) delete process.env["DATA_DIR"]
      else process.env["DATA_DIR"] = before
    }
  })

  test.each<[string, Record<string, string>, string]>([
    ["the app database", { WAREHOUSE: "postgres" }, "postgres"],
    ["a lake", LAKE, "lake"]
  ])("without a replica, %s has no other engine behind it", async (_, environment, model) => {
    const found = await Effect.flatMap(questionEngines(environment), models).pipe(
      Effect.scoped,
      Effect.provideService(References.MinimumLogLevel, "Fatal"),
      Effect.runPromise
    )
    expect(found).toEqual([model, null, true])
  })

  test("with WAREHOUSE=none, no engine answers, and the reason names the setting", async () => {
    const usable = await Effect.flatten(questionEngines({ WAREHOUSE: "none" })).pipe(Effect.scoped, Effect.runPromise)
    expect(usable).toEqual({
      primary: null,
      fallback: null,
      why: "No engine answers questions, since WAREHOUSE=none. Set WAREHOUSE to replica or postgres, and restart."
    })
  })

  test("where DuckDB can't be loaded, Postgres answers in place of the replica, and the reason says so", async () => {
    const folder = temporaryFolder()
    const before = { DATA_DIR: process.env["DATA_DIR"], BUN_OPTIONS: process.env["BUN_OPTIONS"] }
    const preload = join(folder, "withoutDuckDb.ts")
    writeFileSync(
      preload,
      `Bun.plugin({ name: "no DuckDB", setup: (build) => void build.module("@duckdb/node-api", () => { throw new Error("no DuckDB here") }) })`
    )
    Object.assign(process.env, { DATA_DIR: folder, BUN_OPTIONS: `--preload=${preload}` })
    try {
      await Effect.gen(function* () {
        const usable = yield* questionEngines({})
        yield* eventually("the reason is known", async () =>
          ((await Effect.runPromise(usable)).why ?? "").includes("no DuckDB here")
        )
        expect(yield* models(usable)).toEqual([null, "postgres", false])
        const { fallback } = yield* usable
        expect((yield* fallback!.run({ sql: "SELECT 1 AS one", parameters: [], tables: [] })).rows).toEqual([[1]])
      }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "Fatal"), Effect.runPromise)
    } finally {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    }
  })
})
