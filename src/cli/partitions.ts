import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { Partitions } from "../ports/Partitions.ts"
import { Settings } from "../ports/Settings.ts"
import { PARTITION_MIN_EVENTS } from "../settings/settings.ts"
import { json, plural, printJson } from "./output.ts"

const dryRun = Flag.Boolean("dry-run").pipe(
  Flag.withDefault(false),
  Flag.withDescription("Show what would change without changing anything")
)

const maxEvents = Flag.Int("fewer-than").pipe(
  Flag.withDescription("Merge months with fewer events than this; default: PARTITION_MIN_EVENTS"),
  Flag.optional
)

const merge = Command.make(
  "merge",
  { dryRun, maxEvents, json },
  Effect.fn(function* (flags) {
    const { get } = yield* Settings
    const limit = Option.getOrElse(flags.maxEvents, () => get(PARTITION_MIN_EVENTS))
    const merged = yield* (yield* Partitions).merge({ maxEvents: limit, dryRun: flags.dryRun })
    if (flags.json) return yield* printJson({ dry_run: flags.dryRun, months: merged })
    if (merged.length === 0) return yield* Console.log(`No month with its own tables has fewer than ${limit} events.`)
    for (const { events, month } of merged) yield* Console.log(`${month}: ${plural(events, "event")}`)
    const verb = flags.dryRun ? "would be merged" : "merged"
    yield* Console.log(`${plural(merged.length, "month")} ${verb} into the default partition.`)
  })
).pipe(
  Command.withDescription(
    "Move the events of months that have their own tables and few events back to the default partition. Many tables make planning every query slower."
  ),
  Command.withExamples([
    { command: "bun run footfall partitions merge --dry-run", description: "Show which months would be merged" }
  ])
)

export const partitions = Command.make("partitions").pipe(
  Command.withDescription("Maintain the monthly tables of events in Postgres"),
  Command.withSubcommands([merge])
)
