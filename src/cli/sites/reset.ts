import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { SiteData } from "../../ports/SiteData.ts"
import { Sites } from "../../ports/Sites.ts"
import { json, plural, printJson } from "../output.ts"
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
    const { events, keptVisitors, visitors } = yield* (yield* SiteData)
      .reset(site.id, (soFar) => Effect.sync(() => progress.show(`Deleted ${number(soFar.events)} events …`)))
      .pipe(Effect.ensuring(progress.end))
    if (flags.json) return yield* printJson({ events, visitors, kept_visitors: keptVisitors })
    yield* Console.log(
      [
        `Deleted ${plural(events, "event")} and ${plural(visitors, "visitor")} of "${site.name}".`,
        ...(keptVisitors === 0
          ? []
          : [
              `${plural(keptVisitors, "visitor")} of the last day ${keptVisitors === 1 ? "stays as an empty row" : "stay as empty rows"}, since their browsers may continue a session: without attributes, distinct id and first page and source.`
            ])
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription(
    "Delete all events, attributes and visitors of a site for good; the site stays, and visitors of the last 25 hours stay as empty rows"
  )
)
