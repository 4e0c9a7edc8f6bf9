import { Clock, Effect, type Scope } from "effect"

/** How often the times are written. Until then they are in memory, and lost if the process is killed. */
const INTERVAL = "10 seconds"
/** Uses of more ids within an interval are not recorded until the next. */
const MAX_IDS = 10_000

/**
 * When keys and sessions were last used, written in batches, so that a request does not wait for it. What could not be written is dropped:
 * the next use is written instead.
 */
export class LastUses {
  #times = new Map<string, number>()

  /** Records a use now. */
  touch(id: string): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      if (this.#times.size < MAX_IDS || this.#times.has(id)) this.#times.set(id, now)
    })
  }

  /** Writes every few seconds, and once more when the scope closes. */
  writeWith<E>(
    write: (ids: ReadonlyArray<string>, times: ReadonlyArray<number>) => Effect.Effect<unknown, E>
  ): Effect.Effect<void, never, Scope.Scope> {
    const flush = Effect.suspend(() => {
      if (this.#times.size === 0) return Effect.void
      const times = this.#times
      this.#times = new Map()
      return Effect.ignore(write([...times.keys()], [...times.values()]))
    })
    return Effect.gen(function* () {
      yield* Effect.addFinalizer(() => flush)
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(INTERVAL), flush)))
    })
  }
}
