import { errorCode } from "../../errorCode.ts"
import { IcebergError } from "../../IcebergError.ts"

/** What a failed file operation means. */
export const fileFailure = (cause: unknown, location: string): IcebergError => {
  if (cause instanceof IcebergError) return cause
  const code = errorCode(cause)
  switch (code) {
    case "ENOENT":
      return IcebergError.notFound(`The file ${location} does not exist.`)
    case "ENOSPC":
    case "EDQUOT":
      return IcebergError.unavailable(`No space left for ${location} (${code}): free some space or enlarge the disk.`)
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return IcebergError.denied(
        `This process has no permission for ${location} (${code}): check the folder's owner and mode.`
      )
    case "EISDIR":
    case "EEXIST":
    case "ENOTDIR":
    case "ENAMETOOLONG":
    case "ENOTSUP":
    case "EOPNOTSUPP":
      return IcebergError.invalid(
        `${location} cannot be a file of a warehouse (${code}): a folder exists in its place, a parent is not a folder, or the file system does not support links.`
      )
    default:
      return IcebergError.unavailable(
        `The file system failed to access ${location}: ${code === "" ? String(cause) : code}.`
      )
  }
}

/** Turns the error of a missing file into null; to be used in `catch`. */
export const nullIfAbsent = (cause: unknown): null => {
  if (errorCode(cause) !== "ENOENT" && errorCode(cause) !== "ENOTDIR") throw cause
  return null
}
