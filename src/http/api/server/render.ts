import { Effect, Layer } from "effect"
import { HttpServerRequest, HttpServerResponse, ProblemDetails } from "effect/http"
import { HttpApiError } from "effect/http-api"
import { REQUEST_ID_HEADER } from "../../shared/requestId.ts"
import { invalidRequest } from "../invalidRequest.ts"
import { isProblem, PROBLEM_TYPES, RenderProblems } from "../problems.ts"

/** How long a client should wait before it retries a request for which the app database or the warehouse was unavailable. */
const RETRY_AFTER_SECONDS = "2"

const HEADERS: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  [PROBLEM_TYPES.Unauthorized.status]: { "www-authenticate": 'Bearer realm="footfall"' },
  [PROBLEM_TYPES.ServiceUnavailable.status]: { "retry-after": RETRY_AFTER_SECONDS }
}

/** The response for a problem, with the request's path and id. */
const problemResponse = (
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
    HEADERS[status ?? 500] ?? {}
  )
}

/** Problems that arise outside of the endpoints, which therefore do not document them. */
const OTHER_TITLES: Readonly<Record<number, string>> = {
  405: "Method Not Allowed",
  408: "Request Timeout",
  414: "URI Too Long",
  500: "Internal Server Error"
}

const TITLES: Readonly<Record<number, string>> = {
  ...OTHER_TITLES,
  ...Object.fromEntries(Object.values(PROBLEM_TYPES).map(({ status, title }) => [status, title]))
}

/** {@link problemResponse} for a problem that arises outside of the endpoints. */
export const statusResponse = (
  request: HttpServerRequest.HttpServerRequest,
  status: number,
  detail: string
): HttpServerResponse.HttpServerResponse =>
  problemResponse(request, { type: "about:blank", title: TITLES[status] ?? "Error", status, detail })

const PARTS: Readonly<Partial<Record<HttpApiError.HttpApiSchemaError["kind"], string>>> = {
  Payload: "body",
  Query: "query"
}

/** An error that is neither a declared problem nor an invalid request passes through and becomes a 500. */
export const layer: Layer.Layer<RenderProblems> = Layer.succeed(RenderProblems, (handled) =>
  Effect.catch(handled, (error) => {
    const problem =
      HttpApiError.HttpApiSchemaError.is(error) && error.kind !== "Body" && error.kind !== "ResponseHeaders"
        ? invalidRequest(PARTS[error.kind] ?? "request", error.cause.issue)
        : error
    if (!isProblem(problem)) return Effect.fail(error)
    return Effect.map(HttpServerRequest.HttpServerRequest, (request) => problemResponse(request, { ...problem }))
  })
)
