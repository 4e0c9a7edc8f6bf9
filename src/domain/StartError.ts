import { Schema } from "effect"

/** The process cannot start with its configuration. `message` says what to change; it is printed without a stack trace. */
export class StartError extends Schema.TaggedError<StartError>()("StartError", {
  message: Schema.String
}) {}
