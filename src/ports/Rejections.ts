import { Context } from "effect"
import type { RejectionReason } from "../domain/Rejection.ts"

/** A rejected payload as kept for the live view, without its IP address. `at` in ms since the epoch. */
export interface RecentRejection {
  readonly at: number
  readonly reason: RejectionReason
  /** What was wrong, at most 200 characters. */
  readonly detail: string
  readonly hostname: string | null
  readonly urlPath: string | null
  readonly userAgent: string | null
}

/** A user agent that is often rejected as a bot: it may be an app or a server of the site's operator. */
export interface RejectedAgent {
  /** Null: the payloads named no registered site. */
  readonly siteId: string | null
  readonly userAgent: string
  /** Of the site's kept rejections. */
  readonly count: number
}

/** How many of a site's kept rejections an agent needs in order to count as often rejected. */
export const OFTEN_REJECTED = 10

/** The last few hundred rejections of each site, in this process's memory, with bounded sites and entries. */
export class Rejections extends Context.Service<
  Rejections,
  {
    /** `siteId` null: the payload named no registered site. */
    readonly add: (siteId: string | null, rejection: RecentRejection) => void
    /** Newest first. */
    readonly recent: (siteId: string | null, limit: number) => ReadonlyArray<RecentRejection>
    /** User agents that are often rejected as bots, most often first, at most `limit`. */
    readonly rejectedAgents: (limit: number) => ReadonlyArray<RejectedAgent>
  }
>()("footfall/ports/Rejections") {}
