import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { EXAMPLE } from "../../shared/json/fields.ts"
import { Access, requires } from "../access.ts"
import { byId, DeletedJson } from "../content/json.ts"
import { READ_PROBLEMS, WRITE_PROBLEMS } from "../content/problem.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { TimelineEventCreateJson, TimelineEventJson, TimelineEventUpdateJson, Timestamp } from "./json.ts"

export class TimelineEventsApi extends HttpApiGroup.make("timelineEvents")
  .add(
    HttpApiEndpoint.get("list", "/api/timeline-event", {
      query: {
        site: Schema.optionalKey(
          Schema.String.annotate({ description: "Notes of this site, and of all sites", examples: [EXAMPLE.siteId] })
        ),
        from: Schema.optionalKey(Timestamp),
        until: Schema.optionalKey(Timestamp),
        archived: Schema.optionalKey(Schema.Literals(["true", "false"]))
      },
      success: Schema.Array(TimelineEventJson),
      error: READ_PROBLEMS
    })
      .annotateMerge(requires("read", "timeline-events"))
      .annotateMerge(
        endpointDocs(
          "List notes",
          "From `from` up to, but not including, `until`; those of sites that the caller may see."
        )
      ),
    HttpApiEndpoint.post("create", "/api/timeline-event", {
      payload: TimelineEventCreateJson,
      success: TimelineEventJson,
      error: WRITE_PROBLEMS
    })
      .annotateMerge(requires("create", "timeline-events"))
      .annotateMerge(endpointDocs("Create a note")),
    HttpApiEndpoint.get("get", "/api/timeline-event/:id", {
      ...byId,
      success: TimelineEventJson,
      error: READ_PROBLEMS
    })
      .annotateMerge(requires("read", "timeline-events"))
      .annotateMerge(endpointDocs("Get a note")),
    HttpApiEndpoint.put("update", "/api/timeline-event/:id", {
      ...byId,
      payload: TimelineEventUpdateJson,
      success: TimelineEventJson,
      error: WRITE_PROBLEMS
    })
      .annotateMerge(requires("update", "timeline-events"))
      .annotateMerge(
        endpointDocs("Change a note", "Absent keys keep their values. 409 if `revision` is not the newest.")
      ),
    HttpApiEndpoint.delete("remove", "/api/timeline-event/:id", {
      ...byId,
      success: DeletedJson,
      error: WRITE_PROBLEMS
    })
      .annotateMerge(requires("delete", "timeline-events"))
      .annotateMerge(endpointDocs("Delete a note", "For good."))
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Notes on the time axis",
      description: "What happened when, such as a release or a campaign. Charts over time show them."
    })
  ) {}
