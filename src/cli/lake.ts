import { Console, Effect, Redacted, type Scope } from "effect"
import { Command, Flag } from "effect/cli"
import * as writers from "../../layers/forward/Writers.ts"
import type { Table, TableName } from "../../layers/iceberg/catalog/Catalog.ts"
import type { IcebergError } from "../../layers/iceberg/IcebergError.ts"
import { compactTable } from "../../layers/iceberg/maintenance/compact.ts"
import { expireSnapshots } from "../../layers/iceberg/maintenance/expire.ts"
import { removeOrphans } from "../../layers/iceberg/maintenance/orphans.ts"
import { type Verified, verifyTable } from "../../layers/iceberg/maintenance/verify.ts"
import { currentSnapshot } from "../../layers/iceberg/metadata/TableMetadata.ts"
import { SILENT } from "../../layers/iceberg/table/commit.ts"
import { manifestsOf } from "../../layers/iceberg/table/files.ts"
import { lakeConfig } from "../../layers/lake/LakeConfig.ts"
import { type Lake, openLake } from "../../layers/lake/openLake.ts"
import { LAKE_TABLES } from "../../layers/lake/schema.ts"
import { AppDatabase, DatabaseUrl } from "../../layers/postgres/client/Database.ts"
import { sqlMessage } from "../../layers/postgres/client/sqlErrors.ts"
import type { StartError } from "../domain/StartError.ts"
import { Settings } from "../ports/Settings.ts"
import {
  LAKE_CATALOG_NAME,
  LAKE_CATALOG_TYPE,
  LAKE_COMPACTION_FILE_BYTES,
  LAKE_ORPHAN_AGE_SECONDS,
  LAKE_SNAPSHOT_MAX_AGE_SECONDS,
  LAKE_SNAPSHOTS_MIN
} from "../settings/settings.ts"
import { CommandFailure } from "./CommandFailure.ts"
import { details, json, printJson, table } from "./output.ts"
import { bytes, makeProgress, number, type Progress } from "./progress.ts"

/** How long collectors may take for a flush that was asked for. */
const FLUSH_TIMEOUT = "90 seconds"
const FLUSH_POLL = "250 millis"

const dryRun = Flag.Boolean("dry-run").pipe(
  Flag.withDefault(false),
  Flag.withDescription("Say what would be done, and do nothing")
)
const onlyTable = Flag.Literals("table", ["pa_events", "pa_sessions", "pa_session_data"]).pipe(
  Flag.withDescription("One table alone; all of them unless given"),
  Flag.optional
)

const open: Effect.Effect<Lake, IcebergError | StartError, Settings | DatabaseUrl | Scope.Scope> = Effect.gen(
  function* () {
    const config = yield* lakeConfig(yield* Settings, Redacted.value((yield* DatabaseUrl).url))
    return yield* openLake(config)
  }
)

const chosen = (flags: {
  readonly table: { readonly _tag: "None" } | { readonly _tag: "Some"; readonly value: string }
}): ReadonlyArray<string> => (flags.table._tag === "Some" ? [flags.table.value] : LAKE_TABLES.map(({ name }) => name))

/** Does something with each table that there is; the progress line is gone before the result is printed. */
const eachTable = <A>(
  names: ReadonlyArray<string>,
  work: (lake: Lake, name: TableName, progress: Progress) => Effect.Effect<A, IcebergError>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const lake = yield* open
      const progress = yield* makeProgress
      const done = yield* Effect.forEach(names, (name) =>
        work(lake, { namespace: lake.namespace, name }, progress).pipe(
          Effect.map((result) => [{ name, result }]),
          // Made by the first flush.
          Effect.catchIf(
            (error) => error.reason === "NotFound",
            () => Effect.succeed([])
          )
        )
      ).pipe(Effect.ensuring(progress.end))
      return done.flat()
    })
  )

const noTables = Console.log("The lake has no tables yet: the first flush makes them.")

