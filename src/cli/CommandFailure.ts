import { Schema } from "effect"

/** The command did what it could and the outcome is bad; its own output said so, the exit code is 1. */
export class CommandFailure extends Schema.TaggedError<CommandFailure>()("CommandFailure", {
  message: Schema.String
}) {}
