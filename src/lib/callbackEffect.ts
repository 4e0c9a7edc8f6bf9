import { Effect, Exit } from "effect"

/*
 * Most of what a collector does with an event is waiting for its storage, and a fiber that waits costs some 4 us: itself, the
 * async resource that Node's hooks want of it, and the way back into it. An effect that is nothing but one answer can be asked
 * without one.
 */

const REGISTER: unique symbol = Symbol("footfall/lib/callbackEffect")

type Register<A, E> = (resume: (exit: Exit.Exit<A, E>) => void) => void

/** An effect as `Effect.callback` makes it, of a function that calls back once. */
export const callbackEffect = <A, E>(register: Register<A, E>): Effect.Effect<A, E> =>
  Object.assign(Effect.callback<A, E>(register), { [REGISTER]: register })

/** Runs an effect to its exit: at once when it has one, without a fiber when it is a callback effect, else in one that `fork` makes. */
export const runDirect = <A, E>(
  effect: Effect.Effect<A, E>,
  fork: (effect: Effect.Effect<A, E>) => { readonly addObserver: (done: (exit: Exit.Exit<A, E>) => void) => unknown },
  done: (exit: Exit.Exit<A, E>) => void
): void => {
  if (Exit.isExit(effect)) done(effect as Exit.Exit<A, E>)
  else if (!(REGISTER in effect)) fork(effect).addObserver(done)
  else {
    try {
      const register = effect[REGISTER] as Register<A, E>
      register(done)
    } catch (defect) {
      done(Exit.die(defect))
    }
  }
}

/** An effect that is a callback effect when the other one is, and does something when that failed. */
export const onFailureDirect = <A, E>(effect: Effect.Effect<A, E>, failed: () => void): Effect.Effect<A, E> => {
  if (!(REGISTER in effect)) return Effect.tapError(effect, () => Effect.sync(failed))
  const register = effect[REGISTER] as Register<A, E>
  return callbackEffect((resume) =>
    register((exit) => {
      if (Exit.isFailure(exit)) failed()
      resume(exit)
    })
  )
}
