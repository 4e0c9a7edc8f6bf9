import { expect, test } from "bun:test"
import fc from "fast-check"
import { Histogram } from "../../bench/load/Histogram.ts"

const of = (values: ReadonlyArray<number>) => {
  const histogram = new Histogram()
  for (const value of values) histogram.record(value)
  return histogram
}

test("small values are recorded exactly", () => {
  const histogram = of(Array.from({ length: 100 }, (_, i) => i + 1))
  expect([0.5, 0.99, 0.999, 1].map((part) => histogram.quantile(part))).toEqual([50, 99, 100, 100])
  expect([histogram.count, histogram.max]).toEqual([100, 100])
})

test("a quantile of an empty histogram is 0", () => expect(of([]).quantile(0.99)).toBe(0))

test("a quantile is never below the exact one and at most 1/64 above it", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { minLength: 1, maxLength: 300 }),
      fc.constantFrom(0.001, 0.5, 0.9, 0.99, 0.999, 1),
      (values, part) => {
        const exact = values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(part * values.length)) - 1]!
        const told = of(values).quantile(part)
        expect(told).toBeGreaterThanOrEqual(exact)
        expect(told).toBeLessThanOrEqual(exact * (1 + 1 / 64) + 1)
      }
    )
  )
})

test("values beyond the histogram's range count as its largest value", () => {
  const histogram = of([2 ** 40, -5])
  expect([histogram.quantile(0.5), histogram.max]).toEqual([0, 2 ** 31 - 1])
})
