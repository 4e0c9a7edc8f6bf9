import { IcebergError } from "../../IcebergError.ts"
import type { JdbcError } from "./JdbcClient.ts"

const SQLSTATE = /^[0-9A-Z]{5}$/
/** No connection was made, so nothing was sent. */
const NEVER_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"])
/**
 * SQLSTATE classes that leave open what the server did: connection exceptions, a server that shuts down or crashes (possibly
 * between the commit and its response), system errors.
 */
const AMBIGUOUS = /^(?:08|57P|58|XX)/

/** `unique_violation`. */
export const UNIQUE_VIOLATION = "23505"

/** The error of a failed statement that only reads. */
export const readFailure = ({ code, message }: JdbcError): IcebergError => {
  if (code === "42501" || code.startsWith("28")) {
    return IcebergError.denied(`The catalog's database denied access: ${message}. Check the user and its grants.`)
  }
  if (/^(?:42|22|3D|3F)/.test(code)) {
    return IcebergError.invalid(`The catalog's database rejected the statement: ${message}.`)
  }
  return IcebergError.unavailable(`The catalog's database failed: ${message}.`)
}

/** The error of a failed statement that writes: `Unknown` unless it is certain that nothing was written. */
export const writeFailure = (error: JdbcError): IcebergError => {
  const isCertain = NEVER_SENT.has(error.code) || (SQLSTATE.test(error.code) && !AMBIGUOUS.test(error.code))
  const failure = readFailure(error)
  return isCertain ? failure : IcebergError.unknown(failure.message)
}
