import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Access, requires } from "../access.ts"
import { EXAMPLE_ID } from "../content/json.ts"
import { ParameterValuesJson } from "../dashboards/api.ts"
import { exportDescription, exportParams } from "../dataset/api.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { SharedAnswerJson, SharedCardJson, SharedDashboardJson } from "./json.ts"
import { SHARED_PROBLEMS } from "./problem.ts"

const parameters = {
  parameters: Schema.optionalKey(
    Schema.String.check(Schema.isMaxLength(8_192)).annotate({
      description: "Values of parameters as JSON; the others have their defaults",
      examples: ['[{"id": "date", "value": "past7days"}]']
    })
  )
}
const id = (description: string) => Schema.String.annotate({ description, examples: [EXAMPLE_ID] })
const file = HttpApiSchema.StreamUint8Array({ contentType: "application/octet-stream" })

interface Words {
  /** What the first part of the path holds. */
  readonly key: string
  readonly title: string
  readonly description: string
}

/** The routes with which visitors see what is shared. */
const sharedGroup = <const Name extends "public" | "embed">(name: Name, { description, key, title }: Words) => {
  const params = { key: Schema.String.annotate({ description: key }) }
  const onDashboard = { ...params, dashcard: id("The dashcard's id"), card: id("The id of its question") }
  const open = requires("read", "shared")
  return HttpApiGroup.make(name)
    .add(
      HttpApiEndpoint.get("card", `/api/${name}/card/:key`, { params, success: SharedCardJson, error: SHARED_PROBLEMS })
        .annotateMerge(open)
        .annotateMerge(endpointDocs("Get a shared question", "Without its clauses.")),
      HttpApiEndpoint.get("cardAnswer", `/api/${name}/card/:key/query`, {
        params,
        query: parameters,
        success: SharedAnswerJson,
        error: SHARED_PROBLEMS
      })
        .annotateMerge(open)
        .annotateMerge(endpointDocs("Ask a shared question")),
      HttpApiEndpoint.get("cardExport", `/api/${name}/card/:key/query/:format`, {
        params: { ...params, ...exportParams },
        query: parameters,
        success: file,
        error: SHARED_PROBLEMS
      })
        .annotateMerge(open)
        .annotateMerge(endpointDocs("Export a shared question", exportDescription)),
      HttpApiEndpoint.get("dashboard", `/api/${name}/dashboard/:key`, {
        params,
        success: SharedDashboardJson,
        error: SHARED_PROBLEMS
      })
        .annotateMerge(open)
        .annotateMerge(endpointDocs("Get a shared dashboard", "Without its questions' clauses.")),
      HttpApiEndpoint.get("dashcardAnswer", `/api/${name}/dashboard/:key/dashcard/:dashcard/card/:card`, {
        params: onDashboard,
        query: parameters,
        success: SharedAnswerJson,
        error: SHARED_PROBLEMS
      })
        .annotateMerge(open)
        .annotateMerge(endpointDocs("Ask a question on a shared dashboard")),
      HttpApiEndpoint.get("dashcardExport", `/api/${name}/dashboard/:key/dashcard/:dashcard/card/:card/:format`, {
        params: { ...onDashboard, ...exportParams },
        query: parameters,
        success: file,
        error: SHARED_PROBLEMS
      })
        .annotateMerge(open)
        .annotateMerge(endpointDocs("Export a question on a shared dashboard", exportDescription)),
      HttpApiEndpoint.get("values", `/api/${name}/dashboard/:key/params/:param/values`, {
        params: { ...params, param: Schema.String.annotate({ description: "The parameter's id or slug" }) },
        query: {
          ...parameters,
          search: Schema.optionalKey(
            Schema.String.check(Schema.isMaxLength(200)).annotate({ description: "Only values that contain this" })
          )
        },
        success: ParameterValuesJson,
        error: SHARED_PROBLEMS
      })
        .annotateMerge(open)
        .annotateMerge(endpointDocs("List the values of a parameter that visitors can choose"))
    )
    .middleware(Access)
    .annotateMerge(OpenApi.annotations({ title, description }))
}

const COMMON =
  "One saved question or dashboard, of one site, and nothing else: neither the questions' clauses nor their SQL. Each link is answered `SHARED_REQUESTS_PER_MINUTE` times a minute."

export class PublicApi extends sharedGroup("public", {
  key: "The public link's `uuid`",
  title: "Public links",
  description: `What anyone with a public link sees, while \`ENABLE_PUBLIC_SHARING\` is on. ${COMMON}`
}) {}

export class EmbedApi extends sharedGroup("embed", {
  key: "A token: a JWT that your server signed with HS256",
  title: "Signed embeds",
  description: `What other websites show with tokens that their servers sign, while \`ENABLE_EMBEDDING\` is on. ${COMMON}`
}) {}
