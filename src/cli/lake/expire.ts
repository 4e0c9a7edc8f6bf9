import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { LakeAdmin } from "../../ports/LakeAdmin.ts"
import { json, plural, printJson } from "../output.ts"
import { dryRun, onlyTable, printNoTables, selectedTables } from "./flags.ts"

export const expire = Command.make(
  "expire",
  { dryRun, table: onlyTable, json },
  Effect.fn(function* (flags) {
    const expired = yield* (yield* LakeAdmin).expire({ tables: selectedTables(flags.table), dryRun: flags.dryRun })
    if (flags.json) {
      return yield* printJson(
        expired.map(({ files, skipped, snapshots, table }) => ({
          table,
          dry_run: flags.dryRun,
          snapshots,
          files,
          skipped
        }))
      )
    }
    if (expired.length === 0) return yield* printNoTables
    const verb = flags.dryRun ? "would be removed" : "removed"
    for (const { files, skipped, snapshots, table } of expired) {
      yield* Console.log(
        skipped ??
          (snapshots === 0
            ? `${table}: nothing to expire.`
            : `${table}: ${plural(snapshots, "snapshot")} ${verb}, with ${plural(files.length, "unreferenced file")}.`)
      )
      if (flags.dryRun) for (const file of files) yield* Console.log(`  ${file}`)
    }
  })
).pipe(
  Command.withDescription("Expire old snapshots and remove the files that only they referenced"),
  Command.withExamples([
    { command: "bun run footfall lake expire --dry-run", description: "Show which files would be removed" }
  ])
)
