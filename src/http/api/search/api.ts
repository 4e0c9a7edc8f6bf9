import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Access, requires } from "../access.ts"
import { FoundJson, models } from "../collections/api.ts"
import { pageQuery } from "../content/json.ts"
import { READ_PROBLEMS } from "../content/problem.ts"
import { endpointDocs } from "../endpointDocs.ts"

export class SearchApi extends HttpApiGroup.make("search")
  .add(
    HttpApiEndpoint.get("search", "/api/search", {
      query: {
        q: Schema.optionalKey(
          Schema.String.check(Schema.isMaxLength(200)).annotate({
            description: "Part of the name or description; default: everything",
            examples: ["visits"]
          })
        ),
        ...pageQuery,
        models
      },
      success: FoundJson,
      error: READ_PROBLEMS
    })
      .annotateMerge(requires("read", "search", { inCollection: true }))
      .annotateMerge(
        endpointDocs(
          "Search saved items",
          "Upper and lower case are the same. Collections come first, then an item with exactly this name."
        )
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Search",
      description: "Collections that the caller may read, and the cards, dashboards, segments and cohorts in them."
    })
  ) {}
