import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { FORMAT_NAMES } from "../../../query/export/Format.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { NotFound } from "../problems.ts"
import { AnswerJson } from "./answerJson.ts"
import { QUESTION_PROBLEMS } from "./questionProblem.ts"

export const EXAMPLE_QUESTION = {
  fql: 1,
  type: "query",
  source: "v_pa_events",
  filter: ["time-interval", "created_at", -30, "day"],
  aggregation: [["count"]],
  breakout: [["field", "created_at", { "temporal-unit": "day" }]]
}

/** The handler reads it, since the order of its checks and their errors are the language's. `openApi.ts` describes it. */
export const QuestionJson = Schema.Unknown.annotate({ identifier: "Question" })

export const exportParams = {
  format: Schema.Literals(FORMAT_NAMES).annotate({ description: "The file's format" })
}

export const exportQuery = {
  format_rows: Schema.optionalKey(
    Schema.Literals(["true", "false"]).annotate({
      description:
        "`true` (default): titles of columns, and text that a spreadsheet would run gets an apostrophe in CSV. `false`: names of columns, and text exactly as it is."
    })
  ),
  name: Schema.optionalKey(
    Schema.String.check(Schema.isMaxLength(200)).annotate({
      description: "The file's name without its extension",
      examples: ["Signups"]
    })
  )
}

export const exportDescription =
  "Up to 1,048,575 rows, sent while they are read. Times are in the question's zone: CSV and JSON have them as ISO 8601, XLSX as dates, Parquet as timestamps. The response's `x-export-id` is the id with which `GET /api/export/:id` reports the progress. If the export fails after its first rows, the connection breaks off."

const ExportJson = Schema.Struct({
  state: Schema.Literals(["running", "done", "failed"]).annotate({ examples: ["running"] }),
  rows: Schema.Int.annotate({ description: "Rows written so far", examples: [120_000] }),
  bytes: Schema.Int.annotate({ examples: [9_400_000] }),
  started_at: Schema.String.annotate({ examples: ["2026-03-31T12:00:00.000Z"] }),
  ended_at: Schema.NullOr(Schema.String),
  problem: Schema.NullOr(Schema.String)
}).annotate({ identifier: "Export", description: "How far an export is." })

export class DatasetApi extends HttpApiGroup.make("dataset")
  .add(
    HttpApiEndpoint.post("ask", "/api/dataset", {
      query: {
        ignore_cache: Schema.optionalKey(
          Schema.Literals(["true", "false"]).annotate({ description: "`true` computes the answer again" })
        )
      },
      payload: QuestionJson,
      success: AnswerJson,
      error: QUESTION_PROBLEMS
    })
      .annotateMerge(requires("read", "questions"))
      .annotateMerge(
        endpointDocs(
          "Ask a question",
          "Rows or groups of the events, visits and visitors that the caller may see. Identical questions at the same time run once; an answer is given again while the data is the same, or for `QUESTION_CACHE_SECONDS`. Closing the connection cancels the query."
        )
      ),
    HttpApiEndpoint.post("export", "/api/dataset/:format", {
      params: exportParams,
      query: exportQuery,
      payload: QuestionJson,
      success: HttpApiSchema.StreamUint8Array({ contentType: "application/octet-stream" }),
      error: QUESTION_PROBLEMS
    })
      .annotateMerge(requires("read", "questions"))
      .annotateMerge(endpointDocs("Export a question", exportDescription)),
    HttpApiEndpoint.get("progress", "/api/export/:id", {
      params: { id: Schema.String.annotate({ description: "The export's `x-export-id`" }) },
      success: ExportJson,
      error: NotFound
    })
      .annotateMerge(requires("read", "exports"))
      .annotateMerge(
        endpointDocs(
          "Get the progress of an export",
          "Of the caller's own exports in this process; the newest 500 are known."
        )
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({
      title: "Questions",
      description:
        "Questions in FQL/1, answered by the engine that `WAREHOUSE` selects. Requires read access to Product Analytics."
    })
  ) {}
