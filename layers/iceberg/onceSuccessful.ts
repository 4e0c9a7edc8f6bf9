import { Effect, Option, Semaphore } from "effect"

/** Runs once for everyone, as soon as somebody needs it; a failure is told to whoever asked, and the next one tries again. */
export const onceSuccessful = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Effect.Effect<A, E>> =>
  Effect.map(Semaphore.make(1), (lock) => {
    let done: Option.Option<A> = Option.none()
    const first = Effect.tap(effect, (value) =>
      Effect.sync(() => {
        done = Option.some(value)
      })
    )
    const settled = Effect.suspend(() => (Option.isSome(done) ? Effect.succeed(done.value) : first))
    return Effect.suspend(() => (Option.isSome(done) ? Effect.succeed(done.value) : lock.withPermits(1)(settled)))
  })
