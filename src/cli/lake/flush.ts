import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { type FlushProgress, LakeAdmin } from "../../ports/LakeAdmin.ts"
import { CommandFailure } from "../CommandFailure.ts"
import { json, plural, printJson } from "../output.ts"
import { bytes, makeProgress } from "../progress.ts"

/** How long collectors may take to flush, in seconds: longer than a flush of a full spool segment on a slow store. */
const TIMEOUT_SECONDS = 90

const describe = ({ folder, host, isRunning }: FlushProgress["awaited"][number]): string =>
  `${host} (${folder}${isRunning ? "" : ", which has stopped reporting"})`

export const flush = Command.make(
  "flush",
  { json },
  Effect.fn(function* (flags) {
    const progress = yield* makeProgress
    const { collectors, failing, flushed, remaining } = yield* (yield* LakeAdmin)
      .flush({
        timeoutSeconds: TIMEOUT_SECONDS,
        onProgress: ({ awaited, done, total }) =>
          progress.show(
            `${done} of ${plural(total, "collector")} flushed; waiting for ${awaited.map(describe).join(", ")}`
          )
      })
      .pipe(Effect.ensuring(progress.end))
    const isDone = flushed === collectors && remaining.length === 0
    if (flags.json) {
      const left = remaining.map(({ backlogBytes, folder, host }) => ({ host, folder, bytes: backlogBytes }))
      yield* printJson({ collectors, flushed: isDone, ...(left.length === 0 ? {} : { remaining: left }) })
    } else if (collectors === 0) yield* Console.log("No running collector writes to the lake.")
    else if (flushed === collectors) yield* Console.log(`${plural(collectors, "collector")} flushed.`)
    else {
      yield* Console.log(`${flushed === 0 ? "None" : flushed} of ${plural(collectors, "collector")} flushed.`)
      for (const { failure, host } of failing) yield* Console.log(`${host}: ${failure}`)
    }
    if (!flags.json) {
      for (const { backlogBytes, folder, host, isRunning } of remaining) {
        const why = isRunning
          ? `The collector has not flushed them within ${TIMEOUT_SECONDS} s.`
          : "The collector is gone: start one with that folder to flush them."
        yield* Console.log(`${host}: ${bytes(backlogBytes)} remain in ${folder}. ${why}`)
      }
    }
    if (!isDone) return yield* new CommandFailure({ message: "Not everything is in the lake." })
  })
).pipe(
  Command.withDescription("Make every running collector flush what it has accepted to the lake now"),
  Command.withExamples([
    { command: "bun run footfall lake flush", description: "Before a report that must be up to date" }
  ])
)
