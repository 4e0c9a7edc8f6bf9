import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { Demo } from "../pipeline/demo/Demo.ts"
import { ReplicaAdmin } from "../ports/ReplicaAdmin.ts"
import { json, plural, printJson } from "./output.ts"
import { makeProgress, number, type Progress } from "./progress.ts"

/** How long the server's replica may take to get the demo's events. */
const REPLICA_SECONDS = 60

/** Otherwise the next question would be answered from what the replica had before. */
const awaitReplica = Effect.fnUntraced(function* (progress: Progress, text: string) {
  return yield* (yield* ReplicaAdmin)
    .awaitCommitted({ timeoutSeconds: REPLICA_SECONDS, onProgress: Effect.sync(() => progress.show(text)) })
    .pipe(
      Effect.orElseSucceed(() => "late" as const),
      Effect.ensuring(progress.end)
    )
})

export const remove = Command.make(
  "remove",
  { json },
  Effect.fn(function* (flags) {
    const progress = yield* makeProgress
    const { events, visitors } = yield* (yield* Demo).remove
    const replica = yield* awaitReplica(progress, "Waiting until the server's replica has removed the events …")
    if (flags.json) return yield* printJson({ events, visitors })
    yield* Console.log(`Removed the demo site with ${number(events)} events.`)
    if (replica === "late") yield* Console.log("The server's replica still has some of them, and answers count these.")
  })
).pipe(Command.withDescription("Remove the demo site with everything that it has"))

/** A sample site to explore. The process that runs it adds `remove`, which needs an instance that exists. */
export const demo = Command.make(
  "demo",
  { json },
  Effect.fn(function* (flags) {
    const progress = yield* makeProgress
    const { events, site } = yield* (yield* Demo)
      .create((share) => Effect.sync(() => progress.show(`Creating the demo site: ${Math.round(share * 100)} %`)))
      .pipe(Effect.ensuring(progress.end))
    const replica = yield* awaitReplica(progress, "Waiting until the server's replica has the events …")
    if (flags.json) return yield* printJson({ site_id: site.id, name: site.name, events })
    yield* Console.log(
      [
        `Created the site "${site.name}" with ${plural(events, "event")} of the last 90 days.`,
        ...(replica === "late"
          ? [
              "The server's replica does not have all of them yet: until it has, answers lack some. `bun run footfall replica status` shows how far it is."
            ]
          : []),
        "",
        `  Ask something:  bun run footfall ask 'visitors by channel on "${site.name}"'`,
        "  Remove it:      bun run footfall demo remove"
      ].join("\n")
    )
  })
).pipe(Command.withDescription("Create a sample site with 90 days of made-up events, to explore Footfall with"))
