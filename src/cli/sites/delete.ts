import { Effect } from "effect"
import { Command } from "effect/cli"
import { Sites } from "../../ports/Sites.ts"
import { json } from "../output.ts"
import { printSite } from "./print.ts"
import { id, siteId } from "./siteId.ts"

/** Named as users expect it; a site is archived, because its events stay. */
export const archive = Command.make(
  "delete",
  { id, json },
  Effect.fn(function* (flags) {
    const site = yield* (yield* Sites).archive(yield* siteId(flags.id))
    yield* printSite(site, {
      json: flags.json,
      heading:
        "Archived: it accepts no new events and keeps its existing ones. `bun run footfall sites update ID --restore` restores it."
    })
  })
).pipe(Command.withDescription("Archive a site: it accepts no new events and keeps its existing ones"))
