import { Console, Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { Backups, type RestoredLake } from "../ports/Backups.ts"
import { CommandFailure } from "./CommandFailure.ts"
import { json, plural, printJson } from "./output.ts"
import { bytes, makeProgress } from "./progress.ts"

const folder = (description: string) => Argument.String("folder").pipe(Argument.withDescription(description))

const failWith = ({ message }: { readonly message: string }) =>
  Effect.andThen(Console.error(message), new CommandFailure({ message }))

export const backup = Command.make(
  "backup",
  { folder: folder("A new folder for the backup, on another disk if possible"), json },
  Effect.fn(function* (flags) {
    const progress = yield* makeProgress
    const summary = yield* (yield* Backups)
      .create(flags.folder, progress.show)
      .pipe(Effect.ensuring(progress.end), Effect.catchTag("BackupError", failWith))
    if (flags.json) return yield* printJson(summary)
    const spools = summary.spools === 0 ? "" : `, ${plural(summary.spools, "spool")}`
    yield* Console.log(
      `${summary.folder} has the database (${bytes(summary.bytes)})${spools} and ${plural(summary.settings, "setting")} of this environment, with secrets: keep it private.`
    )
  })
).pipe(
  Command.withDescription(
    "Back up the app database, the spool and this environment's settings while everything keeps running. With DATABASE_URL, needs pg_dump of the server's version or newer."
  ),
  Command.withExamples([
    { command: 'bun run footfall backup "/backups/footfall-$(date +%F)"', description: "Daily, from cron" }
  ])
)

const lakeLines = (lake: RestoredLake | null): ReadonlyArray<string> => {
  if (lake === null) return []
  const { problem, recovered } = lake
  return [
    ...(recovered.length === 0
      ? []
      : [
          `The lake was written to after the backup: the catalog names the newest metadata of ${recovered.join(", ")} again.`
        ]),
    ...(problem === null
      ? []
      : [
          `The lake's catalog is as old as the backup, and could not be checked: ${problem} Run \`bun run footfall lake recover\` before you start Footfall. Otherwise the tables lose what was written after the backup.`
        ])
  ]
}

export const restore = Command.make(
  "restore",
  {
    folder: folder("The folder of a backup"),
    replace: Flag.Boolean("replace").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Move an existing embedded database and existing spools aside")
    ),
    json
  },
  Effect.fn(function* (flags) {
    const progress = yield* makeProgress
    const restored = yield* (yield* Backups)
      .restore(flags.folder, { replace: flags.replace, onProgress: progress.show })
      .pipe(Effect.ensuring(progress.end), Effect.catchTag("BackupError", failWith))
    if (flags.json) return yield* printJson(restored)
    yield* Console.log(`Restored the backup of ${restored.createdAt}.`)
    for (const path of restored.movedAside) yield* Console.log(`The existing data is now at ${path}.`)
    for (const line of lakeLines(restored.lake)) yield* Console.log(line)
    yield* Console.log(
      `The environment's settings of that time are in ${restored.settingsFile}; set those that this environment lacks, most importantly APP_SECRET.`
    )
  })
).pipe(
  Command.withDescription(
    "Restore a backup into DATA_DIR, or into the empty database of DATABASE_URL. Stop Footfall first."
  ),
  Command.withExamples([
    { command: "bun run footfall restore /backups/footfall-2026-03-28", description: "On a new machine" }
  ])
)
