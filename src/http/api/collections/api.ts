import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { ITEM_KINDS } from "../../../domain/content/Item.ts"
import { PRODUCT_ANALYTICS } from "../../../domain/people.ts"
import { Access, requires } from "../access.ts"
import { HeadJson, pageOf, pageQuery } from "../content/json.ts"
import { READ_PROBLEMS, WRITE_PROBLEMS } from "../content/problem.ts"
import { endpointDocs } from "../endpointDocs.ts"
import {
  CollectionCreateJson,
  CollectionItemJson,
  CollectionJson,
  CollectionTreeJson,
  CollectionUpdateJson
} from "./json.ts"

const byId = {
  params: { id: Schema.String.annotate({ description: "The collection's id", examples: [`${PRODUCT_ANALYTICS.id}`] }) }
}
const archived = {
  archived: Schema.optionalKey(
    Schema.Literals(["true", "false"]).annotate({ description: "`true` lists the trash instead" })
  )
}

export const MODELS = ["collection", ...ITEM_KINDS] as const
const Model = Schema.Literals(MODELS)
/** Kinds of items to find, each `models=…`. */
export const models = Schema.optionalKey(
  Schema.Union([Model, Schema.Array(Model)]).annotate({
    description: "Kinds of items; default: all",
    examples: ["card"]
  })
)

/** Collections come first. */
export const FoundJson = pageOf(Schema.Union([CollectionItemJson, HeadJson]))

export class CollectionsApi extends HttpApiGroup.make("collections")
  .add(
    HttpApiEndpoint.get("list", "/api/collection", {
      query: archived,
      success: Schema.Array(CollectionJson),
      error: READ_PROBLEMS
    })
      .annotateMerge(requires("read", "collections", { inCollection: true }))
      .annotateMerge(
        endpointDocs("List collections", "Product Analytics and those below it that the caller may read.")
      ),
    HttpApiEndpoint.get("tree", "/api/collection/tree", {
      success: Schema.Array(CollectionTreeJson),
      error: READ_PROBLEMS
    })
      .annotateMerge(requires("read", "collections", { inCollection: true }))
      .annotateMerge(endpointDocs("Get the tree of collections", "Those that the caller may read, without the trash.")),
    HttpApiEndpoint.post("create", "/api/collection", {
      payload: CollectionCreateJson,
      success: CollectionJson,
      error: WRITE_PROBLEMS
    })
      .annotateMerge(requires("create", "collections", { inCollection: true }))
      .annotateMerge(
        endpointDocs(
          "Create a collection",
          "Below Product Analytics, or below another collection; up to 10 levels deep."
        )
      ),
    HttpApiEndpoint.get("get", "/api/collection/:id", { ...byId, success: CollectionJson, error: READ_PROBLEMS })
      .annotateMerge(requires("read", "collections", { inCollection: true }))
      .annotateMerge(endpointDocs("Get a collection")),
    HttpApiEndpoint.get("items", "/api/collection/:id/items", {
      ...byId,
      query: { ...pageQuery, models },
      success: FoundJson,
      error: READ_PROBLEMS
    })
      .annotateMerge(requires("read", "collections", { inCollection: true }))
      .annotateMerge(
        endpointDocs(
          "List what is in a collection",
          "Directly in it: collections, then other items, each in the order of their names."
        )
      ),
    HttpApiEndpoint.put("update", "/api/collection/:id", {
      ...byId,
      payload: CollectionUpdateJson,
      success: CollectionJson,
      error: WRITE_PROBLEMS
    })
      .annotateMerge(requires("update", "collections", { inCollection: true }))
      .annotateMerge(
        endpointDocs(
          "Change a collection",
          "Renames it, moves it with `parent_id`, or moves it to the trash with `archived: true`; 409 if items outside use what is in it, or if `revision` is not the newest."
        )
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Collections",
      description: "Folders of saved items. A group's access to a collection holds for everything below it."
    })
  ) {}
