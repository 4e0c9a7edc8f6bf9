import { Deferred, Effect, Schema, type Scope, Semaphore } from "effect"

/** Too many questions are waiting, or one waited too long. Try again after a while. */
export class QuestionsBusy extends Schema.TaggedError<QuestionsBusy>()("QuestionsBusy", {
  message: Schema.String
}) {}

export interface QueueLimits {
  /** Questions that run at the same time. */
  readonly atOnce: number
  /** Those of one asker. */
  readonly atOncePerAsker: number
  readonly waitSeconds: number
}

/** Questions that may wait, of all askers: each needs little memory, but no asker should wait for thousands of others. */
const MAX_WAITING = 1_000

interface Lane {
  readonly turns: Semaphore.Semaphore
  /** Questions of this asker that wait or run. */
  present: number
}

/**
 * Runs a limited number of questions at the same time, and a smaller one of each asker: who asks many questions waits for their own before
 * others wait for them.
 */
export class QuestionQueue {
  readonly #limits: QueueLimits
  readonly #all: Semaphore.Semaphore
  readonly #lanes = new Map<string, Lane>()
  #waiting = 0

  constructor(limits: QueueLimits) {
    this.#limits = limits
    this.#all = Semaphore.makeUnsafe(limits.atOnce)
  }

  /** Runs a question when it is the asker's turn. */
  run<A, E, R>(asker: string, question: Effect.Effect<A, E, R>): Effect.Effect<A, E | QuestionsBusy, R> {
    return Effect.suspend((): Effect.Effect<A, E | QuestionsBusy, R> => {
      if (this.#waiting >= MAX_WAITING) {
        return Effect.fail(new QuestionsBusy({ message: "Too many questions are waiting. Try again later." }))
      }
      let isWaiting = true
      this.#waiting++
      const stopWaiting = Effect.sync(() => {
        if (isWaiting) this.#waiting--
        isWaiting = false
      })
      const { waitSeconds } = this.#limits
      const tooLong = Effect.suspend(() =>
        isWaiting
          ? Effect.fail(
              new QuestionsBusy({
                message: `The question waited ${waitSeconds} s for others to finish. Try again later.`
              })
            )
          : Effect.never
      )
      const lane = this.#enter(asker)
      return lane.turns
        .withPermits(1)(this.#all.withPermits(1)(Effect.andThen(stopWaiting, question)))
        .pipe(
          Effect.raceFirst(Effect.delay(tooLong, waitSeconds * 1_000)),
          Effect.ensuring(
            Effect.andThen(
              stopWaiting,
              Effect.sync(() => this.#leave(asker, lane))
            )
          )
        )
    })
  }

  /** Waits for the asker's turn, and keeps it until the scope closes. */
  hold(asker: string): Effect.Effect<void, QuestionsBusy, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const turn = yield* Deferred.make<void, QuestionsBusy>()
      const held = this.run(asker, Effect.andThen(Deferred.succeed(turn, undefined), Effect.never))
      yield* Effect.forkScoped(Effect.onError(held, (cause) => Deferred.failCause(turn, cause)))
      yield* Deferred.await(turn)
    })
  }

  #enter(asker: string): Lane {
    const lane = this.#lanes.get(asker) ?? { turns: Semaphore.makeUnsafe(this.#limits.atOncePerAsker), present: 0 }
    lane.present++
    this.#lanes.set(asker, lane)
    return lane
  }

  #leave(asker: string, lane: Lane): void {
    lane.present--
    if (lane.present === 0) this.#lanes.delete(asker)
  }
}
