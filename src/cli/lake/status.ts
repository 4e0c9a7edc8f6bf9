import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { LakeAdmin, type LakeCollector, type LakeStatus, type LakeTableStatus } from "../../ports/LakeAdmin.ts"
import { CommandFailure } from "../CommandFailure.ts"
import { details, json, printJson, table } from "../output.ts"
import { bytes, number } from "../progress.ts"
import { printNoTables } from "./flags.ts"

const tableJson = (status: LakeTableStatus) => ({
  name: status.name,
  location: status.location,
  metadata_location: status.metadataLocation,
  snapshot_id: status.snapshotId,
  committed_at: status.committedAt?.toISOString() ?? null,
  snapshots: status.snapshots,
  manifests: status.manifests,
  files: status.files,
  rows: status.rows,
  bytes: status.bytes
})

const collectorJson = (collector: LakeCollector) => ({
  spool_id: collector.spoolId,
  host: collector.host,
  folder: collector.folder,
  running: collector.isRunning,
  seen_at: collector.seenAt.toISOString(),
  backlog_bytes: collector.backlogBytes,
  last_success_at: collector.lastSuccessAt?.toISOString() ?? null,
  failure: collector.failure
})

const stateOf = ({ failure, isRunning, seenAt }: LakeCollector): string =>
  failure !== null ? "failing" : isRunning ? "running" : `gone since ${seenAt.toISOString()}`

const printTables = Effect.fn(function* (tables: ReadonlyArray<LakeTableStatus>) {
  if (tables.length === 0) return yield* printNoTables
  yield* Console.log(
    table(
      ["TABLE", "ROWS", "FILES", "SIZE", "SNAPSHOTS", "MANIFESTS", "LAST COMMIT"],
      tables.map((status) => [
        status.name,
        number(status.rows),
        number(status.files),
        bytes(status.bytes),
        number(status.snapshots),
        number(status.manifests),
        status.committedAt?.toISOString() ?? "never"
      ])
    )
  )
  yield* Console.log(`\n${details(tables.map(({ metadataLocation, name }) => [name, metadataLocation]))}`)
})

const printCollectors = Effect.fn(function* (collectors: ReadonlyArray<LakeCollector>) {
  if (collectors.length === 0) return yield* Console.log("\nNo collector writes to the lake.")
  yield* Console.log(
    `\n${table(
      ["COLLECTOR", "FOLDER", "STATE", "UNFLUSHED", "LAST FLUSH"],
      collectors.map((collector) => [
        collector.host,
        collector.folder,
        stateOf(collector),
        bytes(collector.backlogBytes),
        collector.lastSuccessAt?.toISOString() ?? "never"
      ])
    )}`
  )
  for (const { backlogBytes, failure, folder, host, isRunning } of collectors) {
    if (failure !== null) yield* Console.log(`\n${host}: ${failure}`)
    if (!isRunning && backlogBytes > 0) {
      yield* Console.log(
        `\n${host} left ${bytes(backlogBytes)} unflushed in ${folder}. Start a collector with that folder to flush it.`
      )
    }
  }
})

const print = Effect.fn(function* ({ catalog, collectors, probes, tables }: LakeStatus) {
  yield* Console.log(`Catalog ${catalog.name} (${catalog.type})\n`)
  const problems = probes.filter(({ state }) => state === "bad")
  for (const { message, part } of problems) yield* Console.log(`${part}: ${message}`)
  if (problems.length === 0 || tables.length > 0) yield* printTables(tables)
  yield* printCollectors(collectors)
})

export const status = Command.make(
  "status",
  { json },
  Effect.fn(function* (flags) {
    const found = yield* (yield* LakeAdmin).status
    if (!flags.json) yield* print(found)
    else {
      yield* printJson({
        catalog: found.catalog,
        checks: found.probes,
        tables: found.tables.map(tableJson),
        collectors: found.collectors.map(collectorJson)
      })
    }
    if (found.probes.some(({ state }) => state === "bad")) {
      return yield* new CommandFailure({ message: "The lake has problems." })
    }
  })
).pipe(
  Command.withDescription("Show the lake's tables and what collectors have not flushed yet"),
  Command.withExamples([{ command: "bun run footfall lake status", description: "Rows, files, freshness, backlog" }])
)
