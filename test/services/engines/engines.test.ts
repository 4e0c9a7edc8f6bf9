import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { dropDatabase, ensureDatabase } from "../../../scripts/services/database.ts"
import { emptyLake, lakeBucket } from "../../../scripts/services/seaweedfs.ts"
import { IS_NIGHTLY } from "../../support/nightly.ts"
import { areUp } from "../areUp.ts"
import { chdb } from "./chdb.ts"
import { duckdb } from "./duckdb.ts"
import { type EngineCatalog, glueCatalog, lakeCatalog, restCatalog } from "./EngineCatalog.ts"
import { icebergJava } from "./icebergJava.ts"
import { differences } from "./numbers.ts"
import { pyiceberg } from "./pyiceberg.ts"
import { EngineError } from "./runEngine.ts"
import { createTrinoCatalog, dropTrinoCatalog, trino } from "./trino.ts"

const up = await areUp("postgres", "seaweedfs", "moto", "trino")
/** Programs may have to be downloaded first. */
const FETCH_MS = 600_000
const TEST_MS = 120_000

const own = `engines_${process.pid}`
const namespace = own
const columns = { id: "event_id", site: "site_id", time: "event_time" }
const SITE = "00000000-0000-4000-8000-000000000001"

/** The key of a location in the lake bucket. */
const keyOf = (location: string) => location.replace("s3://lake/", "")
const inBucket = (location: string) => lakeBucket().file(keyOf(location))

