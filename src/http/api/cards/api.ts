import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Access, requires } from "../access.ts"
import { byId, CopyJson, DeletedJson, HeadJson, pageOf, pageQuery } from "../content/json.ts"
import { READ_PROBLEMS, WRITE_PROBLEMS } from "../content/problem.ts"
import { ExportRunJson, RunJson } from "../content/runJson.ts"
import { AnswerJson } from "../dataset/answerJson.ts"
import { exportDescription, exportParams } from "../dataset/api.ts"
import { QUESTION_PROBLEMS } from "../dataset/questionProblem.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { BadRequest, GatewayTimeout } from "../problems.ts"
import { CardCreateJson, CardJson, CardUpdateJson } from "./json.ts"

const SAVE_PROBLEMS = [BadRequest, GatewayTimeout, ...WRITE_PROBLEMS] as const

export class CardsApi extends HttpApiGroup.make("cards")
  .add(
    HttpApiEndpoint.get("list", "/api/card", {
      query: pageQuery,
      success: pageOf(HeadJson),
      error: READ_PROBLEMS
    })
      .annotateMerge(requires("read", "cards", { inCollection: true }))
      .annotateMerge(
        endpointDocs(
          "List saved questions",
          "Those in collections that the caller may read, in the order of their names."
        )
      ),
    HttpApiEndpoint.post("create", "/api/card", { payload: CardCreateJson, success: CardJson, error: SAVE_PROBLEMS })
      .annotateMerge(requires("create", "cards", { inCollection: true }))
      .annotateMerge(
        endpointDocs(
          "Save a question",
          'The question and the targets of its parameters are checked as if it were asked; `pointer` leads to what is wrong. A question may be built on another: `"source": {"card": id}`.'
        )
      ),
    HttpApiEndpoint.get("get", "/api/card/:id", { ...byId, success: CardJson, error: READ_PROBLEMS })
      .annotateMerge(requires("read", "cards", { inCollection: true }))
      .annotateMerge(endpointDocs("Get a saved question", "Also from the trash.")),
    HttpApiEndpoint.put("update", "/api/card/:id", {
      ...byId,
      payload: CardUpdateJson,
      success: CardJson,
      error: SAVE_PROBLEMS
    })
      .annotateMerge(requires("update", "cards", { inCollection: true }))
      .annotateMerge(
        endpointDocs(
          "Change a saved question",
          "Absent keys keep their values. `archived: true` moves it to the trash; 409 if something uses it, or if `revision` is not the newest. Each change is a revision."
        )
      ),
    HttpApiEndpoint.delete("remove", "/api/card/:id", { ...byId, success: DeletedJson, error: WRITE_PROBLEMS })
      .annotateMerge(requires("delete", "cards", { inCollection: true }))
      .annotateMerge(
        endpointDocs("Delete a saved question", "For good, from the trash. `PUT` with `archived: true` moves it there.")
      ),
    HttpApiEndpoint.post("copy", "/api/card/:id/copy", {
      ...byId,
      payload: CopyJson,
      success: CardJson,
      error: WRITE_PROBLEMS
    })
      .annotateMerge(requires("create", "cards", { inCollection: true }))
      .annotateMerge(
        endpointDocs("Duplicate a saved question", "Also one that ships with Footfall; the copy can be changed.")
      ),
    HttpApiEndpoint.post("query", "/api/card/:id/query", {
      ...byId,
      payload: RunJson,
      success: AnswerJson,
      error: QUESTION_PROBLEMS
    })
      .annotateMerge(requires("read", "cards", { inCollection: true }))
      .annotateMerge(
        endpointDocs("Ask a saved question", "Like `POST /api/dataset`, with the values of the question's parameters.")
      ),
    HttpApiEndpoint.post("export", "/api/card/:id/query/:format", {
      params: { ...byId.params, ...exportParams },
      payload: ExportRunJson,
      success: HttpApiSchema.StreamUint8Array({ contentType: "application/octet-stream" }),
      error: QUESTION_PROBLEMS
    })
      .annotateMerge(requires("read", "cards", { inCollection: true }))
      .annotateMerge(endpointDocs("Export a saved question", exportDescription))
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Cards",
      description: "Saved questions. Requires read access to their collections, and write access to save."
    })
  ) {}
