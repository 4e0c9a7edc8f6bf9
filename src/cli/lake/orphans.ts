import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { LakeAdmin } from "../../ports/LakeAdmin.ts"
import { json, plural, printJson } from "../output.ts"
import { bytes } from "../progress.ts"
import { dryRun, onlyTable, printNoTables, selectedTables } from "./flags.ts"

export const orphans = Command.make(
  "orphans",
  { dryRun, table: onlyTable, json },
  Effect.fn(function* (flags) {
    const found = yield* (yield* LakeAdmin).removeOrphans({
      tables: selectedTables(flags.table),
      dryRun: flags.dryRun
    })
    if (flags.json) {
      return yield* printJson(found.map(({ files, seen, table }) => ({ table, dry_run: flags.dryRun, seen, files })))
    }
    if (found.length === 0) return yield* printNoTables
    const verb = flags.dryRun ? "would be removed" : "removed"
    for (const { files, seen, table } of found) {
      const size = bytes(files.reduce((sum, file) => sum + file.size, 0))
      yield* Console.log(
        files.length === 0
          ? `${table}: no orphans among ${plural(seen, "file")}.`
          : `${table}: ${plural(files.length, "orphan")} (${size}) among ${plural(seen, "file")} ${verb}.`
      )
      if (flags.dryRun) for (const { location } of files) yield* Console.log(`  ${location}`)
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
