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

/** What visitors may know of a question that can't be answered: nothing of its fields, its filters or the instance's settings. */
export const visibleProblem = (problem: QuestionProblem): Exclude<SharedProblem, BadRequest> => {
  switch (problem._tag) {
    case "GatewayTimeout":
      return new GatewayTimeout({ detail: "The answer took too long. Try a shorter range." })
    case "ServiceUnavailable":
      return new ServiceUnavailable({ detail: "The answer is not available now. Try again later." })
    default:
      return new UnprocessableContent({ detail: "This question can't be answered." })
  }
}

/** {@link withQuestionProblems} for visitors who ask. */
export const withSharedProblems = <A, R>(
  asked: Effect.Effect<A, AskError, R>
): Effect.Effect<A, Exclude<SharedProblem, BadRequest>, R | HttpServerRequest.HttpServerRequest> =>
  Effect.mapError(withQuestionProblems(asked), visibleProblem)

/** {@link withSharedProblems} before the question is asked: visitors may also know what is wrong with a value that they gave. */
export const withValueProblems = <A, R>(
  question: Effect.Effect<A, AskError, R>
): Effect.Effect<A, SharedProblem, R | HttpServerRequest.HttpServerRequest> =>
  Effect.mapError(withQuestionProblems(question), (problem) =>
    problem._tag === "BadRequest" && problem.pointer?.startsWith("/parameters/") === true
      ? problem
      : visibleProblem(problem)
  )
