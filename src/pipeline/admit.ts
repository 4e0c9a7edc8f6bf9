import { Effect } from "effect"
import { Rejection } from "../domain/Rejection.ts"
import { RateLimiter } from "../ports/RateLimiter.ts"
import type { Source } from "./findSite.ts"
import { Policy } from "./Policy.ts"
import type { Client } from "./resolveClient.ts"

/** Refuses bots, ignored addresses and what is over the site's rate, in this order (wire contract 1.3). */
export const admit = Effect.fnUntraced(function* (client: Client, source: Source, now: number) {
  const policy = yield* Policy
  if (client.bot && policy.refuseBots) return yield* Effect.fail(Rejection.Bot())
  if (policy.isIgnored(client.ip)) return yield* Effect.fail(Rejection.BlockedIp())
  const limiter = yield* RateLimiter
  const retryAfterSeconds = limiter.take(source.id, source.rateLimit, now)
  if (retryAfterSeconds > 0) return yield* Effect.fail(Rejection.OverLimit({ retryAfterSeconds }))
})
