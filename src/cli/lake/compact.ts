import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { LakeAdmin, type LakeCompaction } from "../../ports/LakeAdmin.ts"
import { CommandFailure } from "../CommandFailure.ts"
import { json, printJson } from "../output.ts"
import { bytes, makeProgress, number } from "../progress.ts"
import { dryRun, onlyTable, printNoTables, selectedTables } from "./flags.ts"

const compactionJson = (compaction: LakeCompaction, isDryRun: boolean) => ({
  table: compaction.table,
  dry_run: isDryRun,
  files_before: compaction.filesBefore,
  files_after: compaction.filesAfter,
  rows: compaction.rows,
  bytes_before: compaction.bytesBefore,
  bytes_after: compaction.bytesAfter,
  skipped: compaction.skipped,
  failures: compaction.failures
})

const sentence = (compaction: LakeCompaction, isDryRun: boolean): string => {
  const { bytesAfter, bytesBefore, filesAfter, filesBefore, rows, skipped, table } = compaction
  if (skipped !== null) return skipped
  if (filesBefore === 0) return `${table}: nothing to compact.`
  const before = `${number(filesBefore)} files (${bytes(bytesBefore)}, ${number(rows)} rows)`
  return isDryRun
    ? `${table}: ${before} would become ${number(filesAfter)}.`
    : `${table}: ${before} became ${number(filesAfter)} (${bytes(bytesAfter)}).`
}

export const compact = Command.make(
  "compact",
  { dryRun, table: onlyTable, json },
  Effect.fn(function* (flags) {
    const progress = yield* makeProgress
    const compacted = yield* (yield* LakeAdmin)
      .compact({
        tables: selectedTables(flags.table),
        dryRun: flags.dryRun,
        onProgress: ({ done, table, total }) => progress.show(`compacting ${table}: ${done} of ${total} files written`)
      })
      .pipe(Effect.ensuring(progress.end))
    if (flags.json) yield* printJson(compacted.map((compaction) => compactionJson(compaction, flags.dryRun)))
    else if (compacted.length === 0) yield* printNoTables
    else {
      for (const compaction of compacted) {
        yield* Console.log(sentence(compaction, flags.dryRun))
        for (const failure of compaction.failures) yield* Console.log(`  ${failure}`)
      }
    }
    if (compacted.some(({ failures }) => failures.length > 0)) {
      return yield* new CommandFailure({ message: "Some partitions were not compacted." })
    }
  })
).pipe(
  Command.withDescription("Merge the small files of past days; the old ones stay until their snapshots expire"),
  Command.withExamples([
    { command: "bun run footfall lake compact --dry-run", description: "Show how many files would be merged" }
  ])
)
