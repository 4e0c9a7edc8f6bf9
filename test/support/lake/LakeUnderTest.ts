import { expect } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { tableFromIPC } from "apache-arrow"
import { Effect, References, type Scope } from "effect"
import { readParquet } from "parquet-wasm/esm/parquet_wasm.js"
import { freePort } from "../../../bench/support/server.ts"
import type { Table } from "../../../layers/iceberg/catalog/Catalog.ts"
import { forEachEntry, isLive } from "../../../layers/iceberg/maintenance/reachable.ts"
import { currentSnapshot } from "../../../layers/iceberg/metadata/TableMetadata.ts"
import { initParquet } from "../../../layers/iceberg/parquet/wasm.ts"
import { manifestsOf } from "../../../layers/iceberg/table/files.ts"
import { lakeConfig } from "../../../layers/lake/config.ts"
import { type Lake, openLake } from "../../../layers/lake/openLake.ts"
import type { LakeTableName } from "../../../src/ports/LakeAdmin.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { prepareInstance } from "../database.ts"
import { until } from "../eventually.ts"
import { Footfall } from "../footfallProcess.ts"
import { guardFolder } from "../guard.ts"
import type { Load } from "../load.ts"
import * as MemorySettings from "../memory/MemorySettings.ts"
import { Program, run } from "../Program.ts"

const ROOT = join(import.meta.dir, "../../..")
const ICEBERG = "PRODUCT_ANALYTICS_ICEBERG_"
const READS = 8

type Environment = Readonly<Record<string, string>>
type Row = Readonly<Record<string, unknown>>

/** Settings by the end of their names. */
export const lakeSettings = (settings: Environment): Environment =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [`${ICEBERG}${name}`, value]))

interface Verified {
  readonly table: LakeTableName
  readonly rows: number
  readonly problems: ReadonlyArray<string>
}

/** Of properties, the one that says what their event is called: all of them may be more than fits into memory. */
const shown = (value: unknown): unknown =>
  typeof value === "object" && value !== null ? new Map(value as Iterable<[string, unknown]>).get("name") : value

/** The values of some columns of a table's current snapshot. */
const rowsOf = (table: Table, columns: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    initParquet()
    const locations: Array<string> = []
    yield* forEachEntry(table, yield* manifestsOf(table, currentSnapshot(table.metadata)), (entry) => {
      if (isLive(entry)) locations.push(entry.file.location)
    })
    const files = yield* Effect.forEach(
      locations,
      (location) =>
        Effect.map(table.store.read(location), (bytes): ReadonlyArray<Row> => {
          const file = tableFromIPC(readParquet(bytes, { columns: [...columns] }).intoIPCStream())
          const vectors = columns.map((name) => file.getChild(name))
          return Array.from({ length: file.numRows }, (_, row) =>
            Object.fromEntries(columns.map((name, index) => [name, shown(vectors[index]?.get(row))]))
          )
        }),
      { concurrency: READS }
    )
    return files.flat()
  })

/** What is there more than once. */
const repeated = (texts: Iterable<string>): ReadonlyArray<string> => {
  const seen = new Set<string>()
  return [...texts].filter((text) => seen.size === seen.add(text).size)
}

export interface LakeOptions {
  /** What collectors get besides: a proxy, say. */
  readonly environment?: (folder: string) => Environment
  /** Where those who check find the lake, past every proxy. */
  readonly direct?: Environment
}

/** A lake that collectors write to, with the folder of their logs and the port that they take one after the other. */
export class LakeUnderTest implements AsyncDisposable {
  readonly folder: string
  readonly spools: string
  readonly environment: Environment
  /** Settings past every proxy. */
  readonly direct: Environment
  readonly #url: string

  private constructor(url: string, folder: string, environment: Environment, direct: Environment) {
    this.#url = url
    this.direct = direct
    this.folder = folder
    this.spools = environment["SPOOL_DIR"]!
    this.environment = environment
  }

  /** On an empty database, with the catalog in it and the files in a folder, unless the environment says otherwise. */
  static async open(url: string, { direct = {}, environment = () => ({}) }: LakeOptions = {}): Promise<LakeUnderTest> {
    const folder = mkdtempSync(join(tmpdir(), "footfall-lake-"))
    guardFolder(folder)
    const all = {
      ...(await prepareInstance(url)),
      STORAGE_BACKEND: "iceberg",
      SPOOL_DIR: join(folder, "spool"),
      ...lakeSettings({ WAREHOUSE: `file://${join(folder, "lake")}`, FLUSH_INTERVAL_SECONDS: "1" }),
      PORT: String(freePort()),
      ...environment(folder)
    }
    return new LakeUnderTest(url, folder, all, { ...all, ...direct })
  }

  get port(): number {
    return Number(this.environment["PORT"])
  }

  start(environment: Environment = {}, entry: "collector" | "full" = "collector"): Promise<Footfall> {
    return Footfall.start({ entry, environment: { ...this.environment, ...environment } })
  }

  /** Starts a collector and waits for nothing: it may be killed before it listens. */
  spawn(environment: Environment = {}, entry: "collector" | "full" = "collector"): Footfall {
    return Footfall.spawn({ entry, environment: { ...this.environment, ...environment } })
  }

  /** `footfall lake …`, as a program that may be killed. */
  command(args: ReadonlyArray<string>, environment: Environment = {}): Program {
    return new Program([process.execPath, join(ROOT, "src/cli.ts"), "lake", ...args], {
      cwd: ROOT,
      environment: { ...this.direct, ...environment }
    })
  }

