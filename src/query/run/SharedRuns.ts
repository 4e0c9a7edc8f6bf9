import { Deferred, Effect, Fiber } from "effect"

interface Run<A, E> {
  readonly result: Deferred.Deferred<A, E>
  readonly fiber: Fiber.Fiber<A, E>
  /** Who waits for the result. */
  waiting: number
}

/** Runs identical work once for everyone who asks for it at the same time. It is interrupted when the last of them has left. */
export class SharedRuns<A, E> {
  readonly #runs = new Map<string, Run<A, E>>()

  /** The result of the work that runs under this key, or of `work`, which begins to. */
  join(key: string, work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function* () {
        const run = this.#runs.get(key) ?? (yield* this.#begin(key, work))
        run.waiting++
        return yield* Effect.onExit(restore(Deferred.await(run.result)), () => this.#leave(key, run))
      })
    )
  }

  #begin(key: string, work: Effect.Effect<A, E>): Effect.Effect<Run<A, E>> {
    return Effect.gen({ self: this }, function* () {
      const result = Deferred.makeUnsafe<A, E>()
      const finish = Effect.onExit(Effect.interruptible(work), (exit) =>
        Effect.suspend(() => {
          if (this.#runs.get(key)?.result === result) this.#runs.delete(key)
          return Deferred.done(result, exit)
        })
      )
      // Not a child of who asks first: others may wait for it when that one leaves.
      const fiber = yield* Effect.forkDetach(finish)
      const run: Run<A, E> = { result, fiber, waiting: 0 }
      this.#runs.set(key, run)
      return run
    })
  }

  #leave(key: string, run: Run<A, E>): Effect.Effect<void> {
    return Effect.suspend(() => {
      run.waiting--
      if (run.waiting > 0) return Effect.void
      if (this.#runs.get(key) === run) this.#runs.delete(key)
      return Fiber.interrupt(run.fiber)
    })
  }
}
