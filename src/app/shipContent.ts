import { Effect, Schedule } from "effect"
import { Content } from "../ports/Content.ts"
import { shippedContent } from "../query/content/shippedContent.ts"

/** Between attempts while the app database is unreachable. */
const RETRY = Schedule.spaced("10 seconds")

/**
 * Brings the questions and dashboards that ship with Footfall up to date in the background, since collecting does not wait for them.
 * Several processes may do so at the same time.
 */
export const shipContent = Effect.gen(function* () {
  const content = yield* Content
  const changed = yield* Effect.retry(content.ship(shippedContent), {
    schedule: RETRY,
    while: ({ reason }) => reason === "Unavailable"
  })
  if (changed > 0)
    yield* Effect.logInfo(`Updated the questions and dashboards that ship with Footfall: ${changed} changed.`)
}).pipe(
  Effect.catch((error) => Effect.logError("Can't update the questions and dashboards that ship with Footfall.", error)),
  Effect.forkScoped
)
