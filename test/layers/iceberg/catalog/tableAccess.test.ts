import { expect, test } from "bun:test"
import { Redacted } from "effect"
import { accessOf } from "../../../../layers/iceberg/catalog/rest/tableAccess.ts"

const NOW = 1_700_000_000_000
const MINUTE = 60_000
const keys = (id: string, more: Record<string, string> = {}) => ({
  "s3.access-key-id": id,
  "s3.secret-access-key": `secret of ${id}`,
  ...more
})

test("the vended credentials with the longest matching prefix take precedence over all others", () => {
  const access = accessOf(
    {
      config: {
        ...keys("config"),
        "client.region": "eu-west-1",
        "s3.endpoint": "http://s3:9000",
        "s3.path-style-access": "true"
      },
      "storage-credentials": [
        { prefix: "s3", config: keys("any") },
        { prefix: "s3a://lake/wh/web", config: keys("table") },
        { prefix: "s3://lake/", config: keys("bucket") },
        { prefix: "s3://other/wh/web/events/and/much/longer", config: keys("other") }
      ]
    },
    "s3://lake/wh/web/events",
    NOW
  )
  expect(access).toMatchObject({ endpoint: "http://s3:9000", region: "eu-west-1", pathStyle: true })
  expect(access.keys?.accessKeyId).toBe("table")
  expect(Redacted.value(access.keys!.secretAccessKey)).toBe("secret of table")
  expect(access.renewAt).toBe(Number.POSITIVE_INFINITY)
})

test("a catalog without credentials vends none", () => {
  expect(accessOf({ config: { "s3.region": "us-east-1" } }, "s3://lake/t", NOW)).toMatchObject({
    keys: null,
    region: "us-east-1"
  })
  expect(accessOf({ config: null, "storage-credentials": null }, "s3://lake/t", NOW).keys).toBeNull()
})

test.each([
  ["an hour", String(NOW + 60 * MINUTE), NOW + 55 * MINUTE],
  ["four minutes", String(NOW + 4 * MINUTE), NOW + 3 * MINUTE],
  ["a time in the past", String(NOW - MINUTE), NOW - MINUTE],
  ["an unstated time", undefined, NOW + 7.5 * MINUTE]
])("vended credentials that are valid for %s are renewed before they expire", (_, end, renewAt) => {
  const vended = keys("vended", {
    "s3.session-token": "token",
    ...(end === undefined ? {} : { "s3.session-token-expires-at-ms": end })
  })
  expect(accessOf({ config: vended }, "s3://lake/t", NOW).renewAt).toBe(renewAt)
})
