import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Context, Effect, Exit, Layer, Scope, Stream } from "effect"
import type { DatabaseClient } from "../../../../layers/postgres/client/makeClient.ts"
import { QueryEngine, type QueryParameter } from "../../../../src/ports/QueryEngine.ts"
import { until } from "../../../support/eventually.ts"
import { pgWarehouse } from "../../../support/postgres/pgWarehouse.ts"
import { freshDatabase, openClient } from "../../../support/postgres/postgres.ts"

const scope = Scope.makeUnsafe()
let engine: QueryEngine["Service"]
let sql: DatabaseClient

beforeAll(async () => {
  const url = await freshDatabase()
  sql = await Effect.runPromise(Scope.provide(openClient(url, 1), scope))
  engine = Context.get(await Effect.runPromise(Scope.provide(Layer.build(pgWarehouse(url)), scope)), QueryEngine)
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const stream = (text: string, parameters: ReadonlyArray<QueryParameter> = [], maxRows?: number) =>
  engine.stream({ sql: text, parameters, tables: [], ...(maxRows === undefined ? {} : { maxRows }) })
const collected = (text: string, parameters: ReadonlyArray<QueryParameter> = []) =>
  Effect.runPromise(Stream.runCollect(stream(text, parameters)))

/** Transactions that the engine's streams have open. */
const openCursors = async () =>
  (
    await Effect.runPromise(
      sql.unsafe<{ n: number }>(
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
      )
    )
  )[0]!.n

describe("a stream of rows from Postgres", () => {
  test("a stream has all rows in order, in chunks, with exact values", async () => {
    const chunks = await collected(
      "SELECT n, n::numeric(19, 4) AS amount, '2026-03-28 22:50:00.123456+01'::timestamptz AS moment FROM generate_series(1, CAST($1 AS bigint)) AS t (n) ORDER BY n",
      [{ type: "integer", value: 5_000 }]
    )
    expect(chunks.map(({ rows }) => rows.length)).toEqual([2_000, 2_000, 1_000])
    expect(chunks[2]!.rows.at(-1)).toEqual([5_000, "5000.0000", "2026-03-28T21:50:00.123456Z"])
    expect(chunks[0]!.columns.map(({ type }) => type)).toEqual(["integer", "decimal", "timestamp"])
  })

  test("a stream without rows is one chunk with the columns", async () => {
    expect(await collected("SELECT 1 AS one WHERE false")).toEqual([
      { columns: [{ name: "one", type: "integer" }], rows: [] }
    ])
  })

  test("a stream whose last chunk is full ends without an empty one", async () => {
    const chunks = await collected("SELECT n FROM generate_series(1, 4000) AS t (n)")
    expect(chunks.map(({ rows }) => rows.length)).toEqual([2_000, 2_000])
  })

  test("closing a stream early ends its transaction", async () => {
    const first = await Effect.runPromise(
      Stream.runCollect(Stream.take(stream("SELECT n FROM generate_series(1, 1000000) AS t (n)"), 1))
    )
    expect(first[0]!.rows).toHaveLength(2_000)
    await until("no transaction is open", async () => (await openCursors()) === 0)
  })

  test("a stream reads the views only, changes nothing, and is limited by the query's maximum", async () => {
    const reasonOf = (text: string, maxRows?: number) =>
      Effect.runPromise(Effect.flip(Stream.runDrain(stream(text, [], maxRows)))).then(({ reason }) => reason)
    expect(await reasonOf("SELECT * FROM product_analytics_event")).toBe("Invalid")
    expect(await reasonOf("SELECT 1; DROP VIEW v_pa_events")).toBe("Invalid")
    expect(await reasonOf("SELECT n FROM generate_series(1, 11) AS t (n)", 10)).toBe("TooLarge")
  })
})

describe("the version of the data in Postgres", () => {
  test("the version changes with a write, and the time is now", async () => {
    // Other databases of the server also write, so an unchanged version is likely but not certain.
    const before = await Effect.runPromise(engine.asOf)
    await Effect.runPromise(
      sql.unsafe(
        "INSERT INTO product_analytics_site (id, name, timezone, week_start, currency) VALUES (gen_random_uuid(), 'Test', 'UTC', 'monday', 'USD')"
      )
    )
    const after = await Effect.runPromise(engine.asOf)
    expect(after.version).not.toBe(before.version)
    expect(after.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    expect(Math.abs(Date.parse(after.time) - Date.now())).toBeLessThan(10_000)
  })
})
