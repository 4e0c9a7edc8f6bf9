import { afterAll, describe, expect, test } from "bun:test"
import { dropDatabase, ensureDatabase } from "../../../scripts/services/database.ts"
import { emptyLake } from "../../../scripts/services/seaweedfs.ts"
import { IS_NIGHTLY } from "../../support/nightly.ts"
import { areUp } from "../areUp.ts"
import { lakeCatalog } from "./EngineCatalog.ts"
import { icebergJava } from "./icebergJava.ts"
import { differences } from "./numbers.ts"
import { pyiceberg } from "./pyiceberg.ts"
import { spark } from "./spark.ts"

const run = IS_NIGHTLY && (await areUp("postgres", "seaweedfs"))
/** A venv of 516 MB and jars of 118 MB may have to be downloaded first. */
const TEST_MS = 900_000

describe.skipIf(!run)("Spark (nightly)", () => {
  const own = `spark_${process.pid}`
  const catalog = lakeCatalog({ name: own, database: own, warehouse: `s3://lake/${own}` })

  afterAll(async () => {
    await dropDatabase(own)
    await emptyLake(`${own}/`)
  })

  test(
    "Spark's vectorized reader agrees with other engines on a table that Spark appends to and compacts",
    async () => {
      await ensureDatabase(own)
      const table = "product_analytics.events"
      await pyiceberg.create({ catalog, table })
      await pyiceberg.append({ catalog, table, rows: 5_000 })
      const before = await pyiceberg.check({ catalog, table, id: "event_id" })
      expect(
        differences(["pyiceberg", before], ["spark", await spark.check({ catalog, table, id: "event_id" })])
      ).toEqual([])
      await spark.query(catalog, [
        `INSERT INTO {catalog}.${table} SELECT * FROM {catalog}.${table} WHERE event_type = 1`,
        `CALL {catalog}.system.rewrite_data_files(table => '${table}', options => map('rewrite-all', 'true'))`
      ])
      const columns = { id: "event_id", site: "site_id", time: "event_time" }
      const after = await icebergJava.check({ catalog, table, ...columns })
      expect(after.problems).toEqual([])
      expect(after.rows).toBeGreaterThan(5_000)
      expect(after.distinctIds).toBe(5_000)
      expect(differences(["java", after], ["spark", await spark.check({ catalog, table, id: "event_id" })])).toEqual([])
    },
    TEST_MS
  )
})
