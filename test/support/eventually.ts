import { Effect } from "effect"

/** How long a test waits for what should happen at once; the machine may be busy. */
const DEADLINE_MS = 10_000

/** Resolves as soon as `holds` answers true; fails with `what` when it does not within the time. Runs on the real clock. */
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

/** {@link until} as an Effect: dies with `what` when it does not happen within 10 s. */
export const eventually = (what: string, holds: () => boolean | Promise<boolean>): Effect.Effect<void> =>
  Effect.promise(() => until(what, holds))

/** Resolves when the event loop has come round. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
