import { Schema } from "effect"
import { errorCode } from "../../src/lib/errorCode.ts"

/**
 * Why a spool cannot be used.
 * - `Locked`: another process uses it. `Io`: the disk or the file system failed. `Foreign`: the folder's files are not a spool's.
 */
export class SpoolError extends Schema.TaggedError<SpoolError>()("SpoolError", {
  reason: Schema.Literals(["Locked", "Io", "Foreign"]),
  /** Safe to show: names the folder or file. */
  message: Schema.String,
  diskFull: Schema.optionalKey(Schema.Boolean)
}) {}

const isDiskFull = (error: unknown): boolean => ["ENOSPC", "EDQUOT"].includes(errorCode(error))

/** `the disk is full`, `EACCES`: short enough to end a message with. */
export const ioProblem = (error: unknown): string => {
  const code = errorCode(error)
  if (isDiskFull(error)) return "the disk is full"
  return code !== "" ? code : error instanceof Error ? error.message : String(error)
}

/** The failure of a folder's spool: of its files, or what `recover` found to be wrong with them. */
export const toSpoolError = (folder: string, error: unknown): SpoolError =>
  error instanceof SpoolError
    ? new SpoolError({ reason: error.reason, message: `${folder} can't be used as a spool: ${error.message}.` })
    : new SpoolError({
        reason: "Io",
        message: `The spool in ${folder} can't be used: ${ioProblem(error)}.`,
        diskFull: isDiskFull(error)
      })
