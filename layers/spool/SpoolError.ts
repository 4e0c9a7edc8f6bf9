import { Schema } from "effect"

/**
 * Why a log can't be used.
 * - `Locked`: another process owns it. `Io`: the disk or the file system said no. `Foreign`: the folder holds something else.
 */
export class SpoolError extends Schema.TaggedError<SpoolError>()("SpoolError", {
  reason: Schema.Literals(["Locked", "Io", "Foreign"]),
  /** Safe to show: names the folder or file and what to do. */
  message: Schema.String
}) {}
