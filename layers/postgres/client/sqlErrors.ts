import { Predicate } from "effect"
import type { SqlError } from "effect/sql"
import { StartError, startLater } from "../../../src/domain/StartError.ts"
import { errorCode } from "../../../src/lib/errorCode.ts"

/** `read_only_sql_transaction`: the server is a standby, was demoted, or has `default_transaction_read_only`. */
export const READ_ONLY_CODE = "25006"
/** SQLSTATE class "operator intervention" without `query_canceled`, the only one of its codes that leaves the connection usable. */
const INTERVENTION_CLASS = "57P"

/** The server's SQLSTATE, else the operating system's code (`ECONNREFUSED`), else "". */
export const sqlCode = (error: SqlError.SqlError): string => errorCode(error.reason.cause)

const UNIQUE_VIOLATION = "23505"

/** Whether a statement failed because a value exists already that may exist only once. */
export const isUniqueViolation = (error: unknown): error is SqlError.SqlError =>
  Predicate.isTagged(error, "SqlError") && sqlCode(error as SqlError.SqlError) === UNIQUE_VIOLATION

/**
 * Whether the connection is of no use any more, although a pooler or proxy may keep it open: the server does not accept writes, is
 * shutting down or starting, or is lost.
 */
export const endsConnection = (error: SqlError.SqlError): boolean => {
  const code = sqlCode(error)
  return code === READ_ONLY_CODE || code.startsWith(INTERVENTION_CLASS) || error.reason._tag === "ConnectionError"
}

/**
 * SQLSTATE classes of a server that answers, but will not do what the configuration asks: authorization, database, syntax, permission or
 * missing object, unsupported feature, invalid value.
 */
const CONFIGURATION_CLASSES = ["28", "3D", "42", "0A", "22"]

/** Why a process cannot start: for now, if the server is unreachable, busy or not ready, and with this configuration otherwise. */
export const toStartError = (error: SqlError.SqlError, message: string): StartError => {
  const code = sqlCode(error)
  return code.length === 5 && CONFIGURATION_CLASSES.includes(code.slice(0, 2))
    ? new StartError({ message })
    : startLater(message)
}

/** The message of the server or the operating system, in one line. Never holds a connection string. */
export const sqlMessage = (error: SqlError.SqlError): string => {
  const cause = error.reason.cause
  const message =
    cause instanceof Error && cause.message !== "" ? cause.message : (error.reason.message ?? "unknown error")
  const code = sqlCode(error)
  return code === "" || message.includes(code) ? message : `${message} (${code})`
}
