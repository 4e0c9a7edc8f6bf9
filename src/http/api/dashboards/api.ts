import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Access, requires } from "../access.ts"
import { byId, DeletedJson, EXAMPLE_ID, HeadJson, pageOf, pageQuery } from "../content/json.ts"
import { READ_PROBLEMS, WRITE_PROBLEMS } from "../content/problem.ts"
import { ExportRunJson, RunJson } from "../content/runJson.ts"
import { AnswerJson } from "../dataset/answerJson.ts"
import { exportDescription, exportParams } from "../dataset/api.ts"
import { QUESTION_PROBLEMS } from "../dataset/questionProblem.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { BadRequest, GatewayTimeout } from "../problems.ts"
import { DashboardCopyJson, DashboardCreateJson, DashboardJson, DashboardUpdateJson } from "./json.ts"

const SAVE_PROBLEMS = [BadRequest, GatewayTimeout, ...WRITE_PROBLEMS] as const

const id = (description: string) => Schema.String.annotate({ description, examples: [EXAMPLE_ID] })
export const cardOnDashboard = {
  ...byId.params,
  dashcard: id("The dashcard's id"),
  card: id("The id of its question")
}

export const parameterParams = {
  ...byId.params,
  param: Schema.String.annotate({ description: "The parameter's id or slug", examples: ["country"] })
}

export const ParameterValuesJson = Schema.Struct({
  values: Schema.Array(
    Schema.Array(Schema.NullOr(Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])))
  ).annotate({
    description: "Each a list of the value and, for sites, segments and cohorts, its name"
  }),
  has_more_values: Schema.Boolean
}).annotate({ identifier: "ParameterValues", description: "What a parameter may be set to, the most frequent first." })

const VALUES =
  "Values of other parameters are given in the query by their slugs, as in `?country=DE`. The parameters that this one is linked to (`filteringParameters`), sites, dates and the filters of the cards limit the values."

export class DashboardsApi extends HttpApiGroup.make("dashboards")
  .add(
    HttpApiEndpoint.get("list", "/api/dashboard", { query: pageQuery, success: pageOf(HeadJson), error: READ_PROBLEMS })
      .annotateMerge(requires("read", "dashboards", { inCollection: true }))
      .annotateMerge(
        endpointDocs("List dashboards", "Those in collections that the caller may read, in the order of their names.")
      ),
    HttpApiEndpoint.post("create", "/api/dashboard", {
      payload: DashboardCreateJson,
      success: DashboardJson,
      error: SAVE_PROBLEMS
    })
      .annotateMerge(requires("create", "dashboards", { inCollection: true }))
      .annotateMerge(endpointDocs("Create a dashboard", "Empty, or with tabs, cards and parameters.")),
    HttpApiEndpoint.get("get", "/api/dashboard/:id", { ...byId, success: DashboardJson, error: READ_PROBLEMS })
      .annotateMerge(requires("read", "dashboards", { inCollection: true }))
      .annotateMerge(endpointDocs("Get a dashboard", "With its questions. Also from the trash.")),
    HttpApiEndpoint.put("update", "/api/dashboard/:id", {
      ...byId,
      payload: DashboardUpdateJson,
      success: DashboardJson,
      error: SAVE_PROBLEMS
    })
      .annotateMerge(requires("update", "dashboards", { inCollection: true }))
      .annotateMerge(
        endpointDocs(
          "Change a dashboard",
          "`tabs` and `dashcards`, if given, replace the whole lists: send them as they were read, with `revision`, so that another's change is not lost (409)."
        )
      ),
    HttpApiEndpoint.delete("remove", "/api/dashboard/:id", { ...byId, success: DeletedJson, error: WRITE_PROBLEMS })
      .annotateMerge(requires("delete", "dashboards", { inCollection: true }))
      .annotateMerge(
        endpointDocs("Delete a dashboard", "For good, from the trash. `PUT` with `archived: true` moves it there.")
      ),
    HttpApiEndpoint.post("copy", "/api/dashboard/:id/copy", {
      ...byId,
      payload: DashboardCopyJson,
      success: DashboardJson,
      error: WRITE_PROBLEMS
    })
      .annotateMerge(requires("create", "dashboards", { inCollection: true }))
      .annotateMerge(
        endpointDocs(
          "Duplicate a dashboard",
          "Also one that ships with Footfall. With `is_deep_copy`, its questions are duplicated, too."
        )
      ),
    HttpApiEndpoint.post("query", "/api/dashboard/:id/dashcard/:dashcard/card/:card/query", {
      params: cardOnDashboard,
      payload: RunJson,
      success: AnswerJson,
      error: QUESTION_PROBLEMS
    })
      .annotateMerge(requires("read", "dashboards", { inCollection: true }))
      .annotateMerge(
        endpointDocs(
          "Ask a question on a dashboard",
          "With the values of the dashboard's parameters, which apply as the dashcard maps them, in place of the question's own."
        )
      ),
    HttpApiEndpoint.post("export", "/api/dashboard/:id/dashcard/:dashcard/card/:card/query/:format", {
      params: { ...cardOnDashboard, ...exportParams },
      payload: ExportRunJson,
      success: HttpApiSchema.StreamUint8Array({ contentType: "application/octet-stream" }),
      error: QUESTION_PROBLEMS
    })
      .annotateMerge(requires("read", "dashboards", { inCollection: true }))
      .annotateMerge(endpointDocs("Export a question on a dashboard", exportDescription)),
    HttpApiEndpoint.get("values", "/api/dashboard/:id/params/:param/values", {
      params: parameterParams,
      success: ParameterValuesJson,
      error: QUESTION_PROBLEMS
    })
      .annotateMerge(requires("read", "dashboards", { inCollection: true }))
      .annotateMerge(endpointDocs("List the values of a parameter", VALUES)),
    HttpApiEndpoint.get("search", "/api/dashboard/:id/params/:param/search/:query", {
      params: {
        ...parameterParams,
        query: Schema.String.annotate({ description: "Part of the value", examples: ["ger"] })
      },
      success: ParameterValuesJson,
      error: QUESTION_PROBLEMS
    })
      .annotateMerge(requires("read", "dashboards", { inCollection: true }))
      .annotateMerge(endpointDocs("Search the values of a parameter", VALUES))
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Dashboards",
      description:
        "Saved questions side by side, with parameters. Requires read access to their collections, and write access to save."
    })
  ) {}
