import { Effect } from "effect"
import { HttpServerRequest } from "effect/http"
import type { FqlError } from "../../../query/fql/FqlError.ts"
import type { AskError } from "../../../query/run/Questions.ts"
import { REQUEST_ID_HEADER } from "../../shared/requestId.ts"
import { BadRequest, Forbidden, GatewayTimeout, NotFound, ServiceUnavailable } from "../problems.ts"
import { publicMessage } from "../server/queryFailure.ts"

/** Every problem that a question can fail with. */
export const QUESTION_PROBLEMS = [BadRequest, Forbidden, NotFound, ServiceUnavailable, GatewayTimeout] as const

export type QuestionProblem = InstanceType<(typeof QUESTION_PROBLEMS)[number]>

const refused = ({ code, detail, pointer }: FqlError): QuestionProblem => {
  if (code === "forbidden") return new Forbidden({ detail, code, pointer })
  return code === "not-found" ? new NotFound({ detail, code, pointer }) : new BadRequest({ detail, code, pointer })
}

const SHORTER_RANGE = "Ask for a shorter range, or increase WAREHOUSE_TIMEOUT_SECONDS."

const problemOf = (error: AskError): QuestionProblem => {
  switch (error._tag) {
    case "FqlError":
      return refused(error)
    case "NoEngine":
      return new ServiceUnavailable({ detail: error.message, code: "no-engine" })
    case "QuestionsBusy":
      return new ServiceUnavailable({ detail: error.message, code: "busy" })
    case "SitesError":
      return new ServiceUnavailable({ detail: error.message })
    case "SavedDefinitionsError":
      return error.reason === "TooMany"
        ? new BadRequest({ detail: error.message, code: "limit-exceeded", pointer: "" })
        : new ServiceUnavailable({ detail: error.message })
    case "QueryError":
      if (error.reason === "Timeout") {
        return new GatewayTimeout({ detail: `${publicMessage(error)} ${SHORTER_RANGE}`, code: "query-timeout" })
      }
      if (error.reason === "OutOfRange") {
        return new BadRequest({ detail: publicMessage(error), code: "out-of-range", pointer: "" })
      }
      return error.reason === "TooLarge"
        ? new BadRequest({ detail: publicMessage(error), code: "limit-exceeded", pointer: "" })
        : new ServiceUnavailable({ detail: publicMessage(error) })
  }
}

/** An engine's own message goes to the log, since it may contain host names, file names and SQL. */
const logged = (error: AskError) =>
  error._tag === "QueryError"
    ? Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        Effect.logWarning("A question could not be answered.").pipe(
          Effect.annotateLogs({
            requestId: request.headers[REQUEST_ID_HEADER],
            reason: error.reason,
            why: error.message
          })
        )
      )
    : Effect.void

/** Turns the ways in which a question can fail into problems. */
export const withQuestionProblems = <A, R>(
  asked: Effect.Effect<A, AskError, R>
): Effect.Effect<A, QuestionProblem, R | HttpServerRequest.HttpServerRequest> =>
  asked.pipe(Effect.tapError(logged), Effect.mapError(problemOf))
