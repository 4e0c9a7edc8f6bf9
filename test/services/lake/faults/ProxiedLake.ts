import { BUCKET } from "../../../../scripts/services/credentials.ts"
import { dropDatabase, ensureDatabase } from "../../../../scripts/services/database.ts"
import { port } from "../../../../scripts/services/place.ts"
import { emptyLake } from "../../../../scripts/services/seaweedfs.ts"
import { LakeUnderTest, lakeSettings } from "../../../support/lake/LakeUnderTest.ts"
import { FaultProxy } from "../../../support/proxy/FaultProxy.ts"
import { withDuckdb } from "../../engines/duckdb.ts"
import { s3Settings } from "../LakeCollector.ts"

let lakes = 0

export interface ProxiedLake {
  readonly lake: LakeUnderTest
  /** The name of the lake's database and of its catalog, for another engine. */
  readonly name: string
  /** Between collectors and the store. */
  readonly s3: FaultProxy
  /** Between collectors and the catalog's database, not the app database's. */
  readonly catalog: FaultProxy
}

/** A new lake in the local S3, with its catalog in the local Postgres, both behind proxies. Removed with the stack. */
export const openProxiedLake = async (
  all: AsyncDisposableStack,
  environment: Readonly<Record<string, string>> = {},
  /** Settings that the checks need as well. */
  checked: Readonly<Record<string, string>> = {}
): Promise<ProxiedLake> => {
  const name = `faults_${process.pid}_${++lakes}`
  const url = await ensureDatabase(name)
  all.defer(async () => {
    await dropDatabase(name)
    await emptyLake(`${name}/`)
  })
  const s3 = all.use(await FaultProxy.before(port("s3")))
  const catalog = all.use(await FaultProxy.before(port("postgres")))
  const proxiedSettings = {
    S3_ENDPOINT: s3.url,
    CATALOG_URI: url.replace(`:${port("postgres")}/`, `:${catalog.port}/`)
  }
  const direct = { ...s3Settings(), ...lakeSettings({ CATALOG_URI: url }), ...checked }
  const lake = all.use(
    await LakeUnderTest.open(url, {
      environment: () => ({
        ...s3Settings(),
        ...lakeSettings({
          WAREHOUSE: `s3://${BUCKET}/${name}`,
          CATALOG_NAME: name,
          ...proxiedSettings
        }),
        ...environment
      }),
      direct
    })
  )
  return { lake, name, s3, catalog }
}

/** The rows and distinct ids of the events, as counted by another engine. */
export const countWithDuckdb = async (
  lake: LakeUnderTest
): Promise<{ readonly rows: number; readonly ids: number }> => {
  const { metadataLocation } = await lake.table("pa_events")
  return withDuckdb(async (connection) => {
    const reader = await connection.runAndReadAll(
      `SELECT count(*) AS rows, count(DISTINCT event_id) AS ids FROM iceberg_scan('${metadataLocation}')`
    )
    const [row] = reader.getRowObjects()
    return { rows: Number(row?.["rows"]), ids: Number(row?.["ids"]) }
  })
}
