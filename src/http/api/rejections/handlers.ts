import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { type RecentRejection, type RejectedAgent, Rejections } from "../../../ports/Rejections.ts"
import { Sites } from "../../../ports/Sites.ts"
import { REJECTED_AGENT_HINT } from "../../shared/rejectedAgent.ts"
import { AdminApi } from "../AdminApi.ts"
import { getSite } from "../sites/lookup.ts"
import type { RejectionJson } from "./api.ts"

/** Rejections in a response unless the request has a `limit`. */
const DEFAULT_LIMIT = 100

/** Sites' agents that are looked through for hints: more than a person would read. */
const MAX_AGENTS = 1_000

const hintOf = ({ count, userAgent }: RejectedAgent): string =>
  `The user agent ${userAgent} was rejected as a bot ${count} times recently. ${REJECTED_AGENT_HINT}`

const rejectionJson = (rejection: RecentRejection, agent: RejectedAgent | undefined): RejectionJson => ({
  at: new Date(rejection.at).toISOString(),
  reason: rejection.reason,
  detail: rejection.detail,
  hostname: rejection.hostname,
  url_path: rejection.urlPath,
  user_agent: rejection.userAgent,
  hint: agent === undefined || rejection.reason !== "Bot" ? null : hintOf(agent)
})

export const RejectionsHandlers = HttpApiBuilder.group(
  AdminApi,
  "rejections",
  Effect.fn(function* (handlers) {
    const sites = yield* Sites
    const rejections = yield* Rejections
    const recent = (siteId: string | null, limit = DEFAULT_LIMIT) => {
      const agents = rejections.rejectedAgents(MAX_AGENTS).filter((agent) => agent.siteId === siteId)
      return rejections.recent(siteId, limit).map((rejection) =>
        rejectionJson(
          rejection,
          agents.find(({ userAgent }) => userAgent === rejection.userAgent)
        )
      )
    }

    return handlers.handleAll({
      ofSite: ({ params, query }) => Effect.map(getSite(sites, params.id), ({ id }) => recent(id, query.limit)),
      withoutSite: ({ query }) => Effect.sync(() => recent(null, query.limit))
    })
  })
)
