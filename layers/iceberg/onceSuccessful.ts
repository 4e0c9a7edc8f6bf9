import { Cache, Effect, Exit } from "effect"

/**
 * Runs the effect on first use and keeps its value. Concurrent callers share one run. A failure is not kept: the next caller
 * runs the effect again (`Effect.cached` would keep it).
 */
export const onceSuccessful = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Effect.Effect<A, E>> =>
  Effect.map(
    Cache.makeWith(() => effect, {
      capacity: 1,
      timeToLive: (exit) => (Exit.isSuccess(exit) ? Number.POSITIVE_INFINITY : 0)
    }),
    (cache) => Cache.get(cache, "value")
  )