const tableStatus = (table: Table) =>
  Effect.map(manifestsOf(table, currentSnapshot(table.metadata)), (manifests) => {
    const snapshot = currentSnapshot(table.metadata)
    const total = (key: string) => Number(snapshot?.summary[`total-${key}`] ?? 0)
    return {
      location: table.metadata.location,
      metadata_location: table.metadataLocation,
      snapshot_id: snapshot === undefined ? null : String(snapshot["snapshot-id"]),
      committed_at: snapshot === undefined ? null : new Date(snapshot["timestamp-ms"]).toISOString(),
      snapshots: table.metadata.snapshots?.length ?? 0,
      manifests: manifests.length,
      files: total("data-files"),
      rows: total("records"),
      bytes: total("files-size")
    }
  })

const status = Command.make(
  "status",
  { json },
  Effect.fn(function* (flags) {
    const { get } = yield* Settings
    const tables = yield* eachTable(
      LAKE_TABLES.map(({ name }) => name),
      (lake, name) => Effect.flatMap(lake.catalog.load(name), tableStatus)
    )
    const collectors = yield* Effect.mapError(
      writers.list(yield* AppDatabase),
      (error) => new CommandFailure({ message: sqlMessage(error) })
    )
    if (flags.json) {
      return yield* printJson({
        catalog: { type: get(LAKE_CATALOG_TYPE), name: get(LAKE_CATALOG_NAME) },
        tables: tables.map(({ name, result }) => ({ name, ...result })),
        collectors: collectors.map((writer) => ({
          log_id: writer.logId,
          host: writer.host,
          folder: writer.folder,
          running: writer.isRunning,
          seen_at: writer.seenAt.toISOString(),
          backlog_bytes: writer.backlogBytes,
          last_success_at: writer.lastSuccessAt?.toISOString() ?? null,
          failure: writer.failure
        }))
      })
    }
    yield* Console.log(`Catalog ${get(LAKE_CATALOG_NAME)} (${get(LAKE_CATALOG_TYPE)})\n`)
    if (tables.length === 0) yield* noTables
    else {
      yield* Console.log(
        table(
          ["TABLE", "ROWS", "FILES", "SIZE", "SNAPSHOTS", "MANIFESTS", "LAST COMMIT"],
          tables.map(({ name, result }) => [
            name,
            number(result.rows),
            number(result.files),
            bytes(result.bytes),
            number(result.snapshots),
            number(result.manifests),
            result.committed_at ?? "never"
          ])
        )
      )
      yield* Console.log(`\n${details(tables.map(({ name, result }) => [name, result.metadata_location]))}`)
    }
    if (collectors.length === 0) return yield* Console.log("\nNo collector writes to the lake.")
    yield* Console.log(
      `\n${table(
        ["COLLECTOR", "FOLDER", "STATE", "NOT IN THE LAKE YET", "LAST FLUSH"],
        collectors.map((writer) => [
          writer.host,
          writer.folder,
          writer.failure !== null
            ? "failing"
            : writer.isRunning
              ? "running"
              : `gone since ${writer.seenAt.toISOString()}`,
          bytes(writer.backlogBytes),
          writer.lastSuccessAt?.toISOString() ?? "never"
        ])
      )}`
    )
    for (const writer of collectors) {
      if (writer.failure !== null) yield* Console.log(`\n${writer.host}: ${writer.failure}`)
      if (!writer.isRunning && writer.backlogBytes > 0) {
        yield* Console.log(
          `\n${writer.host} left ${bytes(writer.backlogBytes)} in ${writer.folder}: start a collector with that folder, and it brings them in.`
        )
      }
    }
  })
).pipe(
  Command.withDescription("The lake's tables, and what collectors have not brought in yet"),
  Command.withExamples([{ command: "bun run footfall lake status", description: "Rows, files, freshness, backlog" }])
)

