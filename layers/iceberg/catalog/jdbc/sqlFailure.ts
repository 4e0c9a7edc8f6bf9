import type { SqlError } from "effect/sql"
import { sqlCode, sqlMessage } from "../../../postgres/client/sqlErrors.ts"
import { type IcebergError, icebergError } from "../../IcebergError.ts"

const SQLSTATE = /^[0-9A-Z]{5}$/
/** No connection was made, so nothing was sent. */
const NEVER_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"])
/**
 * SQLSTATE classes that say nothing about what the server did before: connection exceptions, a server that shuts down or
 * crashes (it may do so between the commit and its answer), system errors.
 */
const AMBIGUOUS = /^(?:08|57P|58|XX)/

/** `unique_violation`. */
export const UNIQUE_VIOLATION = "23505"

/** What a failed statement means. */
export const sqlFailure = (error: SqlError.SqlError): IcebergError => {
  const code = sqlCode(error)
  const said = `the catalog's database says: ${sqlMessage(error)}`
  if (code === "42501" || code.startsWith("28")) {
    return icebergError("Denied", `Not allowed: ${said}. Check the user and what it was granted.`)
  }
  if (/^(?:42|22|3D|3F)/.test(code)) return icebergError("Invalid", `Not possible: ${said}.`)
  return icebergError("Unavailable", `Not done: ${said}.`)
}

/** The same of a statement that writes: `Unknown` unless the server, or the network, said that nothing was done. */
export const writeFailure = (error: SqlError.SqlError): IcebergError => {
  const code = sqlCode(error)
  const certain = NEVER_SENT.has(code) || (SQLSTATE.test(code) && !AMBIGUOUS.test(code))
  const failure = sqlFailure(error)
  return certain ? failure : icebergError("Unknown", failure.message)
}
