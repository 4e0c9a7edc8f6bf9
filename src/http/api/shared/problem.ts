import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"
import type { AskError } from "../../../query/run/Questions.ts"
import { type QuestionProblem, withQuestionProblems } from "../dataset/questionProblem.ts"
import {
  BadRequest,
  Forbidden,
  GatewayTimeout,
  NotFound,
  ServiceUnavailable,
  TooManyRequests,
  UnprocessableContent
} from "../problems.ts"

/** Every problem that a shared item can answer with. */
export const SHARED_PROBLEMS = [
  BadRequest,
  Forbidden,
  NotFound,
  UnprocessableContent,
  TooManyRequests,
  ServiceUnavailable,
  GatewayTimeout
] as const

export type SharedProblem = BadRequest | UnprocessableContent | ServiceUnavailable | GatewayTimeout

/** What visitors may know: what is wrong with a value that they gave, and nothing of the question, its fields or the instance's settings. */
const visible = (problem: QuestionProblem): SharedProblem => {
  switch (problem._tag) {
    case "BadRequest":
      return problem.pointer?.startsWith("/parameters/") === true
        ? problem
        : new UnprocessableContent({ detail: "This question can't be answered." })
    case "GatewayTimeout":
      return new GatewayTimeout({ detail: "The answer took too long. Try a shorter range." })
    case "ServiceUnavailable":
      return new ServiceUnavailable({ detail: "The answer is not available now. Try again later." })
    default:
      return new UnprocessableContent({ detail: "This question can't be answered." })
  }
}

/** {@link withQuestionProblems} for visitors. */
export const withSharedProblems = <A, R>(
  asked: Effect.Effect<A, AskError, R>
): Effect.Effect<A, SharedProblem, R | HttpServerRequest.HttpServerRequest> =>
  Effect.mapError(withQuestionProblems(asked), visible)

export const visibleProblem = visible
