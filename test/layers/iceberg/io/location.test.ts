import { expect, test } from "bun:test"
import { Effect } from "effect"
import {
  canonicalLocation,
  fileNameOf,
  localPathOf,
  s3LocationOf,
  schemeOf,
  withoutSlash
} from "../../../../layers/iceberg/io/location.ts"

test.each([
  ["s3://lake/wh/a%2Fb=c d.parquet", { bucket: "lake", key: "wh/a%2Fb=c d.parquet" }],
  ["s3a://lake/wh/", { bucket: "lake", key: "wh/" }],
  ["s3n://lake", { bucket: "lake", key: "" }],
  ["s3://lake//double", { bucket: "lake", key: "/double" }]
])("%p is a location in S3", async (location, expected) => {
  expect(schemeOf(location)).toBe("s3")
  expect(await Effect.runPromise(s3LocationOf(location))).toEqual(expected)
})

test.each([
  ["file:///data/wh/a%20b", "/data/wh/a%20b"],
  ["file:/data/wh", "/data/wh"],
  ["/data/wh", "/data/wh"]
])("%p is a local path and is not decoded", (location, path) => {
  expect(schemeOf(location)).toBe("file")
  expect(localPathOf(location)).toBe(path)
})

test.each(["gs://lake/wh", "s3://", "s3:lake/wh", "file://host/data", "data/wh", "", "https://s3/lake"])(
  "the location %p is not supported",
  async (location) => {
    expect(schemeOf(location)).toBe("other")
    expect((await Effect.runPromise(Effect.flip(s3LocationOf(location)))).reason).toBe("Invalid")
  }
)

test("the spellings of one location have the same canonical form", () => {
  expect(["s3a://lake/x", "s3n://lake/x", "s3://lake/x"].map(canonicalLocation)).toEqual(Array(3).fill("s3://lake/x"))
  expect(["file:/x", "file:///x", "/x"].map(canonicalLocation)).toEqual(Array(3).fill("file:///x"))
  expect(canonicalLocation("gs://lake/x")).toBe("gs://lake/x")
})

test("trailing slashes are removed, except that of the root", () => {
  expect(["s3://lake/wh//", "/data/", "/"].map(withoutSlash)).toEqual(["s3://lake/wh", "/data", "/"])
  expect(fileNameOf("s3://lake/wh/v1.metadata.json")).toBe("v1.metadata.json")
})
