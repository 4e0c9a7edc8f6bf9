import { Schema } from "effect"

/** The command ran and its result is bad. Its output already says so; the exit code is 1. */
export class CommandFailure extends Schema.TaggedError<CommandFailure>()("CommandFailure", {
  message: Schema.String
}) {}
