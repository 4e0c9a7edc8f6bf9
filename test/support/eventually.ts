import { availableParallelism, loadavg } from "node:os"
import { Effect } from "effect"

/** How long a test waits for what should happen immediately; the machine may be busy. */
const DEADLINE_MS = 10_000

/** A limit in ms for this moment: longer when more programs want to run than the machine has cores. */
export const allowing = (milliseconds: number): number =>
  milliseconds * Math.max(1, loadavg()[0]! / availableParallelism())

/** Resolves as soon as `holds` returns true; fails with `what` if that does not happen in time. Uses the real clock. */
export const until = async (
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
  withinMs = DEADLINE_MS
): Promise<void> => {
  const begin = performance.now()
  while (!(await holds())) {
    if (performance.now() - begin > allowing(withinMs)) {
      throw new Error(`did not happen within ${withinMs} ms: ${typeof what === "string" ? what : what()}`)
    }
    await Bun.sleep(2)
  }
}

/** {@link until} as an Effect: dies with `what` if it does not happen within 10 s. */
export const eventually = (what: string, holds: () => boolean | Promise<boolean>): Effect.Effect<void> =>
  Effect.promise(() => until(what, holds))

/** Resolves in the next turn of the event loop. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
