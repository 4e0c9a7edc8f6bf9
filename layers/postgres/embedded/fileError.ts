import { Effect } from "effect"
import { StartError, startLater } from "../../../src/domain/StartError.ts"
import { errorCode } from "../../../src/lib/errorCode.ts"

export const diskFull = (path: string): StartError =>
  startLater(`The disk that holds ${path} is full. Free some space, or set DATA_DIR to a folder elsewhere.`)

/** The error of a failed file operation of the embedded Postgres, with a remedy. */
export const fileError = (cause: unknown, path: string): StartError => {
  const code = errorCode(cause)
  if (code === "ENOSPC" || code === "EDQUOT" || code === "SQLITE_FULL") return diskFull(path)
  if (["EACCES", "EPERM", "EROFS", "SQLITE_CANTOPEN", "SQLITE_READONLY"].includes(code)) {
    return new StartError({
      message: `${path} can't be written by this user (${code}). Set DATA_DIR to a folder that can, or DATABASE_URL to a Postgres to use.`
    })
  }
  return new StartError({
    message: `${path} can't be used for the embedded Postgres (${code === "" ? String(cause) : code}). Set DATA_DIR to a folder that can, or DATABASE_URL to a Postgres to use.`
  })
}

/** Runs a file operation. */
export const attempt = <A>(path: string, run: () => A): Effect.Effect<A, StartError> =>
  Effect.try({ try: run, catch: (cause) => fileError(cause, path) })
