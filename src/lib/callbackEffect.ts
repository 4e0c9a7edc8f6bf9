import { Effect, Effectable, Exit } from "effect"

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

type Done<A, E> = (exit: Exit.Exit<A, E>) => void
/** Starts a fiber, as `Effect.runForkWith(context)` does. */
export type Fork = <A, E>(effect: Effect.Effect<A, E>) => { readonly addObserver: (done: Done<A, E>) => unknown }

/** An effect that `runDirect` runs without a fiber. Anything else runs `asEffect`, which is made only then. */
abstract class Direct<A, E> extends Effectable.Class<A, E> {
  abstract run(fork: Fork, done: Done<A, E>): void
}

class Callback<A, E> extends Direct<A, E> {
  readonly register: (resume: Done<A, E>) => void
  constructor(register: (resume: Done<A, E>) => void) {
    super()
    this.register = register
  }
  run(_fork: Fork, done: Done<A, E>): void {
    this.register(done)
  }
  asEffect(): Effect.Effect<A, E> {
    return Effect.callback(this.register)
  }
}

class Then<A, E, B, E2> extends Direct<B, E2> {
  readonly effect: Direct<A, E>
  readonly next: (exit: Exit.Exit<A, E>) => Effect.Effect<B, E2>
  constructor(effect: Direct<A, E>, next: (exit: Exit.Exit<A, E>) => Effect.Effect<B, E2>) {
    super()
    this.effect = effect
    this.next = next
  }
  run(fork: Fork, done: Done<B, E2>): void {
    runDirect(this.effect, fork, (exit) => runDirect(safely(this.next, exit), fork, done))
  }
  asEffect(): Effect.Effect<B, E2> {
    return continued(this.effect, this.next)
  }
}

class Suspend<A, E> extends Direct<A, E> {
  readonly make: () => Effect.Effect<A, E>
  constructor(make: () => Effect.Effect<A, E>) {
    super()
    this.make = make
  }
  run(fork: Fork, done: Done<A, E>): void {
    runDirect(this.make(), fork, done)
  }
  asEffect(): Effect.Effect<A, E> {
    return Effect.suspend(this.make)
  }
}

class All<A, E> extends Direct<ReadonlyArray<Exit.Exit<A, E>>, never> {
  readonly effects: ReadonlyArray<Effect.Effect<A, E>>
  constructor(effects: ReadonlyArray<Effect.Effect<A, E>>) {
    super()
    this.effects = effects
  }
  run(fork: Fork, done: Done<ReadonlyArray<Exit.Exit<A, E>>, never>): void {
    const exits = new Array<Exit.Exit<A, E>>(this.effects.length)
    let missing = exits.length
    if (missing === 0) done(Exit.succeed(exits))
    this.effects.forEach((effect, index) => {
      runDirect(effect, fork, (exit) => {
        exits[index] = exit
        if (--missing === 0) done(Exit.succeed(exits))
      })
    })
  }
  asEffect(): Effect.Effect<ReadonlyArray<Exit.Exit<A, E>>> {
    return Effect.forEach(this.effects, Effect.exit, { concurrency: "unbounded" })
  }
}

const safely = <A, E, B, E2>(
  next: (exit: Exit.Exit<A, E>) => Effect.Effect<B, E2>,
  exit: Exit.Exit<A, E>
): Effect.Effect<B, E2> => {
  try {
    return next(exit)
  } catch (defect) {
    return Exit.die(defect)
  }
}

const continued = <A, E, B, E2>(
  effect: Effect.Effect<A, E>,
  next: (exit: Exit.Exit<A, E>) => Effect.Effect<B, E2>
): Effect.Effect<B, E2> => Effect.flatMap(Effect.exit(effect), (exit) => safely(next, exit))

/** `Effect.callback` for a `register` that calls back exactly once. The result is direct. */
export const callbackEffect = <A, E>(register: (resume: Done<A, E>) => void): Effect.Effect<A, E> =>
  new Callback(register)

/** Whether `runDirect` runs the effect without a fiber. */
export const isDirect = (effect: Effect.Effect<unknown, unknown>): boolean =>
  effect instanceof Direct || Exit.isExit(effect)

/**
 * Runs an effect and passes its exit to `done`, which must not throw: without a fiber if the effect is direct, otherwise in one started
 * by `fork`.
 */
export const runDirect = <A, E>(effect: Effect.Effect<A, E>, fork: Fork, done: Done<A, E>): void => {
  if (effect instanceof Direct) {
    try {
      effect.run(fork, done)
    } catch (defect) {
      done(Exit.die(defect))
    }
  } else if (Exit.isExit(effect)) {
    done(effect as Exit.Exit<A, E>)
  } else {
    fork(effect).addObserver(done)
  }
}

/** Continues with `next`, whether the effect succeeds or fails. Direct if both effects are. */
export const thenDirect = <A, E, B, E2>(
  effect: Effect.Effect<A, E>,
  next: (exit: Exit.Exit<A, E>) => Effect.Effect<B, E2>
): Effect.Effect<B, E2> => {
  if (effect instanceof Direct) return new Then<A, E, B, E2>(effect, next)
  return Exit.isExit(effect) ? safely(next, effect as Exit.Exit<A, E>) : continued(effect, next)
}

/** Calls `onFailure` if the effect fails. Direct if the effect is. */
export const onFailureDirect = <A, E>(effect: Effect.Effect<A, E>, onFailure: () => void): Effect.Effect<A, E> =>
  thenDirect(effect, (exit) => {
    if (Exit.isFailure(exit)) onFailure()
    return exit
  })

/** Calls `onSuccess` if the effect succeeds. Direct if the effect is. */
export const onSuccessDirect = <A, E>(effect: Effect.Effect<A, E>, onSuccess: () => void): Effect.Effect<A, E> =>
  thenDirect(effect, (exit) => {
    if (Exit.isSuccess(exit)) onSuccess()
    return exit
  })

/** Makes the effect only when it is run. Always direct, though a fiber runs the inner effect if that is not. */
export const suspendDirect = <A, E>(make: () => Effect.Effect<A, E>): Effect.Effect<A, E> => new Suspend(make)

/** Starts every effect, in order, before waiting for any; succeeds with all exits, in the same order. Always direct. */
export const allDirect = <A, E>(
  effects: ReadonlyArray<Effect.Effect<A, E>>
): Effect.Effect<ReadonlyArray<Exit.Exit<A, E>>> => new All(effects)
