import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { EXAMPLE } from "../../shared/json/fields.ts"
import { KeyCreateJson, KeyJson, NewKeyJson } from "../../shared/json/key.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { NotFound, ServiceUnavailable, UnprocessableContent } from "../problems.ts"

export class KeysApi extends HttpApiGroup.make("keys")
  .add(
    HttpApiEndpoint.get("list", "/keys", {
      success: Schema.Array(KeyJson).annotate({ description: "The active keys." }),
      error: ServiceUnavailable
    })
      .annotateMerge(requires("read", "keys"))
      .annotateMerge(endpointDocs("List keys", "Active keys, oldest first.")),
    HttpApiEndpoint.post("create", "/keys", {
      payload: KeyCreateJson,
      success: NewKeyJson,
      error: [UnprocessableContent, ServiceUnavailable]
    })
      .annotateMerge(requires("create", "keys"))
      .annotateMerge(endpointDocs("Create a key", "The response is the only time the key is shown.")),
    HttpApiEndpoint.delete("revoke", "/keys/:id", {
      params: { id: Schema.String.annotate({ description: "The key's id, a UUID", examples: [EXAMPLE.keyId] }) },
      success: Schema.Struct({ id: Schema.String, revoked: Schema.Literal(true) }).annotate({
        description: "The key is revoked."
      }),
      error: [NotFound, ServiceUnavailable]
    })
      .annotateMerge(requires("delete", "keys"))
      .annotateMerge(endpointDocs("Revoke a key", "Every process rejects it within 5 s."))
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Keys",
      description: "Keys of this API. Requires an administrator."
    })
  ) {}
