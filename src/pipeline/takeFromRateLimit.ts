import { Exit } from "effect"
import { Rejection } from "../domain/Rejection.ts"
import type { Step } from "./Step.ts"

/** Takes one event from the site's rate limit, or rejects the payload when the limit is used up. */
export const takeFromRateLimit: Step = ({ now, source }, { limiter }) => {
  const retryAfterSeconds = limiter.take(source.id, source.site?.rateLimit ?? null, now)
  return retryAfterSeconds > 0 ? Exit.fail(Rejection.OverLimit({ retryAfterSeconds })) : Exit.void
}
