import { expect, test } from "bun:test"
import fc from "fast-check"
import { LruCache } from "../../src/lib/LruCache.ts"

test("the cache keeps recently used entries and drops others", () => {
  const recent = new LruCache<number>(4)
  for (const n of [1, 2, 3]) recent.set(`${n}`, n)
  expect(recent.get("1")).toBe(1)
  recent.set("4", 4)
  expect([recent.get("2"), recent.get("1")]).toEqual([undefined, 1])
})

test("a cached null is a hit", () => {
  const recent = new LruCache<null>(2)
  recent.set("a", null)
  expect(recent.get("a")).toBeNull()
})

test("the cache never holds more entries than its limit, and never returns a wrong value", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 20 }), fc.array(fc.tuple(fc.boolean(), fc.nat(60))), (entries, steps) => {
      const recent = new LruCache<number>(entries)
      for (const [write, n] of steps) {
        if (write) recent.set(`${n}`, n)
        else expect(recent.get(`${n}`) ?? n).toBe(n)
      }
      const held = Array.from({ length: 61 }, (_, n) => `${n}`).filter((key) => recent.get(key) !== undefined)
      expect(held.length).toBeLessThanOrEqual(entries)
    })
  )
})

test("a deleted entry is gone from both generations", () => {
  const recent = new LruCache<number>(4)
  for (const [index, key] of ["a", "b", "c"].entries()) recent.set(key, index)
  for (const key of ["a", "c"]) recent.delete(key)
  expect(["a", "b", "c"].map((key) => recent.get(key))).toEqual([undefined, 1, undefined])
})
