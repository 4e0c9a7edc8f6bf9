import { Console, Effect } from "effect"
import { CliOutput, TerminalCapabilities } from "effect/cli"

/**
 * Prints requested help on standard output. After an invalid call it prints the errors and a pointer to the help on standard
 * error: a whole page of help would scroll the errors away, and a script that reads `--json` would receive it as data.
 */
export const presenter: CliOutput.Presenter = {
  present: Effect.fnUntraced(function* (event) {
    const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
    const formatter = CliOutput.defaultFormatter({ colors: canColor, globalFlags: "summary" })
    switch (event._tag) {
      case "Help":
        return yield* Console.log(formatter.formatHelpDoc(event.helpDoc))
      case "Version":
        return yield* Console.log(formatter.formatVersion(event.name, event.version))
      case "InvalidInvocation":
        return yield* Console.error(
          [
            ...event.errors.map(formatter.formatCliError),
            "",
            `Usage: ${event.helpDoc.usage}`,
            `Run \`bun run ${event.commandPath.join(" ")} --help\` for details.`
          ].join("\n")
        )
    }
  })
}
