import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { SiteData } from "../../ports/SiteData.ts"
import { Sites } from "../../ports/Sites.ts"
import { json, printJson } from "../output.ts"
import { makeProgress, number } from "../progress.ts"
import { UsageError } from "../UsageError.ts"
import { id, siteId } from "./siteId.ts"

export const reset = Command.make(
  "reset",
  {
    id,
    yes: Flag.Boolean("yes").pipe(Flag.withDefault(false), Flag.withDescription("Really delete the events")),
    json
  },
  Effect.fn(function* (flags) {
    const site = yield* (yield* Sites).get(yield* siteId(flags.id))
    if (!flags.yes) {
      return yield* new UsageError({
        message: `This deletes all events and visitors of "${site.name}" for good. Add --yes to do it.`
      })
    }
    const progress = yield* makeProgress
    const deleted = yield* (yield* SiteData)
      .reset(site.id, ({ events }) => Effect.sync(() => progress.show(`Deleted ${number(events)} events …`)))
      .pipe(Effect.ensuring(progress.end))
    if (flags.json) return yield* printJson(deleted)
    yield* Console.log(
      `Deleted ${number(deleted.events)} events and ${number(deleted.visitors)} visitors of "${site.name}".`
    )
  })
).pipe(Command.withDescription("Delete all events and visitors of a site for good; the site stays"))
