import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { CREDENTIALS, REGION } from "../../../scripts/services/credentials.ts"
import { endpoint } from "../../../scripts/services/place.ts"
import { SITE } from "../../support/collect/collect.ts"
import { IS_NIGHTLY } from "../../support/nightly.ts"
import { areUp } from "../areUp.ts"
import { chdb } from "../engines/chdb.ts"
import { duckdb } from "../engines/duckdb.ts"
import { type EngineCatalog, glueCatalog, lakeCatalog, restCatalog } from "../engines/EngineCatalog.ts"
import { icebergJava } from "../engines/icebergJava.ts"
import { differences, type TableNumbers } from "../engines/numbers.ts"
import { pyiceberg } from "../engines/pyiceberg.ts"
import { spark } from "../engines/spark.ts"
import { createTrinoCatalog, dropTrinoCatalog, trino } from "../engines/trino.ts"
import { LakeCollector } from "./LakeCollector.ts"

const up = await areUp("postgres", "seaweedfs", "moto", "trino")
/** Programs may have to be fetched first. */
const FETCH_MS = 600_000
const TEST_MS = 240_000

const own = `footfall_${process.pid}`
const EVENTS = LakeCollector.table("pa_events")
const TABLES = [
  { table: EVENTS, id: "event_id", site: "site_id", time: "event_time" },
  { table: LakeCollector.table("pa_sessions"), id: "session_id", site: "site_id", time: "created_at" },
  { table: LakeCollector.table("pa_session_data"), id: "session_id", site: "site_id", time: "created_at" }
] as const

interface Verified {
  readonly table: string
  readonly rows: number
  readonly problems: ReadonlyArray<string>
}

/** Expects that every engine reads every column of every row with the same result. */
const expectAgreement = async (
  catalog: EngineCatalog,
  trinoCatalog: string | null,
  tested: (typeof TABLES)[number],
  withPython = true
): Promise<TableNumbers & { readonly files: number }> => {
  const { id, table } = tested
  const java = await icebergJava.check({ catalog, ...tested })
  expect(java.problems).toEqual([])
  const { location, metadataLocation } = java
  const others: Record<string, TableNumbers> = {
    duckdb: await duckdb.check({ metadataLocation, id }),
    chdb: await chdb.check({ location, metadataLocation, id })
  }
  if (withPython) {
    const python = await pyiceberg.check({ catalog, table, id })
    expect(python.problems).toEqual([])
    others["pyiceberg"] = python
  }
  if (trinoCatalog !== null) others["trino"] = await trino.check({ table: `${trinoCatalog}.${table}`, id })
  for (const [engine, numbers] of Object.entries(others)) {
    expect(differences(["java", java], [engine, numbers])).toEqual([])
  }
  return java
}

