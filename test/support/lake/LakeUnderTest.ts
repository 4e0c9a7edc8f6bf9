import { expect } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, References, type Scope } from "effect"
import { freePort } from "../../../bench/support/server.ts"
import type { Table } from "../../../layers/iceberg/catalog/Catalog.ts"
import { currentSnapshot } from "../../../layers/iceberg/metadata/TableMetadata.ts"
import { lakeConfig } from "../../../layers/lake/config.ts"
import { type Lake, openLake } from "../../../layers/lake/openLake.ts"
import type { LakeTableName } from "../../../src/ports/LakeAdmin.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import type { Load } from "../collect/load.ts"
import { until } from "../eventually.ts"
import * as MemorySettings from "../memory/MemorySettings.ts"
import { prepareInstance } from "../postgres/database.ts"
import { Footfall } from "../process/footfallProcess.ts"
import { guardFolder } from "../process/guard.ts"
import { Program, run } from "../process/Program.ts"
import { type Row, readTable } from "./readTable.ts"

const ROOT = join(import.meta.dir, "../../..")
const ICEBERG = "PRODUCT_ANALYTICS_ICEBERG_"

type Environment = Readonly<Record<string, string>>

/** The lake's settings, by their names without the prefix. */
export const lakeSettings = (settings: Environment): Environment =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [`${ICEBERG}${name}`, value]))

interface Verified {
  readonly table: LakeTableName
  readonly rows: number
  readonly problems: ReadonlyArray<string>
}

/** Of an event's properties only `name`, which a load sets: all of them may be more than fits into memory. */
const convert = (_: unknown, value: unknown): unknown =>
  typeof value === "object" && value !== null ? new Map(value as Iterable<[string, unknown]>).get("name") : value

/** Values that occur more than once. */
const repeated = (values: Iterable<string>): ReadonlyArray<string> => {
  const seen = new Set<string>()
  return [...values].filter((value) => seen.size === seen.add(value).size)
}

export interface LakeOptions {
  /** Further settings of the collectors, such as a proxy. */
  readonly environment?: (folder: string) => Environment
  /** Settings of those who check the lake, past every proxy. */
  readonly direct?: Environment
}

/** A lake that collectors write to, with the folder of their spools and the port that they use one after the other. */
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

  /** In an empty database, with the catalog in it and the data files in a folder, unless the environment says otherwise. */
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

  /** Starts a collector without waiting for it: it may be killed before it listens. */
  spawn(environment: Environment = {}, entry: "collector" | "full" = "collector"): Footfall {
    return Footfall.spawn({ entry, environment: { ...this.environment, ...environment } })
  }

  /** `footfall lake …`, as a program that can be killed. */
  command(args: ReadonlyArray<string>, environment: Environment = {}): Program {
    return new Program([process.execPath, join(ROOT, "src/cli.ts"), "lake", ...args], {
      cwd: ROOT,
      environment: { ...this.direct, ...environment }
    })
  }

  /** The result of `footfall lake … --json`. Rejects if the exit code is not 0. */
  async lake<A>(args: ReadonlyArray<string>, environment: Environment = {}): Promise<A> {
    const { code, out, output } = await run([process.execPath, join(ROOT, "src/cli.ts"), "lake", ...args, "--json"], {
      cwd: ROOT,
      environment: { ...this.direct, ...environment }
    })
    if (code !== 0) throw new Error(`lake ${args.join(" ")} ended with ${code}: ${output}`)
    return JSON.parse(out) as A
  }

  /** Works on the lake's tables like another process. */
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
      Effect.flatMap(catalog.load({ namespace, name }), (table) => readTable(table, { columns, convert }))
    )
  }

  /** Resolves when the table of events has this many rows. */
  async hasEvents(count: number, withinMs = 60_000): Promise<void> {
    let rows = 0
    await until(
      () => `${count} events are in the lake: ${rows}`,
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

/** Stops a collector gracefully and expects that it leaves nothing unflushed. */
export const drain = async (collector: Footfall): Promise<void> => {
  collector.signal("SIGTERM")
  const code = await collector.ended()
  const left = /^.*(?:bytes of accepted events are on the disk in|Not stopped).*$/m.exec(collector.output)
  expect({ code, left: left === null ? "nothing" : collector.output }).toEqual({ code: 0, left: "nothing" })
}

/**
 * Expects that every answer was a 200 or a proper 503; that every event and attribute answered with 200 is in the lake; that nothing
 * is there twice, whether or not it was answered, including sessions' rows; that each event has its session and properties; and that
 * `lake verify` finds no problems. The events may include `strangers`: rows that another writer added.
 */
export const expectExactlyOnce = async (
  lake: LakeUnderTest,
  loads: ReadonlyArray<Load>,
  { strangers = 0 }: { readonly strangers?: number | "any" } = {}
): Promise<void> => {
  const all = await lake.rows("pa_events", ["event_id", "event_name", "session_id", "properties"])
  const isFromLoad = ({ event_name: name }: Row) => loads.some(({ prefix }) => String(name).startsWith(`${prefix}-`))
  const events = all.filter(isFromLoad)
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
    // The first page of a session identifies the event that its row came with.
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
