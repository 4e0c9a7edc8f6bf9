import { type Duration, Effect, Predicate, Result } from "effect"
import { errorCode } from "../../errorCode.ts"
import { IcebergError } from "../../IcebergError.ts"
import { parseJson } from "../../json.ts"

/** A catalog answers in well under a second, unless it waits for a lock or a store. */
export const DEADLINE: Duration.Input = "30 seconds"
/** Longest part of a server's message to include in ours: enough for a sentence. */
const EXCERPT_LENGTH = 200
/** Headers with secrets, which a server may echo. */
const SECRET_HEADERS = ["authorization", "original-authorization", "x-amz-security-token"]

export interface HttpRequest {
  readonly method: "GET" | "POST"
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export interface HttpResponse {
  readonly status: number
  /** Parsed, with 64-bit ids as bigint; null if the body is not JSON. */
  readonly body: unknown
  /** The body's error message in one line, without the request's secrets. */
  readonly message: string
}

/** No response was received. */
export interface HttpFailure {
  readonly error: IcebergError
  /** Whether the server may have received the request. */
  readonly wasSent: boolean
}

/** No connection was made, so nothing was sent. */
const NEVER_SENT =
  /^(?:ConnectionRefused|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|FailedToOpenSocket|DNS\w*|EHOSTUNREACH|ENETUNREACH)$/
const TLS_FAILED = /EPROTO|SSL|CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/

const at = (value: unknown, key: string): unknown =>
  Predicate.isObject(value) ? (value as Readonly<Record<string, unknown>>)[key] : undefined

/** The first part of a server's message, in one line. */
export const excerpt = (message: string): string => message.replace(/\s+/g, " ").trim().slice(0, EXCERPT_LENGTH)

/** The message of the catalog's `ErrorModel` (OpenAPI), otherwise the whole body. */
const errorMessage = (body: unknown, content: string): string => {
  const error = at(body, "error")
  const parts = [at(error, "type"), at(error, "message"), error, at(body, "error_description")]
  const message = parts.filter((part) => typeof part === "string").join(": ")
  return message === "" ? content : message
}

const withoutSecrets = (message: string, headers: HttpRequest["headers"]): string =>
  SECRET_HEADERS.reduce((cleaned, name) => {
    const secret = headers[name]?.replace(/^\w+ /, "") ?? ""
    return secret === "" ? cleaned : cleaned.replaceAll(secret, "…")
  }, message)

/** What a failed `fetch` means. `server` is the subject of the message: `The catalog at localhost:8181`. */
export const fetchFailure = (cause: unknown, server: string): HttpFailure => {
  const code = errorCode(cause)
  if (TLS_FAILED.test(code)) {
    const message = `${server} failed the TLS handshake (${code}): check http or https in its URI, and its certificate.`
    return { error: IcebergError.invalid(message), wasSent: false }
  }
  const wasSent = !NEVER_SENT.test(code)
  return {
    error: IcebergError.unavailable(
      `${server} ${wasSent ? "did not answer" : "is unreachable"} (${code || "no answer"}).`
    ),
    wasSent
  }
}

/** The failure of a request that exceeded the deadline. */
export const noAnswer = (server: string): HttpFailure => ({
  error: IcebergError.unavailable(`${server} did not answer within ${DEADLINE}.`),
  wasSent: true
})

/**
 * Sends a request exactly once; commits use a new connection each. HTTP clients silently repeat a request if a kept-alive
 * connection turns out to be closed, and a repeated commit would conflict with itself.
 */
export const sendOnce = ({ body, headers, method, url }: HttpRequest): Effect.Effect<HttpResponse, HttpFailure> => {
  const server = `The catalog at ${url.host}`
  return Effect.tryPromise({
    try: async (signal): Promise<HttpResponse> => {
      const response = await fetch(url, {
        method,
        headers,
        signal,
        redirect: "manual",
        keepalive: method === "GET",
        ...(body === undefined ? {} : { body })
      })
      const content = await response.text()
      const parsed = Result.getOrElse(
        Result.try(() => parseJson(content)),
        () => null
      )
      const message = excerpt(withoutSecrets(errorMessage(parsed, content), headers))
      return { status: response.status, body: parsed, message }
    },
    catch: (cause) => fetchFailure(cause, server)
  }).pipe(Effect.timeoutOrElse({ duration: DEADLINE, orElse: () => Effect.fail(noAnswer(server)) }))
}

/** 5xx, except for "not implemented" and "HTTP version not supported", which do not go away. */
export const isServerError = (status: number): boolean => status >= 500 && status !== 501 && status !== 505

/** What an error response means. `action` completes the sentence: `load web.events`. */
export const responseFailure = ({ message, status }: HttpResponse, host: string, action: string): IcebergError => {
  const catalog = `The catalog at ${host}`
  const details = `HTTP ${status}${message === "" ? "" : `: ${message}`}`
  if (status >= 300 && status < 400) {
    return IcebergError.invalid(`${catalog} redirects requests to ${action} (HTTP ${status}): correct its URI.`)
  }
  if (status === 401 || status === 419) {
    return IcebergError.denied(
      `${catalog} rejected the credentials, trying to ${action} (${details}): correct the token or the credential.`
    )
  }
  if (status === 403) {
    return IcebergError.denied(`${catalog} does not allow this client to ${action} (${details}): grant the permission.`)
  }
  if (status === 404) return IcebergError.notFound(`${catalog} found nothing, trying to ${action} (${details}).`)
  if (status === 429 || isServerError(status)) {
    return IcebergError.unavailable(`${catalog} failed to ${action} (${details}).`)
  }
  return IcebergError.invalid(`${catalog} cannot ${action} (${details}).`)
}
