import type { SqlError } from "effect/sql"
import { sqlCode, sqlMessage } from "../client/sqlErrors.ts"

/**
 * What to do about a failed write.
 * - `Retry`: it may succeed later: no connection, a lost one (so the outcome is unknown), a deadlock, a server that is starting or out
 *   of resources.
 * - `Record`: a record of the batch does not fit its columns, and never will.
 * - `Stop`: anything else, such as a missing table or permission.
 */
export type Failure =
  | { readonly _tag: "Retry"; readonly message: string }
  | { readonly _tag: "Record"; readonly message: string }
  | { readonly _tag: "Stop"; readonly message: string }

/** SQLSTATE classes: connection, transaction rollback, insufficient resources, operator intervention, system, internal. */
const RETRY_CLASSES = ["08", "40", "53", "57", "58", "XX"]
/** `read_only_sql_transaction` of a server that was just demoted, `lock_not_available`. */
const RETRY_CODES = ["25006", "55P03"]
/** Data exception, integrity violation, program limit (an index row too long). */
const RECORD_CLASSES = ["22", "23", "54"]

/** Used instead of the server's messages, which quote the data. */
const RECORD_MESSAGES: Readonly<Record<string, string>> = {
  "22001": "a string is too long",
  "22003": "a number is out of range",
  "22008": "a time is out of range",
  "22021": "a string contains NUL or is not valid UTF-8",
  "22P02": "an id is not a UUID, or a value has the wrong type",
  "22P05": "a string contains a character that can't be stored",
  "23502": "a value is missing"
}

export const failureOf = (error: SqlError.SqlError): Failure => {
  const code = sqlCode(error)
  const group = code.slice(0, 2)
  if (code.length === 5 && RECORD_CLASSES.includes(group)) {
    return {
      _tag: "Record",
      message: `The record can't be stored: ${RECORD_MESSAGES[code] ?? "a value does not fit"} (${code}).`
    }
  }
  const message = sqlMessage(error)
  const mayRetry =
    error.reason._tag === "ConnectionError" || RETRY_CLASSES.includes(group) || RETRY_CODES.includes(code)
  return { _tag: mayRetry ? "Retry" : "Stop", message }
}
