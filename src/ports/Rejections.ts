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

/** The last few hundred rejections of each site, in this process's memory, with bounded sites and entries. */
export class Rejections extends Context.Service<
  Rejections,
  {
    /** `siteId` null: the payload named no registered site. */
    readonly add: (siteId: string | null, rejection: RecentRejection) => void
    /** Newest first. */
    readonly recent: (siteId: string | null, limit: number) => ReadonlyArray<RecentRejection>
  }
>()("footfall/ports/Rejections") {}
