import { Clock, Context, Effect, Layer } from "effect"

/** A pause between questions that is longer is quiet: a page sends one question after the other. */
const QUIET_MS = 3_000
/** How long work gives way. After that, it would never be done where someone always asks. */
const MOST_MS = 30_000
const POLL_MS = 250

/** Knows whether anyone waits for answers, so that work in the background can give way. */
export class Asking extends Context.Service<
  Asking,
  {
    /** Runs a question that someone waits for. */
    readonly during: <A, E, R>(question: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    /** Waits for a pause of 3 s without questions, but no longer than 30 s. */
    readonly untilQuiet: Effect.Effect<void>
  }
>()("footfall/query/Asking") {}

const make = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const now = () => clock.currentTimeMillisUnsafe()
  let running = 0
  let endedAt = Number.NEGATIVE_INFINITY
  const isQuiet = () => running === 0 && now() - endedAt >= QUIET_MS
  const begin = Effect.sync(() => {
    running++
  })
  const end = Effect.sync(() => {
    running--
    endedAt = now()
  })
  return Asking.of({
    during: (question) =>
      Effect.acquireUseRelease(
        begin,
        () => question,
        () => end
      ),
    untilQuiet: Effect.gen(function* () {
      const until = now() + MOST_MS
      while (!isQuiet() && now() < until) yield* Effect.sleep(POLL_MS)
    })
  })
})

export const layer: Layer.Layer<Asking> = Layer.effect(Asking, make)
