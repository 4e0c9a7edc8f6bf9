import { expect, test } from "bun:test"
import fc from "fast-check"
import { makeRejectionRing } from "../../../layers/inprocess/RejectionRing.ts"
import type { RecentRejection } from "../../../src/ports/Rejections.ts"

const rejection = (at: number, more: Partial<RecentRejection> = {}): RecentRejection => ({
  at,
  reason: "Bot",
  detail: "",
  hostname: null,
  urlPath: null,
  userAgent: null,
  ...more
})
const times = (entries: ReadonlyArray<RecentRejection>) => entries.map(({ at }) => at)

/** Does not compile if a rejection gets another key, which could hold an IP address. */
const keys: Record<keyof RecentRejection, true> = {
  at: true,
  reason: true,
  detail: true,
  hostname: true,
  urlPath: true,
  userAgent: true
}

test("a rejection never stores an IP address", () => {
  const ring = makeRejectionRing()
  ring.add("a", { ...rejection(1), ip: "81.2.69.142" } as RecentRejection)
  expect(Object.keys(ring.recent("a", 1)[0]!).sort()).toEqual(Object.keys(keys).sort())
  expect(JSON.stringify(ring.recent("a", 1))).not.toContain("81.2.69.142")
})

test("each site has its own rejections", () => {
  const ring = makeRejectionRing()
  ring.add("a", rejection(1))
  ring.add(null, rejection(2))
  expect([times(ring.recent("a", 10)), times(ring.recent(null, 10)), times(ring.recent("b", 10))]).toEqual([
    [1],
    [2],
    []
  ])
})

test("the newest rejections come first, and the oldest are overwritten", () => {
  const ring = makeRejectionRing({ perSite: 3 })
  for (const at of [1, 2, 3, 4, 5]) ring.add("a", rejection(at))
  expect(times(ring.recent("a", 10))).toEqual([5, 4, 3])
  expect(times(ring.recent("a", 2))).toEqual([5, 4])
  expect(times(ring.recent("a", 0))).toEqual([])
  expect(times(ring.recent("a", -1))).toEqual([])
})

test("long strings are cut, and a lone surrogate is replaced", () => {
  const ring = makeRejectionRing()
  const long = `${"x".repeat(99)}😀${"y".repeat(1_000_000)}`
  ring.add("a", rejection(1, { detail: long, hostname: long, urlPath: long, userAgent: long }))
  const [entry] = ring.recent("a", 1)
  expect(entry?.detail).toBe(`${"x".repeat(99)}😀${"y".repeat(99)}`)
  expect(entry?.hostname).toBe(`${"x".repeat(99)}\ufffd`)
  expect([entry?.urlPath?.length, entry?.userAgent?.length]).toEqual([500, 300])
})

test("when the total is reached, the site with the oldest last rejection is dropped", () => {
  const ring = makeRejectionRing({ perSite: 2, maxTotal: 4 })
  for (const site of ["a", "b", "a", "b", "a", "c"]) ring.add(site, rejection(1))
  expect([ring.recent("a", 9).length, ring.recent("b", 9).length, ring.recent("c", 9).length]).toEqual([2, 0, 1])
})

test("each site's newest rejections are kept in order, within the limits", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 5, max: 20 }),
      fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f", null), { maxLength: 200 }),
      (perSite, maxTotal, sites) => {
        const ring = makeRejectionRing({ perSite, maxTotal })
        for (const [at, site] of sites.entries()) ring.add(site, rejection(at))
        let total = 0
        for (const site of new Set(sites)) {
          const kept = times(ring.recent(site, 1_000))
          const all = sites.flatMap((current, at) => (current === site ? [at] : [])).reverse()
          expect(kept).toEqual(all.slice(0, kept.length))
          expect(kept.length).toBeLessThanOrEqual(perSite)
          total += kept.length
        }
        expect(total).toBeLessThanOrEqual(maxTotal)
        const last = sites.at(-1)
        if (last !== undefined) expect(ring.recent(last, 1)).toHaveLength(1)
      }
    )
  )
})
