import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { LakeAdmin, type LakeOrphans } from "../../ports/LakeAdmin.ts"
import { CommandFailure } from "../CommandFailure.ts"
import { json, plural, printJson } from "../output.ts"
import { bytes } from "../progress.ts"
import { dryRun, onlyTable, printNoTables, selectedTables } from "./flags.ts"

const print = Effect.fn(function* (found: ReadonlyArray<LakeOrphans>, isDryRun: boolean) {
  if (found.length === 0) return yield* printNoTables
  const verb = isDryRun ? "would be removed" : "removed"
  for (const { files, refused, seen, table } of found) {
    const size = bytes(files.reduce((sum, file) => sum + file.size, 0))
    yield* Console.log(
      files.length === 0
        ? `${table}: no orphans among ${plural(seen, "file")}.`
        : `${table}: ${plural(files.length, "orphan")} (${size}) among ${plural(seen, "file")} ${verb}.`
    )
    if (isDryRun) for (const { location } of files) yield* Console.log(`  ${location}`)
    for (const refusal of refused) yield* Console.log(`  ${refusal}`)
  }
})

export const orphans = Command.make(
  "orphans",
  { dryRun, table: onlyTable, json },
  Effect.fn(function* (flags) {
    const found = yield* (yield* LakeAdmin).removeOrphans({
      tables: selectedTables(flags.table),
      dryRun: flags.dryRun
    })
    if (flags.json) {
      yield* printJson(
        found.map(({ files, refused, seen, table }) => ({ table, dry_run: flags.dryRun, seen, files, refused }))
      )
    } else yield* print(found, flags.dryRun)
    if (found.some(({ refused }) => refused.length > 0)) {
      return yield* new CommandFailure({ message: "Some folders were not searched." })
    }
  })
).pipe(
  Command.withDescription("Remove old files that no snapshot references, left over by crashes and failed commits"),
  Command.withExamples([
    {
      command: "bun run footfall lake orphans --dry-run --table pa_events",
      description: "Show the orphaned files of one table"
    }
  ])
)