  /** `footfall lake … --json`, to its end; an exit code other than 0 is a failure. */
  async lake<A>(args: ReadonlyArray<string>, environment: Environment = {}): Promise<A> {
    const { code, out, output } = await run([process.execPath, join(ROOT, "src/cli.ts"), "lake", ...args, "--json"], {
      cwd: ROOT,
      environment: { ...this.direct, ...environment }
    })
    if (code !== 0) throw new Error(`lake ${args.join(" ")} ended with ${code}: ${output}`)
    return JSON.parse(out) as A
  }

  /** Works on the lake's tables as a process of its own would. */
  use<A, E>(work: (lake: Lake) => Effect.Effect<A, E, Scope.Scope>): Promise<A> {
    return Effect.runPromise(
      Effect.gen({ self: this }, function* () {
        const settings = yield* Settings
        return yield* work(yield* openLake(yield* lakeConfig(settings, this.#url)))
      }).pipe(
        Effect.scoped,
        Effect.provide(MemorySettings.layer(this.direct)),
        Effect.provideService(References.MinimumLogLevel, "Error")
      )
    )
  }

  table(name: LakeTableName): Promise<Table> {
    return this.use(({ catalog, namespace }) => catalog.load({ namespace, name }))
  }

  rows(name: LakeTableName, columns: ReadonlyArray<string>): Promise<ReadonlyArray<Row>> {
    return this.use(({ catalog, namespace }) =>
      Effect.flatMap(catalog.load({ namespace, name }), (table) => rowsOf(table, columns))
    )
  }

  /** Resumes when the table of events has so many rows. */
  async hasEvents(count: number, withinMs = 60_000): Promise<void> {
    let rows = 0
    await until(
      () => `${count} events in the lake, of which ${rows} are`,
      async () => {
        rows = await this.use(({ catalog, namespace }) =>
          catalog.load({ namespace, name: "pa_events" }).pipe(
            Effect.map(({ metadata }) => Number(currentSnapshot(metadata)?.summary["total-records"] ?? 0)),
            Effect.catchIf(
              (error) => error.reason === "NotFound",
              () => Effect.succeed(0)
            )
          )
        )
        return rows >= count
      },
      withinMs
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Stops a collector as an operator does; all that it has is in the lake then. */
export const drain = async (collector: Footfall): Promise<void> => {
  collector.signal("SIGTERM")
  const code = await collector.ended()
  const left = /^.*(?:bytes stay in|Not stopped).*$/m.exec(collector.output)
  expect({ code, left: left === null ? "nothing" : collector.output }).toEqual({ code: 0, left: "nothing" })
}

/**
 * Every answer was a 200 or an honest 503; every event and every attribute that was answered 200 is in the lake; nothing is there
 * twice, answered or not, no row of a session either; each event has its session and its properties; and each file is what the
 * lake says of it. Rows of others (`strangers`) may be among the events.
 */
export const expectExactlyOnce = async (
  lake: LakeUnderTest,
  loads: ReadonlyArray<Load>,
  { strangers = 0 }: { readonly strangers?: number | "any" } = {}
): Promise<void> => {
  const all = await lake.rows("pa_events", ["event_id", "event_name", "session_id", "properties"])
  const isOurs = ({ event_name: name }: Row) => loads.some(({ prefix }) => String(name).startsWith(`${prefix}-`))
  const events = all.filter(isOurs)
  const sessions = await lake.rows("pa_sessions", ["session_id", "first_path"])
  const attributes = await lake.rows("pa_session_data", ["data_key"]).catch((error) => {
    if (loads.every(({ identified }) => identified.size === 0)) return []
    throw error
  })
  const names = events.map((row) => String(row["event_name"]))
  const keys = attributes.map((row) => String(row["data_key"]))
  const known = {
    names: new Set(names),
    keys: new Set(keys),
    sessions: new Set(sessions.map((row) => row["session_id"]))
  }
  const verified = await lake.lake<ReadonlyArray<Verified>>(["verify"])
  expect({
    wrong: loads.flatMap(({ wrong }) => wrong),
    lost: loads.flatMap(({ stored }) => [...stored].filter((name) => !known.names.has(name))),
    lostAttributes: loads.flatMap(({ identified }) => [...identified].filter((key) => !known.keys.has(key))),
    twice: repeated(names),
    twiceById: repeated(all.map((row) => String(row["event_id"]))),
    attributesTwice: repeated(keys),
    // The first page of a session is the event that brought its row.
    sessionsTwice: repeated(sessions.map((row) => `${row["session_id"]} ${row["first_path"]}`)),
    sessionless: events.filter((row) => !known.sessions.has(row["session_id"])).length,
    bare: events.filter((row) => row["properties"] !== row["event_name"]).length,
    strangers: strangers === "any" ? strangers : all.length - events.length,
    problems: verified.flatMap(({ problems }) => problems),
    rows: verified.map(({ table, rows }) => [table, rows])
  }).toEqual({
    wrong: [],
    lost: [],
    lostAttributes: [],
    twice: [],
    twiceById: [],
    attributesTwice: [],
    sessionsTwice: [],
    sessionless: 0,
    bare: 0,
    strangers,
    problems: [],
    rows: [
      ["pa_events", all.length],
      ["pa_sessions", sessions.length],
      ["pa_session_data", attributes.length]
    ]
  })
}
