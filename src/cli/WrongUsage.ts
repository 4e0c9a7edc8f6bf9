import { Schema } from "effect"

/** Flags that do not go together, or too few of them; exit code 2, as for a flag that does not exist. */
export class WrongUsage extends Schema.TaggedError<WrongUsage>()("WrongUsage", {
  message: Schema.String
}) {}
