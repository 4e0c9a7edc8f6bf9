import { describe, expect, test } from "bun:test"
import { Effect, Layer } from "effect"
import fc from "fast-check"
import * as TokenBuckets from "../../../layers/inprocess/TokenBuckets.ts"
import { makeTokenBuckets } from "../../../layers/inprocess/TokenBuckets.ts"
import { defaultBurst } from "../../../src/domain/Site.ts"
import { RateLimiter } from "../../../src/ports/RateLimiter.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { RATE_LIMIT_BURST, RATE_LIMIT_EVENTS_PER_SECOND, type Setting } from "../../../src/settings/settings.ts"

const limit = (eventsPerSecond: number, burst: number) => ({ eventsPerSecond, burst })
const unlimited = () => null

describe("a site's limit", () => {
  test("a site passes its burst at once, then one event per token", () => {
    const { take } = makeTokenBuckets(unlimited)
    const own = limit(2, 3)
    expect([0, 0, 0, 0].map((now) => take("a", own, now))).toEqual([0, 0, 0, 1])
    expect([499, 500, 501].map((now) => take("a", own, now))).toEqual([1, 0, 1])
  })

  test("a rejected event gets the whole seconds until the next token, at least 1", () => {
    const { take } = makeTokenBuckets(unlimited)
    const slow = limit(0.1, 1)
    expect([0, 1, 5_000, 9_500].map((now) => take("a", slow, now))).toEqual([0, 10, 5, 1])
    expect(take("a", slow, 10_000)).toBe(0)
  })

  test("sites have separate buckets", () => {
    const { take } = makeTokenBuckets(unlimited)
    const own = limit(1, 1)
    expect([take("a", own, 0), take("a", own, 0), take("b", own, 0)]).toEqual([0, 1, 0])
  })

  test("a changed limit takes effect at once", () => {
    const { take } = makeTokenBuckets(unlimited)
    expect(take("a", limit(1, 100), 0)).toBe(0)
    expect([take("a", limit(1, 1), 0), take("a", limit(1, 1), 0)]).toEqual([0, 1])
    expect(take("a", limit(100, 1), 10)).toBe(0)
  })
})

describe("the default limit", () => {
  const takes = (
    values: ReadonlyMap<Setting<never>, number | null>,
    own: { eventsPerSecond: number; burst: number } | null = null
  ) =>
    Effect.gen(function* () {
      const { take } = yield* RateLimiter
      return Array.from({ length: 6 }, () => take("a", own, 0))
    }).pipe(
      Effect.provide(TokenBuckets.layer),
      Effect.provide(
        Layer.mock(Settings, {
          get: <A>(setting: Setting<A>) => (values.get(setting as never) ?? setting.default) as A
        })
      ),
      Effect.runSync
    )
  const settings = (rate: number | null, burst: number | null) =>
    new Map<never, number | null>([
      [RATE_LIMIT_EVENTS_PER_SECOND as never, rate],
      [RATE_LIMIT_BURST as never, burst]
    ])

  const cases: ReadonlyArray<readonly [name: string, values: ReturnType<typeof settings>, passed: number]> = [
    ["without settings there is no limit", settings(null, null), 6],
    ["a burst without a rate does not limit", settings(null, 1), 6],
    ["without a burst, it is twice the rate", settings(2, null), 4],
    ["a configured burst applies", settings(2, 3), 3]
  ]
  for (const [name, values, passed] of cases) {
    test(name, () => expect(takes(values).filter((seconds) => seconds === 0)).toHaveLength(passed))
  }

  test("a site's own limit overrides the default", () => {
    expect(takes(settings(1, 1), limit(1, 5)).filter((seconds) => seconds === 0)).toHaveLength(5)
  })

  test("the default burst of a rate is an integer of at least 1", () => {
    expect([0.01, 0.5, 0.6, 1, 2.3, 1_000].map(defaultBurst)).toEqual([1, 1, 2, 2, 5, 2_000])
  })
})

describe("invariants", () => {
  const rates = fc.double({ min: 0.01, max: 5_000, noNaN: true })
  const bursts = fc.integer({ min: 1, max: 1_000 })

  test("a site never passes more than burst + rate * t in any span of t seconds", () => {
    fc.assert(
      fc.property(
        rates,
        bursts,
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 400 }),
        (rate, burst, gaps) => {
          const { take } = makeTokenBuckets(unlimited)
          const passed: Array<number> = []
          let now = 1_790_000_000_000
          for (const gap of gaps) {
            now += gap
            if (take("a", limit(rate, burst), now) === 0) passed.push(now)
          }
          for (let from = 0; from < passed.length; from++) {
            const seconds = (passed.at(-1)! - passed[from]!) / 1_000
            expect(passed.length - from).toBeLessThanOrEqual(burst + rate * seconds + 1e-6)
          }
        }
      )
    )
  })

  test("an event passes once Retry-After has elapsed, if no other event came", () => {
    fc.assert(
      fc.property(rates, bursts, (rate, burst) => {
        const { take } = makeTokenBuckets(unlimited)
        let seconds = 0
        while (seconds === 0) seconds = take("a", limit(rate, burst), 0)
        expect(take("a", limit(rate, burst), seconds * 1_000)).toBe(0)
      })
    )
  })

  test("a clock that is set back passes no additional event and extends no wait", () => {
    fc.assert(
      fc.property(
        rates,
        bursts,
        fc.array(fc.integer({ min: -100_000, max: 400 }), { maxLength: 300 }),
        (rate, burst, gaps) => {
          const { take } = makeTokenBuckets(unlimited)
          let now = 1_790_000_000_000
          let forward = 0
          let passed = 0
          let seconds = 0
          for (const gap of gaps) {
            now += gap
            forward += Math.max(0, gap)
            seconds = take("a", limit(rate, burst), now)
            if (seconds === 0) passed++
          }
          expect(passed).toBeLessThanOrEqual(burst + (rate * forward) / 1_000 + 1e-6)
          expect(seconds).toBeLessThanOrEqual(Math.ceil(1 / rate))
        }
      )
    )
  })

  test("with more sites than buckets, full buckets are dropped and limits still hold", () => {
    const { take } = makeTokenBuckets(unlimited, 10)
    const own = limit(1, 2)
    expect([take("busy", own, 99_999), take("busy", own, 99_999), take("busy", own, 99_999)]).toEqual([0, 0, 1])
    for (let site = 0; site < 9; site++) take(`idle ${site}`, own, 0)
    expect(take("another", own, 100_000)).toBe(0)
    expect(take("busy", own, 100_000)).toBe(1)
  })

  test("with more busy sites than buckets, the least recently used buckets start again full", () => {
    const { take } = makeTokenBuckets(unlimited, 10)
    const own = limit(0.001, 1)
    for (let site = 0; site < 10; site++) expect(take(`${site}`, own, site)).toBe(0)
    expect(take("10", own, 10)).toBe(0)
    expect(take("1", own, 11)).toBeGreaterThan(0)
    expect(take("0", own, 11)).toBe(0)
  })
})
