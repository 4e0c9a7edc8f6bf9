export const REQUEST_ID_HEADER = "x-request-id"

const PLAIN = /^[\w.:-]{1,100}$/

/** The client's or proxy's id of a request when it is a plain one, else a new one. Answers and log lines carry it. */
export const requestIdOf = (request: Request): string => {
  const given = request.headers.get(REQUEST_ID_HEADER)
  return given !== null && PLAIN.test(given) ? given : Bun.randomUUIDv7()
}
