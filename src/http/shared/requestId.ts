export const REQUEST_ID_HEADER = "x-request-id"

const PLAIN = /^[\w.:-]{1,100}$/

/** This process's part of the ids that it makes; the rest counts, which costs a quarter of a UUID for each. */
const OWN = Bun.randomUUIDv7().slice(0, 24)
const COUNTED_DIGITS = 12
let counted = 0

/** The client's or proxy's id of a request when it is a plain one, else a new one. Answers and log lines carry it. */
export const requestIdOf = (request: Request): string => {
  const given = request.headers.get(REQUEST_ID_HEADER)
  return given !== null && PLAIN.test(given) ? given : OWN + (++counted).toString(16).padStart(COUNTED_DIGITS, "0")
}
