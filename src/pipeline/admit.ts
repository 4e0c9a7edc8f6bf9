import { Exit } from "effect"
import { Rejection } from "../domain/Rejection.ts"
import type { RateLimiter } from "../ports/RateLimiter.ts"
import type { Source } from "./findSource.ts"
import type { Policy } from "./Policy.ts"
import type { Client } from "./resolveClient.ts"

/** Refuses bots, ignored addresses and what is over the site's rate, in this order (wire contract 1.3). */
export const admit = (
  client: Client,
  source: Source,
  now: number,
  policy: Policy["Service"],
  limiter: RateLimiter["Service"]
): Exit.Exit<void, Rejection> => {
  if (client.bot && policy.refuseBots) return Exit.fail(Rejection.Bot())
  if (policy.isIgnored(client.ip)) return Exit.fail(Rejection.BlockedIp())
  const retryAfterSeconds = limiter.take(source.id, source.rateLimit, now)
  return retryAfterSeconds > 0 ? Exit.fail(Rejection.OverLimit({ retryAfterSeconds })) : Exit.void
}
