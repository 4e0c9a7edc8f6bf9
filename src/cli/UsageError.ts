import { Schema } from "effect"

/** Flags that cannot be combined, or a missing one; exit code 2, as for an unknown flag. */
export class UsageError extends Schema.TaggedError<UsageError>()("UsageError", {
  message: Schema.String
}) {}
