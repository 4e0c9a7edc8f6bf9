import { Effect, Layer, SchemaIssue } from "effect"
import { HttpServerRequest, HttpServerResponse, ProblemDetails } from "effect/http"
import { HttpApiError } from "effect/http-api"
import { REQUEST_ID_HEADER } from "../shared/requestId.ts"
import { Problems } from "./Api.ts"
import {
  BadRequest,
  Conflict,
  Forbidden,
  GatewayTimeout,
  NotFound,
  PaymentRequired,
  type Problem,
  ServiceUnavailable,
  Unauthorized,
  UnprocessableContent
} from "./Problem.ts"

/** Seconds after which a client may ask again when the app database or the warehouse was away. */
const RETRY_AFTER_SECONDS = "2"

const DECLARED = [
  BadRequest,
  Unauthorized,
  PaymentRequired,
  Forbidden,
  NotFound,
  Conflict,
  UnprocessableContent,
  ServiceUnavailable,
  GatewayTimeout
] as const

const isProblem = (error: unknown): error is Problem => DECLARED.some((declared) => error instanceof declared)

const headersOf = (status: number): Record<string, string> =>
  status === 401
    ? { "www-authenticate": 'Bearer realm="footfall"' }
    : status === 503
      ? { "retry-after": RETRY_AFTER_SECONDS }
      : {}

/** A problem as this request's answer: with the request's path and id. */
export const problemResponse = (
  request: HttpServerRequest.HttpServerRequest,
  problem: ProblemDetails.ProblemDetails
): HttpServerResponse.HttpServerResponse => {
  const { type, title, status, detail, ...rest } = problem
  return HttpServerResponse.setHeaders(
    ProblemDetails.toResponse({
      type,
      ...(title !== undefined && { title }),
      ...(status !== undefined && { status }),
      ...(detail !== undefined && { detail }),
      ...rest,
      instance: request.url.split("?", 1)[0]!,
      request_id: request.headers[REQUEST_ID_HEADER] ?? ""
    }),
    headersOf(status ?? 500)
  )
}

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

const escapeToken = (segment: string) => segment.replaceAll("~", "~0").replaceAll("/", "~1")

const segmentOf = (segment: PropertyKey | { readonly key: PropertyKey }) =>
  escapeToken(String(typeof segment === "object" ? segment.key : segment))

const refusedRequest = (error: HttpApiError.HttpApiSchemaError): BadRequest => {
  const issues = formatIssues(error.cause.issue).issues
  const where = error.kind === "Payload" ? "body" : error.kind === "Query" ? "query" : "request"
  return new BadRequest({
    detail: `The ${where} is not as documented: ${issues.map(({ message }) => message).join("; ")}`,
    errors: issues.map(({ message, path }) => ({
      pointer: ["#", ...(path ?? []).map(segmentOf)].join("/"),
      detail: message
    }))
  })
}

/** Declared problems and refused requests as problem+json; what is neither goes on and becomes a 500. */
export const ProblemsLayer: Layer.Layer<Problems> = Layer.succeed(Problems, (handled) =>
  Effect.catch(handled, (error) => {
    const problem =
      HttpApiError.HttpApiSchemaError.is(error) && error.kind !== "Body" && error.kind !== "ResponseHeaders"
        ? refusedRequest(error)
        : error
    if (!isProblem(problem)) return Effect.fail(error)
    return Effect.map(HttpServerRequest.HttpServerRequest, (request) => problemResponse(request, { ...problem }))
  })
)
