import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { ITEM_KINDS } from "../../../domain/content/Item.ts"
import { Instant } from "../../shared/json/fields.ts"
import { Access, requires } from "../access.ts"
import { EXAMPLE_ID, HeadJson } from "../content/json.ts"
import { READ_PROBLEMS, WRITE_PROBLEMS } from "../content/problem.ts"
import { endpointDocs } from "../endpointDocs.ts"

const item = {
  entity: Schema.Literals(ITEM_KINDS).annotate({ examples: ["card"] }),
  id: Schema.String.annotate({ description: "The item's id", examples: [EXAMPLE_ID] })
}

export const RevisionJson = Schema.Struct({
  id: Schema.Int.annotate({ description: "Its number, from 1", examples: [3] }),
  is_current: Schema.Boolean,
  is_creation: Schema.Boolean,
  description: Schema.String.annotate({ description: "What changed", examples: ["Changed the question."] }),
  user: Schema.Struct({
    id: Schema.NullOr(Schema.String),
    common_name: Schema.String.annotate({ examples: ["Ada Lovelace"] })
  }),
  timestamp: Instant,
  name: Schema.String.annotate({ description: "The item's name in it" }),
  body: Schema.Unknown.annotate({ description: "The item's content in it, to compare and preview" })
}).annotate({ identifier: "Revision", description: "A state that an item had." })

export class RevisionsApi extends HttpApiGroup.make("revisions")
  .add(
    HttpApiEndpoint.get("list", "/api/revision", {
      query: item,
      success: Schema.Array(RevisionJson),
      error: READ_PROBLEMS
    })
      .annotateMerge(requires("read", "revisions", { inCollection: true }))
      .annotateMerge(endpointDocs("List the revisions of an item", "Newest first; the newest 50 are kept.")),
    HttpApiEndpoint.post("revert", "/api/revision/revert", {
      payload: Schema.Struct({ ...item, revision_id: RevisionJson.fields.id }),
      success: HeadJson,
      error: WRITE_PROBLEMS
    })
      .annotateMerge(requires("update", "revisions", { inCollection: true }))
      .annotateMerge(
        endpointDocs(
          "Go back to a revision",
          "The item gets the name, description and content that it had, as a new revision. It stays in its collection."
        )
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Revisions",
      description: "The history of cards, dashboards, segments and cohorts."
    })
  ) {}
