import { Clock, Effect } from "effect"

/** Starts a deadline that spans several waits. Returns what is left of it in ms, never less than 0. */
export const makeRemaining = (milliseconds: number): Effect.Effect<() => number> =>
  Effect.map(Clock.Clock, (clock) => {
    const elapsed = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
    const end = elapsed() + milliseconds
    return () => Math.max(0, end - elapsed())
  })
