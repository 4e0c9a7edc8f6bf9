import type { SqlError } from "effect/sql"
import { errorCode } from "../../../src/lib/errorCode.ts"

/** The server's SQLSTATE, else the operating system's code (`ECONNREFUSED`), else "". */
export const sqlCode = (error: SqlError.SqlError): string => errorCode(error.reason.cause)

/** The message of the server or the operating system, in one line. Never holds a connection string. */
export const sqlMessage = (error: SqlError.SqlError): string => {
  const cause = error.reason.cause
  const message =
    cause instanceof Error && cause.message !== "" ? cause.message : (error.reason.message ?? "unknown error")
  const code = sqlCode(error)
  return code === "" || message.includes(code) ? message : `${message} (${code})`
}
