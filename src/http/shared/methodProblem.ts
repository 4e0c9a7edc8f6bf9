/** The body of a 405 (RFC 9457): what the path supports. */
export const methodProblem = (request: Request, allow: string, requestId: string): string =>
  JSON.stringify({
    type: "about:blank",
    title: "Method Not Allowed",
    status: 405,
    detail: `This path supports ${allow}.`,
    instance: new URL(request.url).pathname,
    request_id: requestId
  })

export const PROBLEM_CONTENT_TYPE = "application/problem+json"
