import { Effect, Queue, type Scope } from "effect"
import type { Topic } from "./topics.ts"

export type Reload = Effect.Effect<void, { readonly message: string }>

interface Follower {
  readonly topic: Topic
  readonly wake: Queue.Queue<void>
  /** Whether its last run failed, so that what it holds is out of date. */
  stale: boolean
}

/** Runs everything that has to be reloaded when its topic changes. */
export class Followers {
  readonly #followers = new Set<Follower>()

  /** Reloads whenever the topic may have changed, until the scope closes. Changes during a run lead to one more run. */
  add(topic: Topic, reload: Reload): Effect.Effect<void, never, Scope.Scope> {
    const followers = this.#followers
    return Effect.gen(function* () {
      const follower: Follower = { topic, wake: yield* Queue.sliding<void>(1), stale: false }
      yield* Effect.acquireRelease(
        Effect.sync(() => followers.add(follower)),
        () => Effect.sync(() => followers.delete(follower))
      )
      yield* Queue.take(follower.wake).pipe(Effect.andThen(run(follower, reload)), Effect.forever, Effect.forkScoped)
    })
  }

  /** Wakes the followers of the topic. */
  wake(topic: Topic): void {
    this.#wakeWhere((follower) => follower.topic === topic)
  }

  wakeAll(): void {
    this.#wakeWhere(() => true)
  }

  /** Wakes those whose last run failed. */
  wakeStale(): void {
    this.#wakeWhere(({ stale }) => stale)
  }

  #wakeWhere(applies: (follower: Follower) => boolean): void {
    for (const follower of this.#followers) if (applies(follower)) Queue.offerUnsafe(follower.wake, undefined)
  }
}

/** Logs only the first of several failures in a row. */
const run = (follower: Follower, reload: Reload): Effect.Effect<void> =>
  Effect.matchEffect(reload, {
    onSuccess: () =>
      Effect.sync(() => {
        follower.stale = false
      }),
    onFailure: ({ message }) => {
      if (follower.stale) return Effect.void
      follower.stale = true
      return Effect.logWarning(`Can't reload the ${follower.topic}; will retry: ${message}`)
    }
  })
