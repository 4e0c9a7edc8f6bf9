import type { SqlError } from "effect/sql"
import { errorCode } from "../../../src/lib/errorCode.ts"

/** SQLSTATE of a server's error, else the system's code (`ECONNREFUSED`), else "". */
export const sqlCode = (error: SqlError.SqlError): string => errorCode(error.reason.cause)

/** What the server or the system said, in one line; holds no connection string. */
export const sqlMessage = (error: SqlError.SqlError): string => {
  const cause = error.reason.cause
  const text =
    cause instanceof Error && cause.message !== "" ? cause.message : (error.reason.message ?? "unknown error")
  const code = sqlCode(error)
  return code === "" || text.includes(code) ? text : `${text} (${code})`
}
