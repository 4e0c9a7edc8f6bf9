import { errorCode } from "../../../src/lib/errorCode.ts"
import { BackupError } from "../../../src/ports/Backups.ts"

/** The error of a failed file operation, with a remedy. */
export const fileFailure = (path: string, cause: unknown): BackupError => {
  const code = errorCode(cause)
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new BackupError({
      message: `The disk that holds ${path} is full. Free some space, or name a folder elsewhere.`
    })
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return new BackupError({
      message: `${path} can't be read or written by this user (${code}). Run the command as the user that runs Footfall.`
    })
  }
  return new BackupError({ message: `${path}: ${cause instanceof Error ? cause.message : String(cause)}` })
}
