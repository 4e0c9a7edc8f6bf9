import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { REJECTION_REASONS } from "../../../domain/Rejection.ts"
import { Instant } from "../../shared/json/fields.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { NotFound, ServiceUnavailable } from "../problems.ts"
import { bySite } from "../sites/api.ts"

export const RejectionJson = Schema.Struct({
  at: Instant,
  reason: Schema.Literals(REJECTION_REASONS),
  detail: Schema.String.annotate({ examples: ["payload.url: Invalid URL."] }),
  hostname: Schema.NullOr(Schema.String).annotate({ examples: ["www.example.com"] }),
  url_path: Schema.NullOr(Schema.String).annotate({
    description: "Without query and hash, which may contain personal data",
    examples: ["/checkout"]
  }),
  user_agent: Schema.NullOr(Schema.String).annotate({
    examples: ["Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0"]
  }),
  hint: Schema.NullOr(Schema.String).annotate({
    description: "What to do, for a user agent that is often rejected as a bot",
    examples: [null]
  })
}).annotate({
  identifier: "Rejection",
  description: "A payload that was rejected, and why. IP addresses are not kept."
})
export type RejectionJson = typeof RejectionJson.Type

const success = Schema.Array(RejectionJson).annotate({ description: "The rejections, newest first." })

const query = {
  limit: Schema.optionalKey(
    Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 500 })).annotate({
      description: "Maximum number of rejections, 1 to 500; default: 100",
      examples: [100]
    })
  )
}

export class RejectionsApi extends HttpApiGroup.make("rejections")
  .add(
    HttpApiEndpoint.get("ofSite", "/sites/:id/rejections", {
      ...bySite,
      query,
      success,
      error: [NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("read", "rejections", { site: "id" }))
      .annotateMerge(endpointDocs("List a site's rejections", "Newest first.")),
    HttpApiEndpoint.get("withoutSite", "/rejections", { query, success })
      .annotateMerge(requires("read", "rejections-without-site"))
      .annotateMerge(
        endpointDocs("List rejections without a site", "Payloads that named no registered site, newest first.")
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Rejections",
      description:
        "The last few hundred rejected payloads, kept in the memory of the process that handles the request. With several collectors, `/metrics` counts the rejections of all."
    })
  ) {}
