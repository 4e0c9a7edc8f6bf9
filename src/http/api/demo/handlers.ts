import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Demo } from "../../../pipeline/demo/Demo.ts"
import { AdminApi } from "../AdminApi.ts"
import { Conflict, ServiceUnavailable } from "../problems.ts"
import { withExtendedTimeout } from "../server/ExtendTimeout.ts"
import { deletionProblem } from "../sites/deletionProblem.ts"
import { siteNotFound, siteUnavailable } from "../sites/lookup.ts"

export const DemoHandlers = HttpApiBuilder.group(
  AdminApi,
  "demo",
  Effect.fn(function* (handlers) {
    const demo = yield* Demo
    return handlers.handleAll({
      create: () =>
        withExtendedTimeout(demo.create()).pipe(
          Effect.catchTags({
            DemoExists: ({ message }) => Effect.fail(new Conflict({ detail: message })),
            SitesError: (error) => Effect.fail(siteUnavailable(error)),
            StorageError: () =>
              Effect.fail(
                new ServiceUnavailable({
                  detail: "Not all events could be stored. Remove the demo site, and create it again."
                })
              )
          }),
          Effect.map(({ events, site }) => ({ site_id: site.id, name: site.name, events }))
        ),
      remove: () =>
        withExtendedTimeout(demo.remove).pipe(
          Effect.catchTags({
            SitesError: (error) => Effect.fail(siteNotFound(error)),
            SiteDataError: (error) => Effect.fail(deletionProblem(error))
          })
        )
    })
  })
)
