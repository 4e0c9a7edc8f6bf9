import { Duration, Effect, Random, Schedule } from "effect"

/** Delays that double from `firstMs` up to `lastMs`. Up to half of each is cut at random, which separates competing writers. */
export const backoff = (firstMs: number, lastMs: number) =>
  Schedule.min([Schedule.exponential(firstMs), Schedule.spaced(lastMs)]).pipe(
    Schedule.modifyDelay(({ duration }) =>
      Effect.map(Random.next, (random) => Duration.toMillis(duration) * (0.5 + random / 2))
    )
  )