const flush = Command.make(
  "flush",
  { json },
  Effect.fn(function* (flags) {
    const sql = yield* AppDatabase
    const failed = (message: string) => new CommandFailure({ message })
    const asked = yield* Effect.mapError(writers.askForFlush(sql), (error) => failed(sqlMessage(error)))
    const progress = yield* makeProgress
    const poll: Effect.Effect<ReadonlyArray<string>, CommandFailure> = Effect.gen(function* () {
      for (;;) {
        const done = yield* Effect.mapError(writers.flushed(sql, asked), (error) => failed(sqlMessage(error)))
        if (done.length === asked.length) return done
        progress.show(`${done.length} of ${asked.length} collectors have flushed`)
        yield* Effect.sleep(FLUSH_POLL)
      }
    })
    const done = yield* poll.pipe(Effect.timeoutOption(FLUSH_TIMEOUT), Effect.ensuring(progress.end))
    const all = yield* Effect.mapError(writers.list(sql), (error) => failed(sqlMessage(error)))
    const late = done._tag === "Some" ? [] : all.filter(({ failure, isRunning }) => isRunning && failure !== null)
    const isDone = done._tag === "Some"
    if (flags.json) yield* printJson({ collectors: asked.length, flushed: isDone })
    else if (asked.length === 0) yield* Console.log("No collector that writes to the lake is running.")
    else if (isDone) yield* Console.log(`${asked.length} collector${asked.length === 1 ? " has" : "s have"} flushed.`)
    else {
      yield* Console.log(`Not all collectors flushed within ${FLUSH_TIMEOUT}.`)
      for (const { failure, host } of late) yield* Console.log(`${host}: ${failure}`)
    }
    if (!isDone) return yield* failed("Not flushed.")
  })
).pipe(
  Command.withDescription("Have every running collector bring what it accepted into the lake, now"),
  Command.withExamples([
    { command: "bun run footfall lake flush", description: "Before a report that must be up to date" }
  ])
)

const compact = Command.make(
  "compact",
  { dryRun, table: onlyTable, json },
  Effect.fn(function* (flags) {
    const { get } = yield* Settings
    const done = yield* eachTable(chosen(flags), (lake, name, progress) =>
      compactTable(
        lake.catalog,
        name,
        {
          targetBytes: get(LAKE_COMPACTION_FILE_BYTES),
          dryRun: flags.dryRun,
          onProgress: ({ done: groups, groups: all }) =>
            progress.show(`compacting ${name.name}: ${groups} of ${all} files written`)
        },
        SILENT
      )
    )
    if (flags.json) {
      return yield* printJson(
        done.map(({ name, result }) => ({
          table: name,
          dry_run: flags.dryRun,
          files_before: result.filesBefore,
          files_after: result.filesAfter,
          rows: result.rows,
          bytes_before: result.bytesBefore,
          bytes_after: result.bytesAfter,
          skipped: result.skipped
        }))
      )
    }
    if (done.length === 0) return yield* noTables
    for (const { name, result } of done) {
      yield* Console.log(
        result.skipped ??
          (result.filesBefore === 0
            ? `${name}: nothing to compact.`
            : `${name}: ${number(result.filesBefore)} files (${bytes(result.bytesBefore)}, ${number(result.rows)} rows) ${
                flags.dryRun
                  ? `would become ${number(result.filesAfter)}`
                  : `became ${number(result.filesAfter)} (${bytes(result.bytesAfter)})`
              }.`)
      )
    }
  })
).pipe(
  Command.withDescription(
    "Merge the small files of days that are over; the old ones stay until their snapshots expire"
  ),
  Command.withExamples([
    { command: "bun run footfall lake compact --dry-run", description: "How many files would be merged" }
  ])
)

