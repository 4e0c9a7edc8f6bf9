import { problemResponse } from "./problemResponse.ts"

/** A 405 with a problem (RFC 9457) that says what the path supports. */
export const methodNotAllowed = (request: Request, allow: string, requestId: string, headers?: Headers): Response => {
  const problem = { title: "Method Not Allowed", status: 405, detail: `This path supports ${allow}.` }
  const response = problemResponse(request, problem, requestId, headers)
  response.headers.set("allow", allow)
  return response
}

/** What a path supports that only reads. */
export const READING = "GET, HEAD"

export const isReading = ({ method }: Request): boolean => method === "GET" || method === "HEAD"
