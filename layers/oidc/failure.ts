import { Predicate } from "effect"
import { errorCode } from "../../src/lib/errorCode.ts"
import { SingleSignOnError } from "../../src/ports/SingleSignOn.ts"

type Reason = SingleSignOnError["reason"]

/** What users see. The log has the library's own message. */
const MESSAGES: Readonly<Record<Reason, string>> = {
  Off: "Single sign-on is not set up here.",
  Unreachable: "The identity provider does not answer. Try again later.",
  Misconfigured:
    "The identity provider and Footfall do not agree on the settings of single sign-on; the server's log has the details.",
  Refused: "The identity provider did not let you in.",
  Invalid: "This attempt to sign in has expired, or was begun in another browser. Try again."
}

export const signOnError = (reason: Reason): SingleSignOnError =>
  new SingleSignOnError({ reason, message: MESSAGES[reason] })

/** By the library's error codes. A code that is missing means that the network failed. */
const REASONS: Readonly<Record<string, Reason>> = {
  OAUTH_AUTHORIZATION_RESPONSE_ERROR: "Refused",
  OAUTH_WWW_AUTHENTICATE_CHALLENGE: "Misconfigured",
  OAUTH_HTTP_REQUEST_FORBIDDEN: "Misconfigured",
  OAUTH_UNSUPPORTED_OPERATION: "Misconfigured",
  OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED: "Misconfigured",
  OAUTH_MISSING_SERVER_METADATA: "Misconfigured",
  OAUTH_INVALID_SERVER_METADATA: "Misconfigured",
  OAUTH_INVALID_RESPONSE: "Invalid",
  OAUTH_INVALID_REQUEST: "Invalid",
  OAUTH_JWT_CLAIM_COMPARISON_FAILED: "Invalid",
  OAUTH_JWT_TIMESTAMP_CHECK_FAILED: "Invalid",
  OAUTH_KEY_SELECTION_FAILED: "Invalid",
  OAUTH_DECRYPTION_FAILED: "Invalid",
  OAUTH_JWT_USERINFO_EXPECTED: "Invalid"
}

/** Why a step of signing in failed. `error`: what the library threw. */
export const reasonOf = (error: unknown): Reason => {
  const code = errorCode(error)
  if (code === "OAUTH_RESPONSE_BODY_ERROR") {
    // A code that was used, is too old or belongs to another client (RFC 6749, section 5.2).
    return Predicate.isObject(error) && "error" in error && error["error"] === "invalid_grant"
      ? "Invalid"
      : "Misconfigured"
  }
  return REASONS[code] ?? "Unreachable"
}

/** For the log: the library's code and message, which have neither secrets nor tokens, and end as a sentence does. */
export const describeFailure = (error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error)
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : ""
  const code = errorCode(error)
  // The message of a network error is the code again, or begins with it.
  const parts = [message.startsWith(code) ? "" : code, message, cause].filter((part) => part !== "").join(": ")
  return /[.!?]$/.test(parts) ? parts : `${parts}.`
}
