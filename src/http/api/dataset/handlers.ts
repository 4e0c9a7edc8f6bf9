import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Questions } from "../../../query/run/Questions.ts"
import { AdminApi } from "../AdminApi.ts"
import { CurrentPrincipal } from "../access.ts"
import { NotFound } from "../problems.ts"
import { withExtendedTimeout } from "../server/ExtendTimeout.ts"
import { answerJson } from "./answerJson.ts"
import { ExportLog } from "./ExportLog.ts"
import { makeExportResponse } from "./exportResponse.ts"
import { withParameters } from "./questionParameters.ts"
import { withQuestionProblems } from "./questionProblem.ts"

const isoOf = (at: number): string => new Date(at).toISOString()

export const DatasetHandlers = HttpApiBuilder.group(
  AdminApi,
  "dataset",
  Effect.fn(function* (handlers) {
    const questions = yield* Questions
    const log = yield* ExportLog
    const exportResponse = yield* makeExportResponse
    return handlers.handleAll({
      ask: Effect.fnUntraced(function* ({ payload, query }) {
        const principal = yield* CurrentPrincipal
        const options = { ignoreCache: query.ignore_cache === "true" }
        const asked = Effect.flatMap(withParameters(payload), (question) => questions.ask(principal, question, options))
        const given = yield* withExtendedTimeout(withQuestionProblems(asked))
        return answerJson(given, principal)
      }),
      export: Effect.fnUntraced(function* ({ params, payload, query }) {
        return yield* exportResponse({
          principal: yield* CurrentPrincipal,
          question: yield* withQuestionProblems(withParameters(payload)),
          format: params.format,
          isFormatted: query.format_rows !== "false",
          name: query.name ?? "question"
        })
      }),
      progress: Effect.fnUntraced(function* ({ params }) {
        const found = log.find((yield* CurrentPrincipal).key, params.id)
        if (found === null) {
          return yield* new NotFound({ detail: "You have no export with this id, or it is no longer known." })
        }
        const { bytes, endedAt, problem, rows, startedAt, state } = found
        return {
          state,
          rows,
          bytes,
          started_at: isoOf(startedAt),
          ended_at: endedAt === null ? null : isoOf(endedAt),
          problem
        }
      })
    })
  })
)
