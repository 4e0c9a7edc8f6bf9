import { Effect, Layer } from "effect"
import { defaultBurst } from "../../src/domain/Site.ts"
import { RateLimiter } from "../../src/ports/RateLimiter.ts"
import { Settings } from "../../src/ports/Settings.ts"
import { RATE_LIMIT_BURST, RATE_LIMIT_EVENTS_PER_SECOND } from "../../src/settings/settings.ts"

/** Maximum number of buckets: about 10 MB, and far more sites than one collector serves. */
const MAX_BUCKETS = 100_000
/** The part of the buckets that is freed when all are used, so that buckets are not dropped for each new site. */
const FREED = 0.1

interface Bucket {
  /** Events that may pass at the time `at`, including fractions. */
  tokens: number
  at: number
  /** The limit at its last use, which determines when it is full. */
  rate: number
  burst: number
}

/** A rate limiter in which something that was taken may be given back. */
type TokenBuckets = RateLimiter["Service"] & { readonly giveBack: (key: string) => void }

/**
 * Token buckets by site. In any t seconds, a site passes at most `burst + rate * t` events. A clock that is set back adds and takes no
 * tokens. At the maximum number of buckets, full ones are dropped, since they are the same as new ones, then the least recently used.
 */
export const makeTokenBuckets = (
  defaultLimit: () => { readonly eventsPerSecond: number; readonly burst: number } | null,
  maxBuckets = MAX_BUCKETS
): TokenBuckets => {
  const buckets = new Map<string, Bucket>()

  const dropBuckets = (nowMs: number) => {
    for (const [site, bucket] of buckets) {
      if (bucket.tokens + ((nowMs - bucket.at) / 1_000) * bucket.rate >= bucket.burst) buckets.delete(site)
    }
    const tooMany = buckets.size - Math.floor(maxBuckets * (1 - FREED))
    if (tooMany <= 0) return
    const byUse = [...buckets].sort(([, a], [, b]) => a.at - b.at)
    for (const [site] of byUse.slice(0, tooMany)) buckets.delete(site)
  }

  return {
    giveBack: (key) => {
      const bucket = buckets.get(key)
      if (bucket !== undefined) bucket.tokens = Math.min(bucket.burst, bucket.tokens + 1)
    },
    take: (siteId, own, nowMs) => {
      const limit = own ?? defaultLimit()
      if (limit === null) return 0
      const { eventsPerSecond: rate, burst } = limit
      let bucket = buckets.get(siteId)
      if (bucket === undefined) {
        if (buckets.size >= maxBuckets) dropBuckets(nowMs)
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
  }
}

/** {@link makeTokenBuckets} with the default limit from the live settings `RATE_LIMIT_EVENTS_PER_SECOND` and `RATE_LIMIT_BURST`. */
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
