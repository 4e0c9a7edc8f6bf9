import { Context } from "effect"
import type { RateLimit } from "../domain/Site.ts"

/** Token buckets, one per site, in this process. */
export class RateLimiter extends Context.Service<
  RateLimiter,
  {
    /**
     * Takes one event from the site's bucket: 0 if it may pass, otherwise the seconds (whole, at least 1) until it may. `own` is the site's
     * own limit; without one the instance's default applies, and without that nothing is limited.
     */
    readonly take: (siteId: string, own: RateLimit | null, nowMs: number) => number
  }
>()("footfall/ports/RateLimiter") {}
