import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { LakeAdmin, type LakeVerification } from "../../ports/LakeAdmin.ts"
import { CommandFailure } from "../CommandFailure.ts"
import { json, plural, printJson } from "../output.ts"
import { bytes, makeProgress } from "../progress.ts"
import { onlyTable, printNoTables, selectedTables } from "./flags.ts"

const verificationJson = ({ bytes, files, problems, rows, table }: LakeVerification) => ({
  table,
  files,
  rows,
  bytes,
  problems
})

const print = Effect.fn(function* (verification: LakeVerification) {
  const { files, problems, rows, table } = verification
  const outcome = problems.length === 0 ? "no problems" : plural(problems.length, "problem")
  yield* Console.log(
    `${table}: ${plural(files, "file")}, ${plural(rows, "row")}, ${bytes(verification.bytes)} read; ${outcome}.`
  )
  for (const problem of problems) yield* Console.log(`  ${problem}`)
})

export const verify = Command.make(
  "verify",
  { table: onlyTable, json },
  Effect.fn(function* (flags) {
    const progress = yield* makeProgress
    const verified = yield* (yield* LakeAdmin)
      .verify({
        tables: selectedTables(flags.table),
        onProgress: ({ done, table, total }) => progress.show(`verifying ${table}: ${done} of ${total} files read`)
      })
      .pipe(Effect.ensuring(progress.end))
    if (flags.json) yield* printJson(verified.map(verificationJson))
    else if (verified.length === 0) yield* printNoTables
    else yield* Effect.forEach(verified, print, { discard: true })
    if (verified.some(({ problems }) => problems.length > 0)) {
      return yield* new CommandFailure({ message: "Verification failed." })
    }
  })
).pipe(
  Command.withDescription(
    "Read every file of the current snapshots and compare it with its manifest; exit code 1 for any difference"
  ),
  Command.withExamples([{ command: "bun run footfall lake verify --json", description: "For a nightly check" }])
)
