import { Predicate } from "effect"
import { IcebergError } from "../IcebergError.ts"

/** A failed request to an AWS service. */
export interface AwsFailure {
  readonly error: IcebergError
  /** The service's error code (`NoSuchKey`), the system's (`ECONNREFUSED`), or "". */
  readonly code: string
  /** Of HTTP; null without a response. */
  readonly status: number | null
  /** Whether the request certainly had no effect and will not have one. */
  readonly isCertain: boolean
}

/** What a request does, for messages. */
export interface AwsRequest {
  /** `S3 at localhost:8333`, `AWS Glue in eu-west-1`. */
  readonly service: string
  /** `read`, `write` … */
  readonly verb: string
  /** A location or a table name. */
  readonly what: string
  readonly bucket?: string
  /** The actions that the policy must allow. */
  readonly permissions: string
}

/** No connection was made, so nothing was sent. */
const NEVER_SENT =
  /^(?:ECONNREFUSED|ConnectionRefused|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|FailedToOpenSocket)$/
const TLS_FAILED = /EPROTO|SSL|CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/
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

/** Longest part of a service's message to include in ours: enough for a sentence. */
const EXCERPT_LENGTH = 200

const stringAt = (value: object, key: string): string => {
  const found = (value as Readonly<Record<string, unknown>>)[key]
  return typeof found === "string" ? found : ""
}

const statusOf = (cause: object): number | null => {
  const metadata = (cause as { readonly $metadata?: unknown }).$metadata
  return Predicate.isObject(metadata) && "httpStatusCode" in metadata && typeof metadata["httpStatusCode"] === "number"
    ? metadata["httpStatusCode"]
    : null
}

/** Whether the request failed because its temporary credentials have expired. */
export const isExpired = (failure: AwsFailure): boolean => EXPIRED.has(failure.code)

const errorOf = (
  { bucket, permissions, service, verb, what }: AwsRequest,
  code: string,
  status: number | null,
  message: string
): IcebergError => {
  const details = message === "" || message === "UnknownError" ? "" : `: ${message.slice(0, EXCERPT_LENGTH)}`
  const label = NAMELESS.has(code) ? `HTTP ${status}` : status === null ? code : `${code}, HTTP ${status}`
  if (code === "CredentialsProviderError") {
    return IcebergError.denied(
      `Found no AWS credentials for ${service}: set an access key id and a secret access key, or use a profile, environment variables or an instance role.`
    )
  }
  // The SDK reports this by its message only.
  if (message === "Region is missing") {
    return IcebergError.invalid(`${service} requires a region: set one, or AWS_REGION.`)
  }
  if (status === null) {
    if (TLS_FAILED.test(code)) {
      return IcebergError.invalid(
        `The TLS handshake with ${service} failed (${code}): check http or https in its endpoint, and its certificate.`
      )
    }
    const problem = NEVER_SENT.test(code) ? "is unreachable" : "did not answer"
    return IcebergError.unavailable(
      `${service} ${problem}; could not ${verb} ${what} (${NAMELESS.has(code) ? message || code : code}).`
    )
  }
  if (code === "NoSuchBucket") {
    return IcebergError.invalid(`${service} has no bucket ${bucket}: create it, or correct the name.`)
  }
  if (code === "SignatureDoesNotMatch" || code === "InvalidSignatureException") {
    return IcebergError.denied(
      `${service} rejected the signature: the secret access key does not match the access key id, or a proxy changes requests.`
    )
  }
  if (WRONG_KEYS.has(code)) {
    return IcebergError.denied(
      `${service} rejected the access key id or the session token (${code}): correct the credentials.`
    )
  }
  if (EXPIRED.has(code))
    return IcebergError.unavailable(`The temporary credentials for ${service} have expired (${code}).`)
  if (code === "RequestTimeTooSkewed") {
    return IcebergError.denied(`${service} rejected the request because this machine's clock is wrong: correct it.`)
  }
  if (WRONG_REGION.has(code) || status === 301) {
    return IcebergError.invalid(
      `${bucket ?? what} is in another region or at another endpoint of ${service} (${label})${details}`
    )
  }
  if (status === 404) return IcebergError.notFound(`${what} does not exist (${service}).`)
  if (status === 401 || status === 403 || code === "AccessDeniedException") {
    return IcebergError.denied(`${service} denied permission to ${verb} ${what} (${label}): grant ${permissions}.`)
  }
  if (status >= 500 && status !== 501 && status !== 505) {
    return IcebergError.unavailable(`${service} failed to ${verb} ${what} (${label})${details}`)
  }
  if (status === 429 || status === 408 || BUSY.has(code)) {
    return IcebergError.unavailable(`${service} is too busy to ${verb} ${what} (${label}).`)
  }
  return IcebergError.invalid(`${service} refused to ${verb} ${what} (${label})${details}`)
}

/** What a failed request of an AWS SDK means. Messages contain no secrets. */
export const awsFailure = (cause: unknown, request: AwsRequest): AwsFailure => {
  if (cause instanceof IcebergError) return { error: cause, code: "", status: null, isCertain: true }
  if (!Predicate.isObject(cause)) {
    const error = IcebergError.unavailable(`${request.service} failed to ${request.verb} ${request.what}.`)
    return { error, code: "", status: null, isCertain: false }
  }
  const status = statusOf(cause)
  const code = status === null ? stringAt(cause, "code") || stringAt(cause, "name") : stringAt(cause, "name")
  const error = errorOf(request, code, status, stringAt(cause, "message"))
  const failedBeforeSending =
    status === null && (NEVER_SENT.test(code) || TLS_FAILED.test(code) || error.reason !== "Unavailable")
  const wasRefused = status !== null && status >= 400 && status < 500 && status !== 408
  return { error, code, status, isCertain: failedBeforeSending || wasRefused }
}