// What the lake's tests compare with: a change of Footfall does not break it.
describe.skipIf(!up || !IS_NIGHTLY)("other engines (nightly)", () => {
  const jdbc = lakeCatalog({ name: own, database: own, warehouse: `s3://lake/${own}` })

  /** Creates a table with pyiceberg and appends 2 × 5,000 rows with emoji, null values, null maps and a column of nulls. */
  const filled = async (catalog: EngineCatalog, table: string) => {
    await pyiceberg.create({ catalog, table })
    await pyiceberg.append({ catalog, table, rows: 5_000 })
    return pyiceberg.append({ catalog, table, rows: 5_000, start: 5_000 })
  }

  beforeAll(async () => {
    await ensureDatabase(own)
    await createTrinoCatalog(own, jdbc)
    await pyiceberg.create({ catalog: jdbc, table: `${namespace}.first` })
    await icebergJava.check({ catalog: jdbc, table: `${namespace}.first`, id: "event_id" })
  }, FETCH_MS)

  afterAll(async () => {
    await dropTrinoCatalog(own)
    await dropDatabase(own)
    await emptyLake(`${own}/`)
  })

  for (const [name, catalog, trinoCatalog] of [
    ["a JDBC", jdbc, own],
    ["a REST", restCatalog(), "sw"]
  ] as const) {
    test(
      `all engines agree exactly on a table of ${name} catalog`,
      async () => {
        const table = `${namespace}.agree`
        await filled(catalog, table)
        const filter = `site_id = '${SITE}'`
        const python = await pyiceberg.check({ catalog, table, id: "event_id", filter })
        expect(python).toMatchObject({ rows: 10_000, distinctIds: 10_000, files: 6, problems: [] })
        expect(python.prunedFiles).toBe(2)
        expect(python.columns["twclid"]).toEqual({ kind: "string", nonNull: 0, codePoints: "0", digest: "0" })
        const java = await icebergJava.check({
          catalog,
          table,
          ...columns,
          filter: { type: "eq", term: "site_id", value: SITE }
        })
        expect(java.problems).toEqual([])
        expect(java).toEqual(python)
        const { metadataLocation, location } = python
        const others = {
          duckdb: await duckdb.check({ metadataLocation, id: "event_id" }),
          trino: await trino.check({ table: `${trinoCatalog}.${table}`, id: "event_id" }),
          chdb: await chdb.check({ location, metadataLocation, id: "event_id" })
        }
        for (const [engine, numbers] of Object.entries(others)) {
          expect(differences(["pyiceberg", python], [engine, numbers])).toEqual([])
        }
      },
      TEST_MS
    )
  }

  test(
    "pyiceberg, Java and Trino append to one table and expire its snapshots",
    async () => {
      const table = `${namespace}.shared`
      await filled(jdbc, table)
      expect((await icebergJava.append({ catalog: jdbc, table, rows: 100, start: 10_000 })).rows).toBe(10_100)
      await trino.query(`INSERT INTO ${own}.${table} SELECT * FROM ${own}.${table} WHERE event_type = 1 LIMIT 7`)
      expect((await pyiceberg.append({ catalog: jdbc, table, rows: 10, start: 20_000 })).rows).toBe(10_117)
      expect((await icebergJava.expire({ catalog: jdbc, table })).snapshots).toBe(1)
      await pyiceberg.append({ catalog: jdbc, table, rows: 10, start: 30_000 })
      expect((await pyiceberg.expire({ catalog: jdbc, table })).snapshots).toBe(1)
      const java = await icebergJava.check({ catalog: jdbc, table, ...columns })
      expect(java).toMatchObject({ rows: 10_127, distinctIds: 10_120, problems: [] })
      expect(
        differences(["java", java], ["trino", await trino.check({ table: `${own}.${table}`, id: "event_id" })])
      ).toEqual([])
    },
    TEST_MS
  )

  test(
    "Java reads Hadoop catalogs, in S3 and on the local disk, and Glue catalogs",
    async () => {
      const folder = join(tmpdir(), own)
      for (const catalog of [
        { type: "hadoop", warehouse: `s3://lake/${own}/folders` },
        { type: "hadoop", warehouse: folder },
        glueCatalog(`s3://lake/${own}/glue`)
      ] as const) {
        const table = `${namespace}.folders`
        await icebergJava.create({ catalog, table })
        await icebergJava.append({ catalog, table, rows: 100 })
        const java = await icebergJava.check({ catalog, table, ...columns })
        expect(java).toMatchObject({ rows: 100, problems: [] })
        const clickhouse = await chdb.check({ ...java, id: "event_id" })
        expect(differences(["java", java], ["chdb", clickhouse])).toEqual([])
      }
      await rm(folder, { recursive: true })
    },
    TEST_MS
  )

  test(
    "Java's check finds a data file that is longer than its manifest says",
    async () => {
      const table = `${namespace}.damaged`
      await filled(jdbc, table)
      const path = String(
        (await trino.query(`SELECT file_path FROM ${own}.${namespace}."damaged$files" LIMIT 1`)).rows[0]![0]
      )
      const bytes = await inBucket(path).bytes()
      await inBucket(path).write(Buffer.concat([bytes, Buffer.from("1234567")]))
      const problem = `${path} has ${bytes.length + 7} bytes, but its manifest lists ${bytes.length}`
      expect((await icebergJava.check({ catalog: jdbc, table, ...columns })).problems).toContain(problem)
    },
    TEST_MS
  )

  test(
    "every engine detects a corrupt data file and a missing one",
    async () => {
      const table = `${namespace}.broken`
      const { metadataLocation } = await filled(jdbc, table)
      const path = String(
        (await trino.query(`SELECT file_path FROM ${own}.${namespace}."broken$files" LIMIT 1`)).rows[0]![0]
      )
      const location = `s3://lake/${own}/${namespace}/broken`
      const engines = {
        pyiceberg: () => pyiceberg.check({ catalog: jdbc, table, id: "event_id" }),
        duckdb: () => duckdb.check({ metadataLocation, id: "event_id" }),
        trino: () => trino.check({ table: `${own}.${table}`, id: "event_id" }),
        chdb: () => chdb.check({ location, metadataLocation, id: "event_id" })
      }
      const bytes = await inBucket(path).bytes()
      await inBucket(path).write(bytes.with(bytes.length >> 1, 0).fill(0, 200, 4_000))
      const broken = await icebergJava.check({ catalog: jdbc, table, ...columns })
      expect(broken.problems.length).toBeGreaterThan(0)
      for (const check of Object.values(engines)) await expect(check()).rejects.toThrow()
      await inBucket(path).delete()
      const missing = await icebergJava.check({ catalog: jdbc, table, ...columns })
      expect(missing.problems).toContain(`${path} is missing`)
      for (const check of Object.values(engines)) await expect(check()).rejects.toThrow()
      await inBucket(path).write(bytes)
      expect((await icebergJava.check({ catalog: jdbc, table, ...columns })).problems).toEqual([])
    },
    TEST_MS
  )

  test(
    "tables with different rows have different numbers",
    async () => {
      const first = `${namespace}.one`
      const second = `${namespace}.other`
      for (const [table, start] of [
        [first, 0],
        [second, 3]
      ] as const) {
        await pyiceberg.create({ catalog: jdbc, table })
        await pyiceberg.append({ catalog: jdbc, table, rows: 50, start })
      }
      const a = await pyiceberg.check({ catalog: jdbc, table: first, id: "event_id" })
      const b = await pyiceberg.check({ catalog: jdbc, table: second, id: "event_id" })
      expect(differences(["one", a], ["other", b]).map((sentence) => sentence.split(" ")[0])).toContain(
        "event_id.digest"
      )
      expect(differences(["one", a], ["one", a])).toEqual([])
    },
    TEST_MS
  )

  test(
    "checking a missing table fails with the engine's error, and a check ends at its deadline",
    async () => {
      const call = { catalog: jdbc, table: `${namespace}.nothing`, id: "event_id" }
      const failure = await pyiceberg.check(call).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(EngineError)
      expect(String(failure)).toContain("NoSuchTableError")
      await expect(icebergJava.check(call)).rejects.toThrow("NoSuchTableException")
      await expect(icebergJava.check({ ...call, deadlineMs: 10 })).rejects.toThrow("did not finish within 0.01 s")
    },
    TEST_MS
  )
})
