import type { ErrorTree, Rejection } from "../../domain/Rejection.ts"
import type { Visit } from "../../pipeline/resolveVisit.ts"

/** Status, JSON body as a value or already encoded, and, if the client should retry, the seconds until then. */
export interface Answer {
  readonly status: number
  readonly body: object | string
  readonly retryAfterSeconds?: number
}

/** An answer that can also be part of a batch's. */
export interface ErrorAnswer extends Answer {
  readonly body: object
}

const errorBody = (status: number, code: string, message: string, more: object = {}): object => ({
  error: { message, code, status, ...more }
})

/** Umami's 400, with zod's tree of what is wrong. */
export const badRequest = (tree: ErrorTree): ErrorAnswer => ({
  status: 400,
  body: errorBody(400, "bad-request", "Bad request", tree)
})

export const bodyTooLarge = (limit: number): Answer => ({
  status: 413,
  body: errorBody(413, "payload-too-large", `The body is larger than ${limit} bytes.`)
})

export const batchTooLong = (limit: number): Answer => ({
  status: 413,
  body: errorBody(413, "payload-too-large", `The batch has more than ${limit} items.`)
})

export const bodyTimeout: Answer = {
  status: 408,
  body: errorBody(408, "request-timeout", "The body did not arrive in time.")
}

export const serverError: ErrorAnswer = { status: 500, body: errorBody(500, "server-error", "Server error") }

export const notFound: Answer = { status: 404, body: errorBody(404, "not-found", "Not found") }

const unavailable = (message: string, retryAfterSeconds: number): ErrorAnswer => ({
  status: 503,
  body: errorBody(503, "service-unavailable", message),
  retryAfterSeconds
})

/** Too many requests are waiting in this process. */
export const overloaded: Answer = unavailable("Too many requests are waiting; try again.", 1)

/** This process stops; the next one, or another collector, takes the event. */
export const stopping: Answer = unavailable("This collector is stopping; try again.", 1)

const beepBoop: ErrorAnswer = { status: 200, body: { beep: "boop" } }

const disabled: ErrorAnswer = {
  status: 402,
  body: {
    disabled: true,
    ...errorBody(402, "payment-required", "Product analytics is not licensed on this server.")
  }
}

/** Umami's success. Ids and tokens need no escaping, and a template takes half as long as `JSON.stringify`. */
export const success = ({ sessionId, visitId }: Visit, cache: string): Answer => ({
  status: 200,
  body: `{"cache":"${cache}","sessionId":"${sessionId}","visitId":"${visitId}"}`
})

/** The answer to each rejection: Umami 3.1's where it has one; 402, 429 and 503 are Footfall's own. */
export const rejectionAnswer = (rejection: Rejection): ErrorAnswer => {
  switch (rejection._tag) {
    case "InvalidPayload":
      return badRequest(rejection.tree)
    case "SiteNotFound":
      return { status: 400, body: errorBody(400, "bad-request", "Website not found.") }
    case "Bot":
      return beepBoop
    case "BlockedIp":
      return { status: 403, body: errorBody(403, "forbidden", "Forbidden") }
    case "ForeignOrigin":
      return {
        status: 403,
        body: errorBody(403, "forbidden", "This page's domain is not among the website's domains.")
      }
    case "OverLimit":
      return {
        status: 429,
        body: errorBody(429, "too-many-requests", "This site sends more events than its limit allows."),
        retryAfterSeconds: rejection.retryAfterSeconds
      }
    case "Disabled":
      return disabled
    case "Refused":
      return badRequest({ errors: [rejection.message] })
    case "Unavailable":
      return unavailable("The event could not be stored; try again.", rejection.retryAfterSeconds)
  }
}

/** Why a payload was rejected, in one line that contains nothing the client sent. */
export const rejectionDetail = (rejection: Rejection): string => {
  switch (rejection._tag) {
    case "InvalidPayload":
      return firstError(rejection.tree, "") ?? "invalid payload"
    case "SiteNotFound":
      return "no live site has this id"
    case "Bot":
      return "the user agent is a bot"
    case "BlockedIp":
      return "the address is in IGNORE_IP"
    case "ForeignOrigin":
      return "the page's domain is not among the site's domains"
    case "OverLimit":
      return `over the site's rate limit; retry in ${rejection.retryAfterSeconds} s`
    case "Disabled":
      return "product analytics is not licensed"
    case "Refused":
      return rejection.message
    case "Unavailable":
      return rejection.reason === "Overloaded" ? "the storage queue is full" : "the storage did not answer"
  }
}

const firstError = (tree: ErrorTree, path: string): string | null => {
  if (tree.errors.length > 0) return path === "" ? tree.errors[0]! : `${path}: ${tree.errors[0]}`
  for (const [key, child] of Object.entries(tree.properties ?? {})) {
    const found = firstError(child, path === "" ? key : `${path}.${key}`)
    if (found !== null) return found
  }
  return null
}
