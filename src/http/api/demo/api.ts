import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { EXAMPLE } from "../../shared/json/fields.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { Conflict, NotFound, ServiceUnavailable } from "../problems.ts"
import { DeletedJson } from "../sites/api.ts"

const DemoJson = Schema.Struct({
  site_id: Schema.String.annotate({ examples: [EXAMPLE.siteId] }),
  name: Schema.String.annotate({ examples: ["Demo: Acme Notes"] }),
  events: Schema.Int.annotate({ examples: [38_000] })
}).annotate({ identifier: "Demo", description: "The demo site." })

export class DemoApi extends HttpApiGroup.make("demo")
  .add(
    HttpApiEndpoint.post("create", "/demo", {
      success: DemoJson,
      error: [Conflict, ServiceUnavailable]
    })
      .annotateMerge(requires("create", "demo"))
      .annotateMerge(
        endpointDocs(
          "Create the demo site",
          "A sample site with 90 days of made-up events up to now, to explore Footfall with. Answers when it is done, after some seconds. 409 if it exists."
        )
      ),
    HttpApiEndpoint.delete("remove", "/demo", {
      success: DeletedJson,
      error: [NotFound, Conflict, ServiceUnavailable]
    })
      .annotateMerge(requires("delete", "demo"))
      .annotateMerge(endpointDocs("Remove the demo site", "With everything that it has, for good."))
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({ title: "Demo", description: "A sample site with made-up events. For administrators." })
  ) {}
