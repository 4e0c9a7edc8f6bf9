import { expect, test } from "bun:test"
import { LruCache } from "../../../layers/iceberg/LruCache.ts"

test("an LRU cache drops the least recently used value", () => {
  const cache = new LruCache<number>(2)
  cache.set("a", 1)
  cache.set("b", 2)
  expect(cache.get("a")).toBe(1)
  cache.set("c", 3)
  expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual([1, null, 3])
})

test("replacing a value in an LRU cache drops no other value", () => {
  const cache = new LruCache<number>(2)
  cache.set("a", 1)
  cache.set("b", 2)
  cache.set("a", 3)
  expect([cache.get("a"), cache.get("b")]).toEqual([3, 2])
})
