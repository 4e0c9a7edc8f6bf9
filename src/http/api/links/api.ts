import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Access, requires } from "../access.ts"
import { EXAMPLE_ID } from "../content/json.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { BadRequest, Forbidden, NotFound, ServiceUnavailable, UnprocessableContent } from "../problems.ts"
import { EmbeddingJson, EmbeddingUpdateJson, Entity, PublicLinkCreateJson, PublicLinkJson } from "./json.ts"

const byItem = {
  params: { entity: Entity, id: Schema.String.annotate({ description: "The item's id", examples: [EXAMPLE_ID] }) }
}
const WRITE_PROBLEMS = [BadRequest, Forbidden, NotFound, UnprocessableContent, ServiceUnavailable] as const

export class LinksApi extends HttpApiGroup.make("links")
  .add(
    HttpApiEndpoint.get("list", "/api/public-link", {
      success: Schema.Array(PublicLinkJson),
      error: ServiceUnavailable
    })
      .annotateMerge(requires("read", "public-links"))
      .annotateMerge(endpointDocs("List public links", "Newest first, expired ones included; at most 1,000.")),
    HttpApiEndpoint.post("create", "/api/public-link", {
      payload: PublicLinkCreateJson,
      success: PublicLinkJson,
      error: WRITE_PROBLEMS
    })
      .annotateMerge(requires("create", "public-links"))
      .annotateMerge(
        endpointDocs(
          "Create a public link",
          "Works while `ENABLE_PUBLIC_SHARING` is on. It shows one saved question or dashboard, of one site, and nothing of the questions' text."
        )
      ),
    HttpApiEndpoint.delete("revoke", "/api/public-link/:uuid", {
      params: { uuid: Schema.String.annotate({ description: "The link's `uuid`" }) },
      success: Schema.Struct({ uuid: Schema.String, revoked: Schema.Literal(true) }),
      error: [NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("delete", "public-links"))
      .annotateMerge(endpointDocs("Revoke a public link", "From the next request on, it answers 404.")),
    HttpApiEndpoint.get("listEmbeddings", "/api/embedding", {
      success: Schema.Array(EmbeddingJson),
      error: ServiceUnavailable
    })
      .annotateMerge(requires("read", "embeddings"))
      .annotateMerge(endpointDocs("List what may be embedded")),
    HttpApiEndpoint.put("allow", "/api/embedding/:entity/:id", {
      ...byItem,
      payload: EmbeddingUpdateJson,
      success: EmbeddingJson,
      error: WRITE_PROBLEMS
    })
      .annotateMerge(requires("update", "embeddings"))
      .annotateMerge(
        endpointDocs(
          "Allow to embed an item",
          'Works while `ENABLE_EMBEDDING` is on. Your server signs tokens, JWTs with HS256: `{"resource": {"dashboard": id}, "params": {"country": ["DE"]}, "exp": …}`, or `{"question": id}`. What `params` gives is locked.'
        )
      ),
    HttpApiEndpoint.delete("forbid", "/api/embedding/:entity/:id", {
      ...byItem,
      success: Schema.Struct({ id: Schema.String, deleted: Schema.Literal(true) }),
      error: [NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("delete", "embeddings"))
      .annotateMerge(endpointDocs("Forbid to embed an item")),
    HttpApiEndpoint.post("rotate", "/api/embedding/secret", {
      success: Schema.Struct({
        secret: Schema.String.annotate({
          description: "Shown only now",
          examples: ["Vb0v4mXnq3aQ8o0y3J1s8b1r2Zt5u7w9x0A1C2E3G4I"]
        })
      }),
      error: ServiceUnavailable
    })
      .annotateMerge(requires("create", "embedding-secret"))
      .annotateMerge(
        endpointDocs("Make a new secret for embeds", "Tokens that were signed with the old one no longer work.")
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Sharing",
      description: "Public links and signed embeds. Requires an administrator."
    })
  ) {}
