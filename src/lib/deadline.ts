import { type Duration, Effect, Fiber } from "effect"

/**
 * `Effect.timeoutOrElse` for work that ignores interruption, such as a driver's statement: it runs in a fiber of its own, which is
 * interrupted when the time is up but not awaited.
 */
export const deadline =
  <B, E2, R2>(options: { readonly duration: Duration.Input; readonly orElse: () => Effect.Effect<B, E2, R2> }) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A | B, E | E2, R | R2> =>
    Effect.flatMap(Effect.forkDetach(effect), (fiber) =>
      Fiber.join(fiber).pipe(Effect.timeoutOrElse(options), Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe())))
    )
