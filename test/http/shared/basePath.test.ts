import { expect, test } from "bun:test"
import { pathBelow, withBasePath } from "../../../src/http/shared/basePath.ts"

test.each([
  [null, "/docs", "/docs"],
  ["/stats", "/stats", "/"],
  ["/stats", "/stats/", "/"],
  ["/stats", "/stats/docs", "/docs"],
  ["/stats", "/docs", null],
  ["/stats", "/statsx/docs", null],
  ["/a/b", "/a/docs", null]
])("below the base path %p, the path %p is %p", (base, path, expected) => {
  expect(pathBelow(base, path)).toBe(expected)
})

test.each([
  ["https://example.com", null, "https://example.com"],
  ["https://example.com/", "/stats", "https://example.com/stats"],
  ["https://example.com/stats/", "/stats", "https://example.com/stats"],
  ["https://example.com/mystats", "/stats", "https://example.com/mystats/stats"]
])("the URL %p with the base path %p is %p", (url, base, expected) => {
  expect(withBasePath(url, base)).toBe(expected)
})
