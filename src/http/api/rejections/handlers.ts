import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { type RecentRejection, Rejections } from "../../../ports/Rejections.ts"
import { Sites } from "../../../ports/Sites.ts"
import { AdminApi } from "../AdminApi.ts"
import { getSite } from "../sites/lookup.ts"
import type { RejectionJson } from "./api.ts"

/** Rejections in a response unless the request has a `limit`. */
const DEFAULT_LIMIT = 100

const rejectionJson = (rejection: RecentRejection): RejectionJson => ({
  at: new Date(rejection.at).toISOString(),
  reason: rejection.reason,
  detail: rejection.detail,
  hostname: rejection.hostname,
  url_path: rejection.urlPath,
  user_agent: rejection.userAgent
})

export const RejectionsHandlers = HttpApiBuilder.group(
  AdminApi,
  "rejections",
  Effect.fn(function* (handlers) {
    const sites = yield* Sites
    const rejections = yield* Rejections
    const recent = (siteId: string | null, limit = DEFAULT_LIMIT) => rejections.recent(siteId, limit).map(rejectionJson)

    return handlers.handleAll({
      ofSite: ({ params, query }) => Effect.map(getSite(sites, params.id), ({ id }) => recent(id, query.limit)),
      withoutSite: ({ query }) => Effect.sync(() => recent(null, query.limit))
    })
  })
)
