import { Clock, Effect, Layer } from "effect"
import { LinkLimits } from "../../src/ports/LinkLimits.ts"
import { Settings } from "../../src/ports/Settings.ts"
import { SHARED_REQUESTS_PER_MINUTE } from "../../src/settings/settings.ts"
import { makeTokenBuckets } from "./TokenBuckets.ts"

/** Links that are remembered: more than an instance may have. */
const MAX_BUCKETS = 5_000
const SECONDS_PER_MINUTE = 60

/** Token buckets for links, which hold as much as a minute earns. */
export const layer: Layer.Layer<LinkLimits, never, Settings> = Layer.effect(
  LinkLimits,
  Effect.map(Settings, (settings) => {
    const buckets = makeTokenBuckets(() => null, MAX_BUCKETS)
    return LinkLimits.of({
      take: (link) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          const perMinute = settings.get(SHARED_REQUESTS_PER_MINUTE)
          return buckets.take(link, { eventsPerSecond: perMinute / SECONDS_PER_MINUTE, burst: perMinute }, now)
        })
    })
  })
)
