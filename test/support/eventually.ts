import { Effect } from "effect"

/** How long a test waits for what should happen immediately; the machine may be busy. */
const DEADLINE_MS = 10_000

/** Resolves as soon as `holds` returns true; fails with `what` if that does not happen in time. Uses the real clock. */
export const until = async (
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
  withinMs = DEADLINE_MS
): Promise<void> => {
  const end = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > end) {
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
