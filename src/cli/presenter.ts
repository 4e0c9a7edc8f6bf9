import { Console, Effect } from "effect"
import { CliOutput, TerminalCapabilities } from "effect/cli"

/**
 * Help goes to standard output, as asked. A wrong call gets its errors and where to read on, both on standard error: a page
 * of help would scroll the reason away, and a script that reads `--json` would get it as its data.
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
            `\`bun run ${event.commandPath.join(" ")} --help\` tells more.`
          ].join("\n")
        )
    }
  })
}
