import { Effect, Schedule } from "effect"

const POLL_MS = 10
const PENDING = Symbol()

/** Polls until the value is defined, and returns it. Returns undefined if it is not after the timeout. */
export const waitFor = <A>(read: () => A | undefined, timeoutMs: number): Effect.Effect<A | undefined> =>
  Effect.suspend(() => {
    const value = read()
    return value === undefined ? Effect.fail(PENDING) : Effect.succeed(value)
  }).pipe(
    Effect.retry(Schedule.spaced(POLL_MS).pipe(Schedule.upTo({ duration: timeoutMs }))),
    Effect.orElseSucceed(() => undefined)
  )
