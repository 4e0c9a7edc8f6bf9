import { pathOf } from "../../lib/pathOf.ts"
import { REQUEST_ID_HEADER } from "./requestId.ts"

interface Problem {
  readonly status: number
  readonly title: string
  /** A sentence. */
  readonly detail: string
}

/** A problem (RFC 9457) as a response. */
export const problemResponse = (request: Request, problem: Problem, requestId: string, headers?: Headers): Response => {
  const body = { type: "about:blank", ...problem, instance: pathOf(request), request_id: requestId }
  const response = new Response(JSON.stringify(body), {
    status: problem.status,
    ...(headers !== undefined && { headers })
  })
  response.headers.set("content-type", "application/problem+json")
  response.headers.set(REQUEST_ID_HEADER, requestId)
  return response
}
