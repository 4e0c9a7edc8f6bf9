import { type Duration, Effect, type Option, Predicate, Result } from "effect"
import { errorCode } from "../../errorCode.ts"
import { type IcebergError, icebergError } from "../../IcebergError.ts"
import { parseJson } from "../../json.ts"

/** A catalog answers in well under a second; one that waits for a lock or for a store may take longer. */
const DEADLINE: Duration.Input = "30 seconds"
/** Servers' texts go into messages up to here: enough for a sentence. */
const TEXT_LENGTH = 200
/** Headers that hold secrets; a server may say them back. */
const SECRET_HEADERS = ["authorization", "original-authorization", "x-amz-security-token"]

export interface HttpRequest {
  readonly method: "GET" | "POST"
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export interface HttpAnswer {
  readonly status: number
  /** Parsed when it is JSON, with 64-bit ids. */
  readonly body: Option.Option<unknown>
  /** What the server says of a failure, in a line; without what we signed. */
  readonly said: string
}

/** No answer came. */
export interface HttpFailure {
  readonly error: IcebergError
  /** Whether the server may have got the request. */
  readonly sent: boolean
}

/** No connection was made, so nothing was sent. */
const NEVER_SENT =
  /^(?:ConnectionRefused|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|FailedToOpenSocket|DNS\w*|EHOSTUNREACH|ENETUNREACH)$/
const NO_TRUST = /EPROTO|SSL|CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/

const at = (held: unknown, key: string): unknown =>
  Predicate.isObject(held) ? (held as Readonly<Record<string, unknown>>)[key] : undefined

/** OpenAPI's `ErrorModel`, or OAuth2's error. */
const saidIn = (body: unknown, text: string): string => {
  const error = at(body, "error")
  const parts = [at(error, "type"), at(error, "message"), error, at(body, "error_description")]
  const said = parts.filter((part) => typeof part === "string").join(": ")
  return said === "" ? text : said
}

const withoutSecrets = (text: string, headers: HttpRequest["headers"]): string =>
  SECRET_HEADERS.reduce((cleaned, name) => {
    const secret = headers[name]?.replace(/^\w+ /, "") ?? ""
    return secret === "" ? cleaned : cleaned.replaceAll(secret, "…")
  }, text)

/**
 * Sends a request once, on a connection of its own: a client that sends a commit again on another connection, as HTTP clients
 * do when a kept one turns out to be closed, would be refused because of its own first commit.
 */
export const sendOnce = ({ body, headers, method, url }: HttpRequest): Effect.Effect<HttpAnswer, HttpFailure> =>
  Effect.tryPromise({
    try: async (signal): Promise<HttpAnswer> => {
      const response = await fetch(url, {
        method,
        headers,
        signal,
        redirect: "manual",
        keepalive: method === "GET",
        ...(body === undefined ? {} : { body })
      })
      const text = await response.text()
      const parsed = Result.try(() => parseJson(text))
      const said = saidIn(Result.getOrUndefined(parsed), text).replace(/\s+/g, " ").trim()
      return {
        status: response.status,
        body: Result.getSuccess(parsed),
        said: withoutSecrets(said, headers).slice(0, TEXT_LENGTH)
      }
    },
    catch: (cause): HttpFailure => {
      const code = errorCode(cause)
      if (NO_TRUST.test(code)) {
        const message = `No TLS with the catalog at ${url.host} (${code}): check http or https in its URI, and its certificate.`
        return { error: icebergError("Invalid", message), sent: false }
      }
      const sent = !NEVER_SENT.test(code)
      const what = sent ? "did not answer" : "can't be reached"
      return {
        error: icebergError("Unavailable", `The catalog at ${url.host} ${what} (${code || "no answer"}).`),
        sent
      }
    }
  }).pipe(
    Effect.timeoutOrElse({
      duration: DEADLINE,
      orElse: () =>
        Effect.fail<HttpFailure>({
          error: icebergError("Unavailable", `The catalog at ${url.host} did not answer within ${DEADLINE}.`),
          sent: true
        })
    })
  )

/** What an answer that is no success means, in general. `doing` ends the sentence: `to load web.events`. */
export const answerFailure = ({ said, status }: HttpAnswer, host: string, doing: string): IcebergError => {
  const catalog = `The catalog at ${host}`
  const told = `HTTP ${status}${said === "" ? "" : `: ${said}`}`
  if (status >= 300 && status < 400) {
    return icebergError("Invalid", `${catalog} sends ${doing} elsewhere (HTTP ${status}): correct its URI.`)
  }
  if (status === 401 || status === 419) {
    return icebergError(
      "Denied",
      `${catalog} refuses the credentials, ${doing} (${told}): correct the token or the credential.`
    )
  }
  if (status === 403) return icebergError("Denied", `${catalog} does not allow ${doing} (${told}): grant it.`)
  if (status === 404) return icebergError("NotFound", `${catalog} has nothing ${doing} (${told}).`)
  if (status === 429 || (status >= 500 && status !== 501 && status !== 505)) {
    return icebergError("Unavailable", `${catalog} failed ${doing} (${told}).`)
  }
  return icebergError("Invalid", `${catalog} can't be used ${doing} (${told}).`)
}
