import { Effect, Layer } from "effect"
import { defaultBurst } from "../../src/domain/Site.ts"
import { RateLimiter } from "../../src/ports/RateLimiter.ts"
import { Settings } from "../../src/ports/Settings.ts"
import { RATE_LIMIT_BURST, RATE_LIMIT_EVENTS_PER_SECOND } from "../../src/settings/settings.ts"

/** Sites with a bucket at the same time: about 10 MB, and far more sites than one collector serves. */
const MOST_BUCKETS = 100_000
/** Part of the buckets that is free after room was made, so that it is not made for each new site. */
const ROOM = 0.1

interface Bucket {
  /** Events that may pass now, fractions included; as of `at`. */
  tokens: number
  at: number
  /** The limit it was last used with, to tell whether it is full by now. */
  rate: number
  burst: number
}

/**
 * Token buckets by site. In any span of t seconds a site passes at most `burst + rate * t` events; a clock that is set back adds
 * nothing and takes nothing. A full bucket says nothing, so full ones are dropped when there are too many, and after them the
 * longest unused ones.
 */
export const makeTokenBuckets = (
  fallback: () => { readonly eventsPerSecond: number; readonly burst: number } | null,
  mostBuckets = MOST_BUCKETS
): RateLimiter["Service"] => {
  const buckets = new Map<string, Bucket>()

  const makeRoom = (nowMs: number) => {
    for (const [site, bucket] of buckets) {
      if (bucket.tokens + ((nowMs - bucket.at) / 1_000) * bucket.rate >= bucket.burst) buckets.delete(site)
    }
    const tooMany = buckets.size - Math.floor(mostBuckets * (1 - ROOM))
    if (tooMany <= 0) return
    const byUse = [...buckets].sort(([, a], [, b]) => a.at - b.at)
    for (const [site] of byUse.slice(0, tooMany)) buckets.delete(site)
  }

  return RateLimiter.of({
    take: (siteId, own, nowMs) => {
      const limit = own ?? fallback()
      if (limit === null) return 0
      const { eventsPerSecond: rate, burst } = limit
      let bucket = buckets.get(siteId)
      if (bucket === undefined) {
        if (buckets.size >= mostBuckets) makeRoom(nowMs)
        bucket = { tokens: burst, at: nowMs, rate, burst }
        buckets.set(siteId, bucket)
      } else {
        const earned = nowMs > bucket.at ? ((nowMs - bucket.at) / 1_000) * rate : 0
        bucket.tokens = Math.min(burst, bucket.tokens + earned)
        bucket.at = nowMs
        bucket.rate = rate
        bucket.burst = burst
      }
      if (bucket.tokens >= 1) {
        bucket.tokens -= 1
        return 0
      }
      return Math.max(1, Math.ceil((1 - bucket.tokens) / rate))
    }
  })
}

/** {@link makeTokenBuckets} with the instance's default from the live settings `RATE_LIMIT_EVENTS_PER_SECOND` and `RATE_LIMIT_BURST`. */
export const layer: Layer.Layer<RateLimiter, never, Settings> = Layer.effect(
  RateLimiter,
  Effect.map(Settings, (settings) =>
    makeTokenBuckets(() => {
      const eventsPerSecond = settings.get(RATE_LIMIT_EVENTS_PER_SECOND)
      if (eventsPerSecond === null) return null
      return { eventsPerSecond, burst: settings.get(RATE_LIMIT_BURST) ?? defaultBurst(eventsPerSecond) }
    })
  )
)
