import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { QueryEngine, type QueryError } from "../../ports/QueryEngine.ts"
import { Sites } from "../../ports/Sites.ts"
import { askOverview } from "../../query/overview.ts"
import { instantOf, rangeIssues } from "../../query/range.ts"
import { AdminApi } from "./Api.ts"
import { ExtendTimeout } from "./ExtendTimeout.ts"
import { GatewayTimeout, ServiceUnavailable, UnprocessableContent } from "./Problem.ts"
import { notFound, siteIdOf } from "./sites.ts"
import { logFailure, toldOf } from "./warehouse.ts"

const POINTERS = { from: "#/startAt", until: "#/endAt" } as const

const problemOf = (error: QueryError) =>
  error.reason === "Timeout"
    ? new GatewayTimeout({ detail: `${toldOf(error)} Ask for a shorter range.` })
    : new ServiceUnavailable({ detail: toldOf(error) })

export const StatsHandlers = HttpApiBuilder.group(
  AdminApi,
  "stats",
  Effect.fn(function* (handlers) {
    const sites = yield* Sites
    const engine = yield* QueryEngine

    return handlers.handleAll({
      overview: Effect.fnUntraced(function* ({ params, query: { endAt, startAt } }) {
        const site = yield* siteIdOf(params.id)
        yield* Effect.mapError(sites.get(site), notFound)
        // The last ms belongs to Umami's ranges, with all of its micros.
        const until = endAt + 1
        const errors = rangeIssues(startAt, until).map(({ end, message }) => ({
          pointer: POINTERS[end],
          detail: message
        }))
        if (errors.length > 0) {
          return yield* new UnprocessableContent({ detail: errors.map(({ detail }) => detail).join(" "), errors })
        }
        ;(yield* ExtendTimeout)()
        return yield* askOverview(engine, { site, from: instantOf(startAt), until: instantOf(until) }).pipe(
          Effect.tapError((error) => logFailure(engine, error)),
          Effect.mapError(problemOf)
        )
      })
    })
  })
)
