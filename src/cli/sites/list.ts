import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { Sites } from "../../ports/Sites.ts"
import { json, printJson, table } from "../output.ts"
import { formatDomains, formatRateLimit, toJson } from "./print.ts"

export const list = Command.make(
  "list",
  {
    archived: Flag.Boolean("archived").pipe(Flag.withDefault(false), Flag.withDescription("Include archived sites")),
    json
  },
  Effect.fn(function* (flags) {
    const sites = yield* (yield* Sites).list({ archived: flags.archived })
    if (flags.json) return yield* printJson(sites.map(yield* toJson))
    if (sites.length === 0) {
      return yield* Console.log(
        'There are no live sites; `bun run footfall sites create --name "My site"` creates one.'
      )
    }
    yield* Console.log(
      table(
        ["ID", "NAME", "DOMAINS", "RATE LIMIT", "STATE"],
        sites.map((site) => [
          site.id,
          site.name,
          formatDomains(site),
          formatRateLimit(site),
          site.archived ? "archived" : "live"
        ])
      )
    )
  })
).pipe(Command.withDescription("List the sites by name"))
