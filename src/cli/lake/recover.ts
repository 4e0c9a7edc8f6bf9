import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { LakeAdmin, type LakeRecovery } from "../../ports/LakeAdmin.ts"
import { CommandFailure } from "../CommandFailure.ts"
import { json, printJson } from "../output.ts"
import { number } from "../progress.ts"
import { dryRun, onlyTable, printNoTables, selectedTables } from "./flags.ts"

const force = Flag.Boolean("force").pipe(
  Flag.withDefault(false),
  Flag.withDescription("Abandon commits that were made after the catalog was rolled back")
)

const recoveryJson = (recovery: LakeRecovery, isDryRun: boolean) => ({
  table: recovery.table,
  dry_run: isDryRun,
  from: recovery.from,
  from_missing: recovery.isFromMissing,
  to: recovery.to,
  rows_before: recovery.rowsBefore,
  rows_after: recovery.rowsAfter,
  refused: recovery.refused
})

const rows = (count: number | null): string => (count === null ? "an unknown number of rows" : `${number(count)} rows`)

const sentences = (recovery: LakeRecovery, isDryRun: boolean): ReadonlyArray<string> => {
  const { from, isFromMissing, refused, rowsAfter, rowsBefore, table, to } = recovery
  if (from === to) return [`${table}: the catalog names the newest metadata.`]
  const before = isFromMissing ? "which is missing" : rows(rowsBefore)
  const verb = isDryRun || refused !== null ? "The newest is" : "It now names"
  return [
    `${table}: the catalog ${isDryRun || refused !== null ? "names" : "named"} ${from} (${before}). ${verb} ${to} (${rows(rowsAfter)}).`,
    ...(refused === null ? [] : [`  Not changed: ${refused}`])
  ]
}

export const recover = Command.make(
  "recover",
  { dryRun, force, table: onlyTable, json },
  Effect.fn(function* (flags) {
    const recovered = yield* (yield* LakeAdmin).recover({
      tables: selectedTables(flags.table),
      dryRun: flags.dryRun,
      force: flags.force
    })
    if (flags.json) yield* printJson(recovered.map((recovery) => recoveryJson(recovery, flags.dryRun)))
    else if (recovered.length === 0) yield* printNoTables
    else {
      for (const line of recovered.flatMap((recovery) => sentences(recovery, flags.dryRun))) yield* Console.log(line)
    }
    if (recovered.some(({ refused }) => refused !== null)) {
      return yield* new CommandFailure({ message: "Not all tables were recovered." })
    }
  })
).pipe(
  Command.withDescription(
    "Point a jdbc or glue catalog that was rolled back, or that names a missing file, to the newest metadata of each table"
  ),
  Command.withExamples([
    { command: "bun run footfall lake recover --dry-run", description: "Show what the catalog names and should name" }
  ])
)
