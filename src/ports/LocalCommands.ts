import { Context, Effect } from "effect"

/** Commands on the same machine that may read the server's folder, and so could read its database anyway. */
export class LocalCommands extends Context.Service<
  LocalCommands,
  {
    /** Whether a token was made by such a command, just now. */
    readonly accepts: (token: string) => Effect.Effect<boolean>
  }
>()("footfall/ports/LocalCommands") {}

/** What a command sends to a server on this machine in place of an API key; null if it cannot read the server's folder. */
export const LocalToken = Context.Reference<Effect.Effect<string | null>>("footfall/ports/LocalToken", {
  defaultValue: () => Effect.succeed(null)
})
