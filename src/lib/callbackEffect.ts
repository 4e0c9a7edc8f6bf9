import { Effect, Exit } from "effect"

/*
 * The fast path of a request.
 *
 * A collector mostly waits for its storage, and a fiber that waits costs about 4 us: the fiber, its async context and the way back
 * into it. An effect that only registers a callback does not need one. Such an effect is *direct*:
 *
 *   const saved = callbackEffect<void, StorageError>((resume) => queue.push({ record, resume }))
 *   runDirect(saved, fork, (exit) => …)      // calls queue.push, forks nothing
 *   yield* saved                             // still an ordinary Effect
 *
 * Effect's own combinators (`Effect.tap`, `Effect.catch` …) return effects that are not direct. Code around direct effects uses
 * `thenDirect`, `onFailureDirect`, `suspendDirect` and `allDirect`, whose results are direct again. An `Exit` counts as direct.
 */

const RUN: unique symbol = Symbol("footfall/lib/callbackEffect")

type Done<A, E> = (exit: Exit.Exit<A, E>) => void
/** Starts a fiber, as `Effect.runForkWith(context)` does. */
export type Fork = <A, E>(effect: Effect.Effect<A, E>) => { readonly addObserver: (done: Done<A, E>) => unknown }
type Run<A, E> = (fork: Fork, done: Done<A, E>) => void

interface Direct<A, E> {
  [RUN]?: Run<A, E>
}

/** Makes an effect direct. The property is assigned, since `Object.assign` takes twice as long. */
const withRun = <A, E>(effect: Effect.Effect<A, E>, run: Run<A, E>): Effect.Effect<A, E> => {
  const direct: Effect.Effect<A, E> & Direct<A, E> = effect
  direct[RUN] = run
  return direct
}

const runOf = <A, E>(effect: Effect.Effect<A, E> & Direct<A, E>): Run<A, E> | undefined => effect[RUN]

/** `Effect.callback` for a `register` that calls back exactly once. The result is direct. */
export const callbackEffect = <A, E>(register: (resume: Done<A, E>) => void): Effect.Effect<A, E> =>
  withRun(Effect.callback<A, E>(register), (_fork, done) => register(done))

/** Whether `runDirect` runs the effect without a fiber. */
export const isDirect = (effect: Effect.Effect<unknown, unknown>): boolean =>
  Exit.isExit(effect) || runOf(effect) !== undefined

/**
 * Runs an effect and passes its exit to `done`, which must not throw: without a fiber if the effect is direct, otherwise in one started
 * by `fork`.
 */
export const runDirect = <A, E>(effect: Effect.Effect<A, E>, fork: Fork, done: Done<A, E>): void => {
  if (Exit.isExit(effect)) {
    done(effect as Exit.Exit<A, E>)
    return
  }
  const run = runOf(effect)
  if (run === undefined) {
    fork(effect).addObserver(done)
    return
  }
  try {
    run(fork, done)
  } catch (defect) {
    done(Exit.die(defect))
  }
}

/** Continues with `next`, whether the effect succeeds or fails. Direct if both effects are. */
export const thenDirect = <A, E, B, E2>(
  effect: Effect.Effect<A, E>,
  next: (exit: Exit.Exit<A, E>) => Effect.Effect<B, E2>
): Effect.Effect<B, E2> => {
  const safeNext = (exit: Exit.Exit<A, E>): Effect.Effect<B, E2> => {
    try {
      return next(exit)
    } catch (defect) {
      return Exit.die(defect)
    }
  }
  if (Exit.isExit(effect)) return safeNext(effect as Exit.Exit<A, E>)
  const continued = Effect.suspend(() => Effect.flatMap(Effect.exit(effect), safeNext))
  return runOf(effect) === undefined
    ? continued
    : withRun(continued, (fork, done) => runDirect(effect, fork, (exit) => runDirect(safeNext(exit), fork, done)))
}

/** Calls `onFailure` if the effect fails. Direct if the effect is. */
export const onFailureDirect = <A, E>(effect: Effect.Effect<A, E>, onFailure: () => void): Effect.Effect<A, E> =>
  thenDirect(effect, (exit) => {
    if (Exit.isFailure(exit)) onFailure()
    return exit
  })

/** Makes the effect only when it is run. Always direct, though a fiber runs the inner effect if that is not. */
export const suspendDirect = <A, E>(make: () => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  withRun(Effect.suspend(make), (fork, done) => runDirect(make(), fork, done))

/** Starts every effect, in order, before waiting for any; succeeds with all exits, in the same order. Always direct. */
export const allDirect = <A, E>(
  effects: ReadonlyArray<Effect.Effect<A, E>>
): Effect.Effect<ReadonlyArray<Exit.Exit<A, E>>> =>
  withRun(Effect.forEach(effects, Effect.exit, { concurrency: "unbounded" }), (fork, done) => {
    const exits = new Array<Exit.Exit<A, E>>(effects.length)
    let missing = effects.length
    if (missing === 0) return done(Exit.succeed(exits))
    effects.forEach((effect, index) => {
      runDirect(effect, fork, (exit) => {
        exits[index] = exit
        if (--missing === 0) done(Exit.succeed(exits))
      })
    })
  })