describe.skipIf(!up)("Footfall's tables in other engines", () => {
  let jdbc: LakeCollector
  const catalog = lakeCatalog({ name: own, database: own, warehouse: `s3://lake/${own}` })

  beforeAll(async () => {
    jdbc = await LakeCollector.open({ name: own })
    await jdbc.start()
    await jdbc.send(3_000)
    await jdbc.sendOdd()
    await jdbc.stop()
    await createTrinoCatalog(own, catalog)
  }, FETCH_MS)

  afterAll(async () => {
    await dropTrinoCatalog(own)
    await jdbc[Symbol.asyncDispose]()
  })

  test(
    "other engines read every column of every table to the last digit",
    async () => {
      const events = await expectAgreement(catalog, own, TABLES[0])
      expect(events).toMatchObject({ rows: jdbc.events, distinctIds: jdbc.events })
      const sessions = await expectAgreement(catalog, own, TABLES[1])
      expect(sessions.rows).toBeWithin(sessions.distinctIds, sessions.distinctIds + 3)
      const attributes = await expectAgreement(catalog, own, TABLES[2])
      expect(attributes.rows).toBe(4)
      expect(await jdbc.lake("verify")).toMatchObject([
        { table: "pa_events", rows: jdbc.events, problems: [] },
        { table: "pa_sessions", rows: sessions.rows, problems: [] },
        { table: "pa_session_data", rows: 4, problems: [] }
      ])
    },
    TEST_MS
  )

  test(
    "other engines open only the files of a query's days and sites",
    async () => {
      const all = await icebergJava.check({ catalog, ...TABLES[0] })
      const filter = "event_time < '1971-01-01T00:00:00+00:00'"
      const python = await pyiceberg.check({ catalog, table: EVENTS, id: "event_id", filter })
      expect(python).toMatchObject({ prunedFiles: 1, filteredRows: 1 })
      expect(all.files).toBeGreaterThanOrEqual(3)
      const ofSite = await icebergJava.check({
        catalog,
        ...TABLES[0],
        filter: { type: "eq", term: "site_id", value: SITE }
      })
      expect(ofSite).toMatchObject({ prunedFiles: all.files, filteredRows: jdbc.events })
      const ofUnknownSite = await icebergJava.check({
        catalog,
        ...TABLES[0],
        filter: { type: "eq", term: "site_id", value: "unknown" }
      })
      expect(ofUnknownSite).toMatchObject({ prunedFiles: 0, filteredRows: 0 })
    },
    TEST_MS
  )

  test(
    "Footfall appends to tables that other engines appended to, expired and compacted, and all engines agree",
    async () => {
      let rows = jdbc.events
      rows += 50
      expect((await pyiceberg.append({ catalog, table: EVENTS, rows: 50, start: 0 })).rows).toBe(rows)
      await jdbc.start()
      await jdbc.send(500)
      await jdbc.stop()
      rows += 500
      rows += 60
      expect((await icebergJava.append({ catalog, table: EVENTS, rows: 60, start: 1_000 })).rows).toBe(rows)
      await trino.query(`INSERT INTO ${own}.${EVENTS} SELECT * FROM ${own}.${EVENTS} WHERE event_name IS NULL LIMIT 7`)
      rows += 7
      await jdbc.start()
      await jdbc.send(500)
      await jdbc.stop()
      rows += 500
      await trino.query(`ALTER TABLE ${own}.${EVENTS} EXECUTE optimize`)
      expect((await icebergJava.expire({ catalog, table: EVENTS })).snapshots).toBe(1)
      await jdbc.start()
      await jdbc.send(500)
      await jdbc.stop()
      rows += 500
      const numbers = await expectAgreement(catalog, own, TABLES[0])
      expect(numbers).toMatchObject({ rows, distinctIds: rows - 7 })
      const verified = (await jdbc.lake("verify", "--table", "pa_events")) as ReadonlyArray<Verified>
      expect(verified[0]).toMatchObject({ rows, problems: [] })
    },
    TEST_MS
  )

  test(
    "other engines read tables that Footfall compacted, expired and merged",
    async () => {
      const before = await icebergJava.check({ catalog, ...TABLES[0] })
      await jdbc.lake("compact", "--table", "pa_events")
      await jdbc.lake("expire", "--table", "pa_events")
      const after = await expectAgreement(catalog, own, TABLES[0])
      expect(differences(["before", before], ["after", after])).toEqual([])
      expect(await jdbc.lake("orphans", "--dry-run")).toMatchObject([{ files: [] }, { files: [] }, { files: [] }])
    },
    TEST_MS
  )

  test.skipIf(!IS_NIGHTLY)(
    "Spark's vectorized reader agrees, and Footfall continues a table that Spark compacted",
    async () => {
      const table = EVENTS
      const java = await icebergJava.check({ catalog, ...TABLES[0] })
      expect(differences(["java", java], ["spark", await spark.check({ catalog, table, id: "event_id" })])).toEqual([])
      await spark.query(catalog, [`CALL {catalog}.system.rewrite_data_files(table => '${table}')`])
      await jdbc.start()
      await jdbc.send(500)
      await jdbc.stop()
      const numbers = await expectAgreement(catalog, own, TABLES[0])
      expect(numbers.rows).toBe(java.rows + 500)
      expect(differences(["java", numbers], ["spark", await spark.check({ catalog, table, id: "event_id" })])).toEqual(
        []
      )
    },
    FETCH_MS
  )

  const rest = (environment: Record<string, string>) => ({
    PRODUCT_ANALYTICS_ICEBERG_CATALOG_TYPE: "rest",
    PRODUCT_ANALYTICS_ICEBERG_CATALOG_URI: endpoint.icebergRest(),
    PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE: "s3://warehouse",
    ...environment
  })
  for (const [name, namespace, environment, catalog, trinoCatalog, withPython] of [
    [
      "a REST catalog with OAuth2",
      `${own}_oauth`,
      rest({
        PRODUCT_ANALYTICS_ICEBERG_CATALOG_CREDENTIALS: `${CREDENTIALS.s3.accessKeyId}:${CREDENTIALS.s3.secretAccessKey}`,
        PRODUCT_ANALYTICS_ICEBERG_OAUTH2_SERVER_URI: endpoint.icebergRestTokens()
      }),
      restCatalog(),
      "sw",
      true
    ],
    [
      "a REST catalog with AWS signatures",
      `${own}_sigv4`,
      rest({ PRODUCT_ANALYTICS_ICEBERG_CATALOG_CREDENTIALS: "sigv4" }),
      restCatalog(),
      "sw",
      true
    ],
    [
      "a Hadoop catalog in S3",
      `${own}_hadoop`,
      { PRODUCT_ANALYTICS_ICEBERG_CATALOG_TYPE: "hadoop" },
      { type: "hadoop", warehouse: `s3://lake/${own}_hadoop` } as const,
      null,
      false
    ],
    [
      "Glue",
      `${own}_glue`,
      {
        PRODUCT_ANALYTICS_ICEBERG_CATALOG_TYPE: "glue",
        PRODUCT_ANALYTICS_ICEBERG_CATALOG_URI: REGION,
        AWS_ENDPOINT_URL_GLUE: endpoint.moto()
      },
      glueCatalog(`s3://lake/${own}_glue`),
      null,
      true
    ]
  ] as const) {
    // By day, the JDBC catalog above and one of the others are enough.
    test.skipIf(!IS_NIGHTLY && namespace !== `${own}_oauth`)(
      `other engines read tables in ${name}`,
      async () => {
        await using collector = await LakeCollector.open({
          name: namespace,
          environment: { ...environment, PRODUCT_ANALYTICS_ICEBERG_NAMESPACE: namespace }
        })
        for (let round = 0; round < 2; round++) {
          await collector.start()
          await collector.send(500)
          await collector.sendOdd()
          await collector.stop()
        }
        for (const tested of TABLES) {
          const table = tested.table.replace(/^\w+/, namespace)
          const numbers = await expectAgreement(catalog, trinoCatalog, { ...tested, table } as never, withPython)
          if (tested.id === "event_id")
            expect(numbers).toMatchObject({ rows: collector.events, distinctIds: collector.events })
        }
      },
      TEST_MS
    )
  }
})
