import { type Duration, Effect } from "effect"
import { type IcebergError, icebergError } from "../IcebergError.ts"

/**
 * Waits before a commit's outcome is looked for, in ms: at once, because an answer is mostly lost on its way, then long enough
 * for a database or a balancer to fail over.
 */
export const CHECKS_MS: ReadonlyArray<number> = [0, 1_000, 2_000, 4_000]
/** Nobody waits longer to be told that it is unknown: the caller keeps everything and looks later. */
const DEADLINE: Duration.Input = "30 seconds"

/** Looking for an outcome, which ends: with `Unknown` when the time is over. `what` is what was committed. */
export const withinSettling =
  (what: string) =>
  <A>(self: Effect.Effect<A, IcebergError>): Effect.Effect<A, IcebergError> =>
    Effect.timeoutOrElse(self, {
      duration: DEADLINE,
      orElse: () =>
        Effect.fail(
          icebergError("Unknown", `Whether ${what} was committed was not to be found out within ${DEADLINE}.`)
        )
    })
