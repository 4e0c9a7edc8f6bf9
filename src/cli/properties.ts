import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { PropertyAdmin } from "../ports/PropertyAdmin.ts"
import { json, plural, printJson } from "./output.ts"

const rebuild = Command.make(
  "rebuild",
  { json },
  Effect.fn(function* (flags) {
    const rebuilt = yield* (yield* PropertyAdmin).rebuild
    if (flags.json) return yield* printJson(rebuilt)
    yield* Console.log(
      `${plural(rebuilt.sites, "site")}: ${rebuilt.registered} properties and attributes are registered, and ${rebuilt.removed} that no longer occur were removed.`
    )
  })
).pipe(
  Command.withDescription(
    "Count the properties of all stored events and visitors, and replace the registry. Collectors maintain it, so this is only needed after deleting or importing events, or when a site once had too many keys. Types that were declared and fields that were hidden stay."
  ),
  Command.withExamples([
    {
      command: "bun run footfall properties rebuild",
      description: "Takes about as long as reading every property once"
    }
  ])
)

export const properties = Command.make("properties").pipe(
  Command.withDescription("Maintain the registry of event properties and visitor attributes"),
  Command.withSubcommands([rebuild])
)
