import { Data, type Duration, Effect, Schedule } from "effect"
import { IcebergError } from "../IcebergError.ts"

/**
 * Delays between checks for a commit's outcome: the first check runs at once, because usually only the response was lost; the
 * later ones run after 1, 2 and 4 seconds, which outlasts the failover of a database or load balancer.
 */
const CHECKS = Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 3 }))
/** Longest time spent on finding out. The caller keeps all files and checks again later. */
const DEADLINE: Duration.Input = "30 seconds"

/** Another change came first. `isCertain`: no attempt of ours can have been applied, so files written for it may be deleted. */
export interface Superseded {
  readonly _tag: "Superseded"
  readonly isCertain: boolean
}
interface Applied<A> {
  readonly _tag: "Applied"
  readonly value: A
}
/** What became of a change. */
export type Outcome<A> = Applied<A> | Superseded

/** The result of sending a change once. */
export type Attempt<A> =
  | Outcome<A>
  /** The server reports a conflict. It may be answering a repetition of our own request, so it has to be verified. */
  | { readonly _tag: "Refused"; readonly message: string }
  /** The change may have been applied or may still be. */
  | { readonly _tag: "Lost"; readonly message: string }

/** What the current state shows about a change. */
export type Observation<A> =
  | Applied<A>
  /** Another change came first; ours can no longer be applied. */
  | { readonly _tag: "Superseded" }
  /** Neither. The change may be sent again. */
  | { readonly _tag: "Pending" }
  /** The state does not show what happened, and never will. */
  | { readonly _tag: "Inconclusive"; readonly message: string }

export interface Change<A> {
  /** What is committed, for messages. */
  readonly what: string
  /** Sends the same request each time; it can be applied only once. A failure means that the change was not applied. */
  readonly send: Effect.Effect<Attempt<A>, IcebergError>
  /**
   * Reads the current state. `isAmbiguous`: an earlier attempt may have been applied. `NotFound` ends the search; any other
   * failure counts as a check without a result.
   */
  readonly observe: (isAmbiguous: boolean) => Effect.Effect<Observation<A>, IcebergError>
}

/** A check that did not find out. */
class Unresolved extends Data.TaggedError("Unresolved") {}

/**
 * Sends a change and finds out whether it was applied:
 *
 *     send ──▶ Applied, Superseded                     the outcome
 *       └────▶ Refused, Lost ──▶ observe ──▶ Applied, Superseded
 *                 ▲                 │
 *                 └── send again ◀──┴── Pending        up to four times
 *
 * Fails with `Unknown` if the outcome cannot be determined, and with the error of the first attempt if that was definite.
 */
export const resolveOutcome = <A>({ observe, send, what }: Change<A>): Effect.Effect<Outcome<A>, IcebergError> =>
  Effect.gen(function* () {
    const first = yield* send
    if (first._tag === "Applied" || first._tag === "Superseded") return first
    let isAmbiguous = first._tag === "Lost"
    let lastMessage = first.message

    const unknown = (message: string) => IcebergError.unknown(`It is unknown whether ${what} was committed: ${message}`)
    const superseded = (isCertain: boolean): Superseded => ({ _tag: "Superseded", isCertain })
    const ambiguous = ({ message }: { readonly message: string }): Unresolved => {
      isAmbiguous = true
      lastMessage = message
      return new Unresolved()
    }

    const sendAgain = Effect.gen(function* () {
      // An error says nothing about the attempts before.
      const attempt = yield* Effect.mapError(send, ambiguous)
      switch (attempt._tag) {
        case "Applied":
          return attempt
        case "Superseded":
          return superseded(!isAmbiguous)
        case "Refused":
          return yield* new Unresolved()
        case "Lost":
          return yield* ambiguous(attempt)
      }
    })
    const check: Effect.Effect<Outcome<A>, IcebergError | Unresolved> = Effect.gen(function* () {
      const seen = yield* Effect.mapError(observe(isAmbiguous), (error) =>
        error.reason === "NotFound" ? error : ambiguous(error)
      )
      switch (seen._tag) {
        case "Applied":
          return seen
        case "Superseded":
          return superseded(!isAmbiguous)
        case "Pending":
          return yield* sendAgain
        case "Inconclusive":
          return isAmbiguous ? yield* unknown(seen.message) : superseded(false)
      }
    })

    return yield* check.pipe(
      Effect.retry({ while: ({ _tag }) => _tag === "Unresolved", schedule: CHECKS }),
      Effect.catchTag("Unresolved", () =>
        isAmbiguous ? Effect.fail(unknown(lastMessage)) : Effect.succeed<Outcome<A>>(superseded(false))
      ),
      Effect.timeoutOrElse({
        duration: DEADLINE,
        orElse: () => Effect.fail(unknown(`the check did not finish within ${DEADLINE}`))
      })
    )
  })
