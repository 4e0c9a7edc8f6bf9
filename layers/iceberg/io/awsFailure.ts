import { Predicate } from "effect"
import { IcebergError, icebergError } from "../IcebergError.ts"

/** Whose fault it was, and what can be said of the request that failed. */
export interface AwsFailure {
  readonly error: IcebergError
  /** The service's name for it (`NoSuchKey`), the system's (`ECONNREFUSED`), or "". */
  readonly code: string
  /** HTTP's; undefined without an answer. */
  readonly status: number | undefined
  /** Whether it is certain that the request did nothing and will do nothing. */
  readonly certain: boolean
}

/** For messages. */
export interface AwsRequest {
  /** `S3 at localhost:8333`, `AWS Glue in eu-west-1`. */
  readonly service: string
  /** `read`, `write` … */
  readonly verb: string
  /** A location, or a table's name. */
  readonly what: string
  readonly bucket?: string
  /** The actions that the policy must grant. */
  readonly permissions: string
}

/** No connection was made, so nothing was sent. */
const NEVER_SENT =
  /^(?:ECONNREFUSED|ConnectionRefused|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|FailedToOpenSocket)$/
const NO_TRUST = /EPROTO|SSL|CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/
const WRONG_KEYS = new Set([
  "InvalidAccessKeyId",
  "InvalidToken",
  "InvalidClientTokenId",
  "UnrecognizedClientException",
  "InvalidSignatureException",
  "SignatureDoesNotMatch"
])
const EXPIRED = new Set(["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"])
const WRONG_REGION = new Set([
  "PermanentRedirect",
  "AuthorizationHeaderMalformed",
  "IllegalLocationConstraintException"
])
const BUSY = new Set([
  "SlowDown",
  "ThrottlingException",
  "TooManyRequestsException",
  "RequestTimeout",
  "RequestLimitExceeded"
])
const NAMELESS = new Set([
  "",
  "Error",
  "Unknown",
  "UnknownError",
  "NotFound",
  "DNSException",
  "TimeoutError",
  "AbortError"
])

/** Servers' texts go into messages up to here: enough for a sentence. */
const TEXT_LENGTH = 200

const textAt = (held: object, key: string): string => {
  const value = (held as Readonly<Record<string, unknown>>)[key]
  return typeof value === "string" ? value : ""
}

const statusOf = (cause: object): number | undefined => {
  const metadata = (cause as { readonly $metadata?: unknown }).$metadata
  return Predicate.isObject(metadata) && "httpStatusCode" in metadata && typeof metadata["httpStatusCode"] === "number"
    ? metadata["httpStatusCode"]
    : undefined
}

/** Whether the request was refused because its temporary credentials are too old. */
export const isExpired = (failure: AwsFailure): boolean => EXPIRED.has(failure.code)

const reasonOf = (
  { bucket, permissions, service, verb, what }: AwsRequest,
  code: string,
  status: number | undefined,
  text: string
): IcebergError => {
  const said = text === "" || text === "UnknownError" ? "" : `: ${text.slice(0, TEXT_LENGTH)}`
  const named = NAMELESS.has(code) ? `HTTP ${status}` : status === undefined ? code : `${code}, HTTP ${status}`
  if (code === "CredentialsProviderError") {
    return icebergError(
      "Denied",
      `There are no AWS credentials for ${service}: give an access key id and a secret access key, or run with a profile, an environment or an instance role that has some.`
    )
  }
  if (text === "Region is missing") {
    return icebergError("Invalid", `${service} needs a region: set it, or AWS_REGION.`)
  }
  if (status === undefined) {
    if (NO_TRUST.test(code)) {
      return icebergError(
        "Invalid",
        `No TLS with ${service} (${code}): check http or https in its endpoint, and its certificate.`
      )
    }
    const refused = NEVER_SENT.test(code) ? "can't be reached" : "did not answer"
    return icebergError(
      "Unavailable",
      `${service} ${refused}, to ${verb} ${what} (${NAMELESS.has(code) ? text || code : code}).`
    )
  }
  if (code === "NoSuchBucket") {
    return icebergError("Invalid", `${service} has no bucket ${bucket}: create it, or correct the bucket's name.`)
  }
  if (code === "SignatureDoesNotMatch" || code === "InvalidSignatureException") {
    return icebergError(
      "Denied",
      `${service} refuses the signature: the secret access key does not belong to the access key id, or something on the way changes requests.`
    )
  }
  if (WRONG_KEYS.has(code)) {
    return icebergError(
      "Denied",
      `${service} does not know the access key id or the session token (${code}): correct the credentials.`
    )
  }
  if (EXPIRED.has(code))
    return icebergError("Unavailable", `The temporary credentials for ${service} have expired (${code}).`)
  if (code === "RequestTimeTooSkewed") {
    return icebergError("Denied", `${service} refuses requests of this machine, whose clock is wrong: set it.`)
  }
  if (WRONG_REGION.has(code) || status === 301) {
    return icebergError(
      "Invalid",
      `${bucket ?? what} is in another region or at another endpoint of ${service} (${named})${said}`
    )
  }
  if (status === 404) return icebergError("NotFound", `There is no ${what} (${service}).`)
  if (status === 401 || status === 403 || code === "AccessDeniedException") {
    return icebergError("Denied", `${service} does not allow to ${verb} ${what} (${named}): grant ${permissions}.`)
  }
  if (status >= 500 && status !== 501 && status !== 505) {
    return icebergError("Unavailable", `${service} failed to ${verb} ${what} (${named})${said}`)
  }
  if (status === 429 || status === 408 || BUSY.has(code)) {
    return icebergError("Unavailable", `${service} is too busy to ${verb} ${what} (${named}).`)
  }
  return icebergError("Invalid", `${service} refuses to ${verb} ${what} (${named})${said}`)
}

/** What a failed request of an AWS SDK means. Holds nothing that was signed. */
export const awsFailure = (cause: unknown, request: AwsRequest): AwsFailure => {
  if (cause instanceof IcebergError) return { error: cause, code: "", status: undefined, certain: true }
  if (!Predicate.isObject(cause)) {
    const error = icebergError("Unavailable", `${request.service} did not ${request.verb} ${request.what}.`)
    return { error, code: "", status: undefined, certain: false }
  }
  const status = statusOf(cause)
  const code = status === undefined ? textAt(cause, "code") || textAt(cause, "name") : textAt(cause, "name")
  const text = textAt(cause, "message")
  const error = reasonOf(request, code, status, text)
  const beforeSending =
    status === undefined && (NEVER_SENT.test(code) || NO_TRUST.test(code) || error.reason !== "Unavailable")
  const refused = status !== undefined && status >= 400 && status < 500 && status !== 408
  return { error, code, status, certain: beforeSending || refused }
}
