import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { SiteId } from "../../../domain/ids.ts"
import { EXAMPLE } from "../../shared/json/fields.ts"
import { SiteCreateJson, SiteJson, SiteUpdateJson } from "../../shared/json/site.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { Conflict, NotFound, ServiceUnavailable, UnprocessableContent } from "../problems.ts"

/** The id is a plain string, because a malformed id is a site that does not exist (404), not a malformed request (400). */
export const bySite = {
  params: { id: Schema.String.annotate({ description: "The site's id, a UUID", examples: [EXAMPLE.siteId] }) }
}

export const DeletedJson = Schema.Struct({
  events: Schema.Int.annotate({ description: "Deleted events", examples: [38_000] }),
  visitors: Schema.Int.annotate({ description: "Deleted visitors", examples: [8_700] })
}).annotate({ identifier: "DeletedData", description: "What was deleted." })

const ResetJson = Schema.Struct({
  ...DeletedJson.fields,
  kept_visitors: Schema.Int.annotate({
    description:
      "Visitors of the last 25 hours, whose browsers may continue a session. They stay as empty rows: without attributes, distinct id and first page and source, with device, language and location only.",
    examples: [120]
  })
}).annotate({ identifier: "ResetData", description: "What was deleted, and what stays." })

/** Sites in one response. */
const MAX_PAGE = 500
export const DEFAULT_PAGE = 100

export class SitesApi extends HttpApiGroup.make("sites")
  .add(
    HttpApiEndpoint.get("list", "/sites", {
      query: {
        archived: Schema.optionalKey(
          Schema.Literals(["true", "false"]).annotate({ description: "`true` includes archived sites" })
        ),
        limit: Schema.optionalKey(
          Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: MAX_PAGE })).annotate({
            description: `Maximum number of sites, 1 to ${MAX_PAGE}; default: ${DEFAULT_PAGE}`,
            examples: [DEFAULT_PAGE]
          })
        ),
        after: Schema.optionalKey(
          SiteId.annotate({
            description: "Id of the last site of the previous page",
            examples: [SiteId.make(EXAMPLE.siteId)]
          })
        )
      },
      success: Schema.Array(SiteJson).annotate({ description: "The sites." }),
      error: ServiceUnavailable
    })
      .annotateMerge(requires("read", "sites"))
      .annotateMerge(
        endpointDocs(
          "List sites",
          'Live sites, ordered by name; `archived=true` includes archived ones. If there are more than `limit`, the response has a `Link` header with the address of the next page (`rel="next"`).'
        )
      ),
    HttpApiEndpoint.post("create", "/sites", {
      payload: SiteCreateJson,
      success: SiteJson,
      error: [Conflict, UnprocessableContent, ServiceUnavailable]
    })
      .annotateMerge(requires("create", "sites"))
      .annotateMerge(
        endpointDocs(
          "Create a site",
          "Every collector accepts its events within 5 s. 409 if a site with the given id already exists."
        )
      ),
    HttpApiEndpoint.get("get", "/sites/:id", {
      ...bySite,
      success: SiteJson,
      error: [NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("read", "sites"))
      .annotateMerge(endpointDocs("Get a site", "Also returns archived sites.")),
    HttpApiEndpoint.put("update", "/sites/:id", {
      ...bySite,
      payload: SiteUpdateJson,
      success: SiteJson,
      error: [NotFound, UnprocessableContent, ServiceUnavailable]
    })
      .annotateMerge(requires("update", "sites"))
      .annotateMerge(endpointDocs("Update a site", "Absent keys keep their values.")),
    HttpApiEndpoint.delete("archive", "/sites/:id", {
      ...bySite,
      success: SiteJson,
      error: [NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("delete", "sites"))
      .annotateMerge(
        endpointDocs(
          "Archive a site",
          "Soft delete: the site accepts no new events and keeps its existing ones. Update it with `archived: false` to restore it."
        )
      ),
    HttpApiEndpoint.post("reset", "/sites/:id/reset", {
      ...bySite,
      success: ResetJson,
      error: [NotFound, Conflict, ServiceUnavailable]
    })
      .annotateMerge(requires("delete", "site-data"))
      .annotateMerge(
        endpointDocs(
          "Delete a site's events",
          "Deletes all events, attributes and visitors so far, for good; the site stays. Visitors of the last 25 hours stay as empty rows (`kept_visitors`). Answers when it is done, which takes some seconds for each million events. 409 if a site's data is being deleted already, or if the storage cannot delete rows (`STORAGE_BACKEND=iceberg`)."
        )
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Sites",
      description: "Registered sites. Every collector picks up a change within 5 s. Requires an administrator."
    })
  ) {}
