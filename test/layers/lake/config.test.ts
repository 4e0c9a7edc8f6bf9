import { expect, test } from "bun:test"
import { Effect } from "effect"
import { lakeConfig } from "../../../layers/lake/config.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { resolveAll } from "../../../src/settings/resolve.ts"
import * as MemorySettings from "../../support/memory/MemorySettings.ts"

const LAKE = "PRODUCT_ANALYTICS_ICEBERG_"
const APP = "postgres://app@db/footfall"

const configOf = (values: Readonly<Record<string, string>>) =>
  Effect.flatMap(Settings, (settings) => lakeConfig(settings, APP)).pipe(
    Effect.provide(
      MemorySettings.layer(Object.fromEntries(Object.entries(values).map(([name, value]) => [LAKE + name, value])))
    )
  )

test("a lake needs only a bucket: its catalog is in the app database, with default names", async () => {
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

test("a lake's warehouse is bucket and prefix, or the configured location", async () => {
  const warehouseOf = async (values: Record<string, string>) => (await Effect.runPromise(configOf(values))).warehouse
  expect(await warehouseOf({ S3_BUCKET: "analytics", S3_PREFIX: "events/" })).toBe("s3://analytics/events")
  expect(await warehouseOf({ S3_BUCKET: "analytics", S3_PREFIX: "/" })).toBe("s3://analytics")
  expect(await warehouseOf({ WAREHOUSE: "file:///srv/lake" })).toBe("file:///srv/lake")
  expect(await warehouseOf({ S3_BUCKET: "analytics", WAREHOUSE: "s3a://other/x" })).toBe("s3a://other/x")
})

test("a lake with a REST catalog needs no warehouse", async () => {
  const config = await Effect.runPromise(
    configOf({ CATALOG_TYPE: "rest", CATALOG_URI: "https://catalog.example", NAMESPACE: "web.analytics" })
  )
  expect(config).toMatchObject({ warehouse: null, namespace: ["web", "analytics"] })
})

test.each<[string, string]>([
  ["WAREHOUSE", "s3://analytics/a?b"],
  ["WAREHOUSE", "s3://analytics/a#b"],
  ["WAREHOUSE", "s3://analytics/a//b"],
  ["WAREHOUSE", "s3://analytics//a"],
  ["WAREHOUSE", "file:////srv/lake"],
  ["S3_PREFIX", "a//b"],
  ["S3_PREFIX", "/a"],
  ["S3_PREFIX", "a?b"],
  ["S3_PREFIX", "a#b"]
])("the lake's setting %s refuses %s", (name, value) => {
  expect(
    Object.fromEntries(
      resolveAll({ [LAKE + name]: value }, new Map())
        .entries()
        .flatMap(([setting, { problem }]) => (problem === null ? [] : [[setting.env, true]]))
    )
  ).toEqual({ [LAKE + name]: true })
})

test.each<[string, Record<string, string>, string]>([
  [
    "no bucket, and events in Postgres",
    {},
    `There is no lake: STORAGE_BACKEND is postgres. To read one that is elsewhere, set ${LAKE}S3_BUCKET`
  ],
  ["an unknown kind of warehouse", { WAREHOUSE: "gs://x/y" }, `${LAKE}WAREHOUSE is "gs://x/y"; it accepts s3://`],
  ["a key without its secret", { S3_BUCKET: "abc", AWS_ACCESS_KEY: "AK" }, `${LAKE}AWS_SECRET_KEY is missing`],
  ["a secret without its key", { S3_BUCKET: "abc", AWS_SECRET_KEY: "shh" }, `${LAKE}AWS_ACCESS_KEY is missing`],
  ["a REST catalog without its URL", { CATALOG_TYPE: "rest" }, `${LAKE}CATALOG_URI is missing`],
  [
    "a JDBC catalog whose URL is not a database's",
    { S3_BUCKET: "abc", CATALOG_URI: "https://catalog.example" },
    `${LAKE}CATALOG_URI is not a postgres:// URL`
  ]
])("a lake's settings with %s are refused with a message that names the setting", async (_, values, message) => {
  const refused = await Effect.runPromise(Effect.flip(configOf(values)))
  expect(refused.message).toStartWith(message)
  expect(refused.message).not.toContain("shh")
})
