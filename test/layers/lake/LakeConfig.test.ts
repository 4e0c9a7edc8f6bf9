import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { lakeConfig } from "../../../layers/lake/LakeConfig.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { layer as memorySettings } from "../../support/memory/MemorySettings.ts"

const LAKE = "PRODUCT_ANALYTICS_ICEBERG_"
const APP = "postgres://app@db/footfall"

const configOf = (given: Readonly<Record<string, string>>) =>
  Effect.flatMap(Settings, (settings) => lakeConfig(settings, APP)).pipe(
    Effect.provide(
      memorySettings(Object.fromEntries(Object.entries(given).map(([name, value]) => [LAKE + name, value])))
    )
  )

describe("a lake's settings", () => {
  test("need a bucket alone: the catalog is in the app database, under the roadmap's names and defaults", async () => {
    expect(await Effect.runPromise(configOf({ S3_BUCKET: "analytics" }))).toMatchObject({
      catalogType: "jdbc",
      catalogName: "footfall",
      namespace: ["product_analytics"],
      warehouse: "s3://analytics/product-analytics",
      catalogUri: null,
      keys: null,
      s3Endpoint: null,
      databaseUrl: APP
    })
  })

  test("put bucket and prefix together, or take a whole warehouse", async () => {
    const of = async (given: Record<string, string>) => (await Effect.runPromise(configOf(given))).warehouse
    expect(await of({ S3_BUCKET: "analytics", S3_PREFIX: "events/" })).toBe("s3://analytics/events")
    expect(await of({ S3_BUCKET: "analytics", S3_PREFIX: "/" })).toBe("s3://analytics")
    expect(await of({ WAREHOUSE: "file:///srv/lake" })).toBe("file:///srv/lake")
    expect(await of({ S3_BUCKET: "analytics", WAREHOUSE: "s3a://other/x" })).toBe("s3a://other/x")
  })

  test("of a REST catalog may leave the warehouse out", async () => {
    const config = await Effect.runPromise(
      configOf({ CATALOG_TYPE: "rest", CATALOG_URI: "https://catalog.example", NAMESPACE: "web.analytics" })
    )
    expect(config).toMatchObject({ warehouse: null, namespace: ["web", "analytics"] })
  })

  test.each<[string, Record<string, string>, string]>([
    ["no bucket", {}, `${LAKE}S3_BUCKET is missing. The lake needs a bucket, or a folder: ${LAKE}WAREHOUSE=file:///`],
    ["another kind of warehouse", { WAREHOUSE: "gs://x/y" }, `${LAKE}WAREHOUSE is "gs://x/y"; it accepts s3://`],
    ["a key without its secret", { S3_BUCKET: "abc", AWS_ACCESS_KEY: "AK" }, `${LAKE}AWS_SECRET_KEY is missing`],
    ["a secret without its key", { S3_BUCKET: "abc", AWS_SECRET_KEY: "shh" }, `${LAKE}AWS_ACCESS_KEY is missing`],
    ["a REST catalog without its address", { CATALOG_TYPE: "rest" }, `${LAKE}CATALOG_URI is missing`],
    [
      "a jdbc catalog at no database",
      { S3_BUCKET: "abc", CATALOG_URI: "https://catalog.example" },
      `${LAKE}CATALOG_URI is no postgres:// URL`
    ]
  ])("with %s are refused, and the setting is named", async (_, given, message) => {
    const refused = await Effect.runPromise(Effect.flip(configOf(given)))
    expect(refused.message).toStartWith(message)
    expect(refused.message).not.toContain("shh")
  })
})
