import { type Duration, Effect, Fiber } from "effect"

/**
 * The statement's answer within the time, else `late`. The driver takes up to 5 s to break off a statement that a server does
 * not answer, and keeps its connection for as long; the one who asked does not wait for that.
 */
export const within = <A, E, B, F>(
  statement: Effect.Effect<A, E>,
  duration: Duration.Input,
  late: Effect.Effect<B, F>
): Effect.Effect<A | B, E | F> =>
  Effect.flatMap(Effect.forkDetach(statement), (fiber) =>
    Fiber.join(fiber).pipe(
      Effect.timeoutOrElse({ duration, orElse: () => late }),
      Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe()))
    )
  )
