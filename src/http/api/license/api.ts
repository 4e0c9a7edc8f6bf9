import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Instant } from "../../shared/json/fields.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { Conflict, ServiceUnavailable, UnprocessableContent } from "../problems.ts"

const LicenseJson = Schema.Struct({
  state: Schema.Literals(["open", "licensed", "off"]).annotate({
    description: "`open`: no license is required; `off`: one is required, and none is valid"
  }),
  expires_at: Schema.NullOr(Instant),
  why: Schema.NullOr(Schema.String).annotate({ description: "Why it is off", examples: [null] }),
  source: Schema.Literals(["environment", "table", "default"]).annotate({
    description: "Where the token comes from; `default`: there is none"
  })
}).annotate({ identifier: "License", description: "The license of this instance, without its token." })

const LicenseSetJson = Schema.Struct({
  token: Schema.NullOr(Schema.String).annotate({
    description: "The license token; null removes it",
    examples: ["eyJ…"]
  })
}).annotate({ identifier: "LicenseSet" })

export class LicenseApi extends HttpApiGroup.make("license")
  .add(
    HttpApiEndpoint.get("get", "/api/license", { success: LicenseJson, error: ServiceUnavailable })
      .annotateMerge(requires("read", "license", { withoutLicense: true }))
      .annotateMerge(endpointDocs("Get the license")),
    HttpApiEndpoint.put("set", "/api/license", {
      payload: LicenseSetJson,
      success: LicenseJson,
      error: [Conflict, UnprocessableContent, ServiceUnavailable]
    })
      .annotateMerge(requires("update", "license", { withoutLicense: true }))
      .annotateMerge(
        endpointDocs(
          "Set the license",
          "Stores the token in the settings table (`LICENSE_TOKEN`); every process applies it within 5 s. 422 for a token that is not valid now, 409 if the environment has one."
        )
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({ title: "License", description: "Works without a valid license. Requires an administrator." })
  ) {}
