import { mkdtemp, rm } from "node:fs/promises"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Effect, Redacted } from "effect"
import { runPromptly } from "../layers/inprocess/scheduling.ts"
import { startEmbeddedPostgres } from "../layers/postgres/embedded/EmbeddedPostgres.ts"
import { batch } from "./batch/batch.ts"
import { boot } from "./boot/boot.ts"
import { ingest } from "./ingest/ingest.ts"
import { lake } from "./lake/lake.ts"
import { lakeDay } from "./lake-day/lakeDay.ts"
import { lakeFiles } from "./lake-files/lakeFiles.ts"
import { memory } from "./memory/memory.ts"
import { pipelineCpu } from "./pipeline-cpu/pipelineCpu.ts"
import { properties } from "./properties/properties.ts"
import { questions } from "./questions/questions.ts"
import { spool } from "./spool/spool.ts"
import { storage } from "./storage/storage.ts"
import { type Bench, type Case, makeBench } from "./support/Bench.ts"
import { describeMachine } from "./support/machine.ts"
import { betweenMarkers, type Row, table } from "./support/report.ts"
import { ROOT } from "./support/server.ts"

const CASES: Readonly<Record<string, Case>> = {
  ingest,
  "pipeline-cpu": pipelineCpu,
  batch,
  storage,
  properties,
  spool,
  boot,
  memory,
  lake,
  "lake-day": lakeDay,
  "lake-files": lakeFiles,
  questions
}

const USAGE = `Usage: bun bench [--short] [--write] [case ...]

Cases: ${Object.keys(CASES).join(", ")}. Without a name, all of them run.
  --short   run each case for a few seconds, only to check that it works
  --write   write the results to docs/benchmarks.md
BENCH_DATABASE_URL names an empty Postgres database to use; without it, an embedded Postgres is started.`

const { values: flags, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: { short: { type: "boolean" }, write: { type: "boolean" }, help: { type: "boolean" } },
  allowPositionals: true
})
const unknown = positionals.filter((name) => CASES[name] === undefined)
if (flags.help === true || unknown.length > 0) {
  console.log(unknown.length > 0 ? `Unknown case: ${unknown.join(", ")}.\n\n${USAGE}` : USAGE)
  process.exit(unknown.length > 0 ? 2 : 0)
}

/** Runs the cases one after the other; after a failure, the others still run. */
const runCases = async (
  bench: Bench,
  names: ReadonlyArray<string>
): Promise<{ rows: Array<Row>; failed: Array<string> }> => {
  const rows: Array<Row> = []
  const failed: Array<string> = []
  for (const name of names) {
    console.log(`${name} ...`)
    try {
      rows.push(...(await CASES[name]!(bench)))
    } catch (error) {
      failed.push(name)
      console.error(`${name} failed: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return { rows, failed }
}

/** Where `--write` puts the table. */
const REPORT = "docs/benchmarks.md"

/** The embedded server's data, next to the project: the system's temporary folder may be in memory, where nothing is durable. */
const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(ROOT, ".footfall-bench-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

const givenUrl = process.env["BENCH_DATABASE_URL"]
const database =
  givenUrl !== undefined
    ? Effect.succeed({ url: givenUrl, name: "Postgres of BENCH_DATABASE_URL" })
    : Effect.map(Effect.flatMap(temporaryFolder, startEmbeddedPostgres), ({ pid, url }) => {
        // As `full` does, which starts it with its own slices.
        runPromptly(pid())
        return { url: Redacted.value(url), name: "embedded Postgres" }
      })

const main = Effect.gen(function* () {
  const { url, name } = yield* database
  const names = positionals.length > 0 ? positionals : Object.keys(CASES)
  const { rows, failed } = yield* Effect.promise(async () =>
    runCases(await makeBench(url, flags.short === true), names)
  )
  const machine = describeMachine(name)
  const kind =
    flags.short === true ? "A short run, which only checks that the benchmarks work; ignore the numbers." : null
  const report = [machine, kind, "", table(rows)].filter((line) => line !== null).join("\n")
  console.log(`\n${report}`)
  if (flags.write === true) {
    const path = join(ROOT, REPORT)
    const text = betweenMarkers(yield* Effect.promise(() => Bun.file(path).text()), `${machine}\n\n${table(rows)}`)
    if (text === null) console.error(`${REPORT} has no bench markers; nothing was written.`)
    else yield* Effect.promise(() => Bun.write(path, text))
  }
  return failed.length === 0 ? 0 : 1
}).pipe(Effect.scoped)

process.exit(await Effect.runPromise(main))
