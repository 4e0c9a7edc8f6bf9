import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { type RecentRejection, Rejections } from "../../ports/Rejections.ts"
import { Sites } from "../../ports/Sites.ts"
import { AdminApi } from "./Api.ts"
import { notFound, siteIdOf } from "./sites.ts"

/** Rejections answered when the request does not say how many. */
const DEFAULT_LIMIT = 100

const rejectionJson = (rejection: RecentRejection) => ({
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
      ofSite: Effect.fnUntraced(function* ({ params, query }) {
        const id = yield* siteIdOf(params.id)
        yield* Effect.mapError(sites.get(id), notFound)
        return recent(id, query.limit)
      }),
      unplaced: ({ query }) => Effect.sync(() => recent(null, query.limit))
    })
  })
)
