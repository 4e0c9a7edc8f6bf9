import { Command } from "effect/cli"

/** The parent of the `sites` commands. Its subcommands need different services, so the process that runs them lists them. */
export const sites = Command.make("sites").pipe(
  Command.withDescription("Register, change and archive sites, and show their statistics")
)
