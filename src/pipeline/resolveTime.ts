import { Exit } from "effect"
import { coerceTimestamp } from "./payload.ts"
import type { Step } from "./Step.ts"

/** The event's time: the payload's own `timestamp`, in seconds, or else now. As in Umami, 0 counts as absent. */
export const resolveTime: Step = (draft) => {
  const { timestamp } = draft.payload
  const seconds = timestamp === undefined ? 0 : coerceTimestamp(timestamp)
  draft.createdAt = seconds === 0 ? draft.now : seconds * 1000
  return Exit.void
}
