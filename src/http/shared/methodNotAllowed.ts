import { REQUEST_ID_HEADER } from "./requestId.ts"

/** A 405 with a problem (RFC 9457) that says what the path supports. */
export const methodNotAllowed = (request: Request, allow: string, requestId: string, headers?: Headers): Response => {
  const problem = {
    type: "about:blank",
    title: "Method Not Allowed",
    status: 405,
    detail: `This path supports ${allow}.`,
    instance: new URL(request.url).pathname,
    request_id: requestId
  }
  const response = new Response(JSON.stringify(problem), { status: 405, ...(headers !== undefined && { headers }) })
  response.headers.set("content-type", "application/problem+json")
  response.headers.set("allow", allow)
  response.headers.set(REQUEST_ID_HEADER, requestId)
  return response
}

/** What a path supports that only reads. */
export const READING = "GET, HEAD"

export const isReading = ({ method }: Request): boolean => method === "GET" || method === "HEAD"