const expire = Command.make(
  "expire",
  { dryRun, table: onlyTable, json },
  Effect.fn(function* (flags) {
    const { get } = yield* Settings
    const options = { maxAgeMs: get(LAKE_SNAPSHOT_MAX_AGE_SECONDS) * 1_000, minKept: get(LAKE_SNAPSHOTS_MIN) }
    const done = yield* eachTable(chosen(flags), (lake, name) =>
      expireSnapshots(lake.catalog, name, options, flags.dryRun)
    )
    if (flags.json) {
      return yield* printJson(
        done.map(({ name, result }) => ({
          table: name,
          dry_run: flags.dryRun,
          snapshots: result.snapshots,
          files: result.files
        }))
      )
    }
    if (done.length === 0) return yield* noTables
    const verb = flags.dryRun ? "would be removed" : "removed"
    for (const { name, result } of done) {
      yield* Console.log(
        `${name}: ${number(result.snapshots)} snapshots ${verb}, with ${number(result.files.length)} files that nothing needs any more.`
      )
      if (flags.dryRun) for (const file of result.files) yield* Console.log(`  ${file}`)
    }
  })
).pipe(
  Command.withDescription("Remove snapshots that are past their age, and the files that only they needed"),
  Command.withExamples([
    { command: "bun run footfall lake expire --dry-run", description: "Which files would be removed" }
  ])
)

const orphans = Command.make(
  "orphans",
  { dryRun, table: onlyTable, json },
  Effect.fn(function* (flags) {
    const { get } = yield* Settings
    const ageMs = get(LAKE_ORPHAN_AGE_SECONDS) * 1_000
    const done = yield* eachTable(chosen(flags), (lake, name) => removeOrphans(lake.catalog, name, ageMs, flags.dryRun))
    if (flags.json) {
      return yield* printJson(
        done.map(({ name, result }) => ({ table: name, dry_run: flags.dryRun, seen: result.seen, files: result.files }))
      )
    }
    if (done.length === 0) return yield* noTables
    for (const { name, result } of done) {
      const size = bytes(result.files.reduce((sum, file) => sum + file.size, 0))
      yield* Console.log(
        `${name}: ${number(result.files.length)} of ${number(result.seen)} files (${size}) belong to nothing and ${
          flags.dryRun ? "would be removed" : "were removed"
        }.`
      )
      if (flags.dryRun) for (const { location } of result.files) yield* Console.log(`  ${location}`)
    }
  })
).pipe(
  Command.withDescription("Remove old files that no snapshot names: what crashes and lost answers left over"),
  Command.withExamples([
    { command: "bun run footfall lake orphans --dry-run --table pa_events", description: "Look before anything goes" }
  ])
)

const verifiedJson = ({ name, result }: { readonly name: string; readonly result: Verified }) => ({
  table: name,
  files: result.files,
  rows: result.rows,
  bytes: result.bytes,
  problems: result.problems
})

const verify = Command.make(
  "verify",
  { table: onlyTable, json },
  Effect.fn(function* (flags) {
    const done = yield* eachTable(chosen(flags), (lake, name, progress) =>
      verifyTable(lake.catalog, name, {
        onProgress: ({ done: read, files }) => progress.show(`verifying ${name.name}: ${read} of ${files} files read`)
      })
    )
    const problems = done.reduce((sum, { result }) => sum + result.problems.length, 0)
    if (flags.json) yield* printJson(done.map(verifiedJson))
    else if (done.length === 0) yield* noTables
    else {
      for (const { name, result } of done) {
        yield* Console.log(
          `${name}: ${number(result.files)} files, ${number(result.rows)} rows, ${bytes(result.bytes)} read; ${
            result.problems.length === 0 ? "all as the manifests say" : `${number(result.problems.length)} problems`
          }.`
        )
        for (const problem of result.problems) yield* Console.log(`  ${problem}`)
      }
    }
    if (problems > 0) return yield* new CommandFailure({ message: "The lake is not what its manifests say." })
  })
).pipe(
  Command.withDescription(
    "Read every file of the current snapshots and compare it with what the manifests say; exit code 1 for any difference"
  ),
  Command.withExamples([{ command: "bun run footfall lake verify --json", description: "For a nightly check" }])
)

export const lake = Command.make("lake").pipe(
  Command.withDescription("Look after the Iceberg lake (STORAGE_BACKEND=iceberg)"),
  Command.withSubcommands([status, flush, compact, expire, orphans, verify])
)
