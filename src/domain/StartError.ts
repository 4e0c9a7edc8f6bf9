import { Schema } from "effect"

/**
 * The process cannot start. `message` is printed without a stack trace.
 * - With its configuration, if `outside` is missing: it says what to change.
 * - For now, if `outside` is true: something that the process depends on is unreachable, full or not ready. Trying again may help.
 */
export class StartError extends Schema.TaggedError<StartError>()("StartError", {
  message: Schema.String,
  outside: Schema.optionalKey(Schema.Boolean)
}) {}

/** Something outside keeps the process from starting for now. */
export const startLater = (message: string): StartError => new StartError({ message, outside: true })
