import { Effect } from "effect"

/** How long a test waits for what should happen at once; the machine may be busy. */
const DEADLINE_MS = 10_000

/** Resumes as soon as `holds` answers true; dies with `what` when it does not within 10 s. Runs on the real clock. */
export const eventually = (what: string, holds: () => boolean | Promise<boolean>): Effect.Effect<void> =>
  Effect.promise(async () => {
    const end = performance.now() + DEADLINE_MS
    while (!(await holds())) {
      if (performance.now() > end) throw new Error(`did not happen within ${DEADLINE_MS} ms: ${what}`)
      await Bun.sleep(2)
    }
  })
