import { Exit } from "effect"
import { MILLISECONDS_FROM } from "./limits.ts"
import { coerceTimestamp, payloadError } from "./payload.ts"
import type { Step } from "./Step.ts"

/**
 * The event's time: the payload's own `timestamp`, in seconds as in Umami or in milliseconds, or else now. As in Umami, 0 counts as absent.
 * A time outside the accepted range is a mistake, and rejected.
 */
export const resolveTime: Step = (draft, { policy }) => {
  const { timestamp } = draft.payload
  const given = timestamp === undefined ? 0 : coerceTimestamp(timestamp)
  if (given === 0) {
    draft.createdAt = draft.now
    return Exit.void
  }
  const time = Math.abs(given) < MILLISECONDS_FROM ? given * 1000 : given
  const { earliest, maxAheadMs } = policy.timestamps
  if (time < earliest)
    return Exit.fail(payloadError("timestamp", `Too small: expected a time from ${instant(earliest)} on`))
  if (time > draft.now + maxAheadMs) {
    return Exit.fail(payloadError("timestamp", `Too big: expected a time at most ${maxAheadMs / 1000} seconds ahead`))
  }
  draft.createdAt = time
  return Exit.void
}

const instant = (time: number): string => new Date(time).toISOString()
