import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { QueryEngine, type QueryError } from "../../../ports/QueryEngine.ts"
import { Sites } from "../../../ports/Sites.ts"
import { runOverview } from "../../../query/overview.ts"
import { rangeIssues, timestampOf } from "../../../query/range.ts"
import { AdminApi } from "../AdminApi.ts"
import { GatewayTimeout, ServiceUnavailable, UnprocessableContent } from "../problems.ts"
import { withExtendedTimeout } from "../server/ExtendTimeout.ts"
import { logFailure, publicMessage } from "../server/queryFailure.ts"
import { getSite } from "../sites/lookup.ts"

const POINTERS = { from: "#/startAt", until: "#/endAt" } as const

const queryProblem = (error: QueryError) =>
  error.reason === "Timeout"
    ? new GatewayTimeout({ detail: `${publicMessage(error)} Try a shorter range.` })
    : new ServiceUnavailable({
        detail: publicMessage(error),
        ...(error.reason === "NoEngine" && { code: "no-engine" })
      })

export const StatsHandlers = HttpApiBuilder.group(
  AdminApi,
  "stats",
  Effect.fn(function* (handlers) {
    const sites = yield* Sites
    const engine = yield* QueryEngine

    return handlers.handleAll({
      overview: Effect.fnUntraced(function* ({ params, query: { channel, endAt, startAt } }) {
        const site = yield* getSite(sites, params.id)
        // Umami's ranges include all microseconds of their last millisecond.
        const until = endAt + 1
        const errors = rangeIssues(startAt, until).map(({ end, message }) => ({
          pointer: POINTERS[end],
          detail: message
        }))
        if (errors.length > 0) {
          return yield* new UnprocessableContent({ detail: errors.map(({ detail }) => detail).join(" "), errors })
        }
        return yield* withExtendedTimeout(
          runOverview(engine, {
            site: site.id,
            from: timestampOf(startAt),
            until: timestampOf(until),
            ...(channel !== undefined && { channel })
          })
        ).pipe(
          Effect.tapError((error) => logFailure(engine, error)),
          Effect.mapError(queryProblem)
        )
      })
    })
  })
)
