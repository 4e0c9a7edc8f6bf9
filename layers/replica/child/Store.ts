import { mkdir, readdir, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import type { DuckDBConnection, DuckDBInstance, DuckDBValue } from "@duckdb/node-api"
import { sqlLiteral } from "../../../src/lib/sqlLiteral.ts"
import { CREATE, createEventView, createTable, FORMAT, OTHER_EVENTS, type StagedColumn } from "./schema.ts"
import type { ReplicaState } from "./state.ts"

export const FILE = "replica.duckdb"
/** Where a file that is of no use is kept, to find out why. At most one. */
export const SET_ASIDE = "set-aside.duckdb"
const SEGMENTS = "segments"
const SPILLED = "spilled"

export interface StoreOptions {
  /** The replica's own folder. */
  readonly folder: string
  /** In DuckDB's notation, such as `1GB`. */
  readonly memoryLimit: string
  /** How much queries that need more memory may write to disk. */
  readonly tempLimit: string
  readonly threads: number
  readonly configuration?: Readonly<Record<string, string>> | undefined
}

/** How much of a failed statement is in its error. */
const STATEMENT_LENGTH = 60

const MONTH_TABLE = /^event_(?:\d{4}_\d\d|other)$/
/** Freed blocks are overwritten with incompressible numbers of this many bytes. */
const NUMBER_BYTES = 8

/** A file's months of events that questions can see, `event_other` among them. */
const tablesOf = async (connection: DuckDBConnection): Promise<ReadonlyArray<string>> => {
  const rows = await connection.runAndReadAll(
    "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 'event_') AND NOT temporary ORDER BY table_name"
  )
  return rows.getRows().flatMap(([name]) => (MONTH_TABLE.test(String(name)) ? String(name) : []))
}

/** Adds the beginning of a failed statement to its error. No statement here has values of visitors. */
const named = async <A>(statement: string, work: Promise<A>): Promise<A> => {
  try {
    return await work
  } catch (cause) {
    const [line] = (cause instanceof Error ? cause.message : String(cause)).split("\n", 1)
    throw new Error(`${line} (in ${statement.trim().slice(0, STATEMENT_LENGTH)} …)`, { cause })
  }
}

/** What the writers of a file have in common. */
interface Known {
  tables: ReadonlyArray<string>
  readonly siteNumbers: Map<string, number>
}

/** The replica's file. One connection writes; each query has one of its own. */
export class Store {
  readonly folder: string
  readonly #instance: DuckDBInstance
  readonly #writer: DuckDBConnection
  readonly #known: Known

  private constructor(folder: string, instance: DuckDBInstance, writer: DuckDBConnection, known: Known) {
    this.folder = folder
    this.#instance = instance
    this.#writer = writer
    this.#known = known
  }

  /** Opens the file, or creates it. Nothing that a query says can read or write anything outside of the folder. */
  static async open({ configuration, folder, memoryLimit, tempLimit, threads }: StoreOptions): Promise<Store> {
    const { DuckDBInstance } = await import("@duckdb/node-api")
    for (const name of [SEGMENTS, SPILLED]) await rm(join(folder, name), { recursive: true, force: true })
    await mkdir(join(folder, SEGMENTS), { recursive: true, mode: 0o700 })
    const instance = await DuckDBInstance.create(join(folder, FILE), {
      ...configuration,
      threads: String(threads),
      memory_limit: memoryLimit,
      temp_directory: join(folder, SPILLED),
      max_temp_directory_size: tempLimit,
      autoinstall_known_extensions: "false",
      autoload_known_extensions: "false",
      allocator_flush_threshold: "4MB",
      // A thread returns freed memory to the system, also when nothing else is allocated or freed: an export needs 50 MB less.
      allocator_background_threads: "true",
      preserve_insertion_order: "true",
      // The first with dictionaries for text that is null in some rows, which is read twice as fast.
      storage_compatibility_version: "v1.3.0"
    })
    try {
      const writer = await instance.connect()
      await writer.run("SET GLOBAL TimeZone = 'UTC'")
      await writer.run(`SET GLOBAL allowed_directories = [${sqlLiteral(join(folder, SEGMENTS))}]`)
      await writer.run("SET GLOBAL enable_external_access = false")
      await writer.run("SET GLOBAL lock_configuration = true")
      const known = await writer.runAndReadAll(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'replica_state'"
      )
      if (Number(known.getRows()[0]![0]) === 0) {
        await writer.run("BEGIN")
        for (const statement of CREATE) await writer.run(statement)
        await writer.run("COMMIT")
      }
      return new Store(folder, instance, writer, { tables: await tablesOf(writer), siteNumbers: new Map() })
    } catch (cause) {
      instance.closeSync()
      throw cause
    }
  }

  /** The tables of events, one per month and one for all other times. */
  get eventTables(): ReadonlyArray<string> {
    return this.#known.tables
  }

  get #allTables(): ReadonlyArray<string> {
    return ["site", "session", "session_data", "event_data", "visit", "path", ...this.#known.tables]
  }

  /** The file of a segment, for `stage`. */
  segment(name: string): string {
    return join(this.folder, SEGMENTS, `${name}.csv`)
  }

  /** Opens a connection for a query. */
  connect(): Promise<DuckDBConnection> {
    return this.#instance.connect()
  }

  /** The number of a site, which never changes in a file; null if the file does not know the site. */
  async siteNumber(connection: DuckDBConnection, id: string): Promise<number | null> {
    const known = this.#known.siteNumbers.get(id)
    if (known !== undefined) return known
    const found = await connection.runAndReadAll("SELECT site FROM site WHERE site_id = CAST($1 AS UUID)", [id])
    const [row] = found.getRows()
    if (row === undefined) return null
    const number = Number(row[0])
    this.#known.siteNumbers.set(id, number)
    return number
  }

  /** Lets `work` use another writer of the same file, with temporary tables of its own. No statement of its own may run when `work` ends. */
  async beside<A>(work: (other: Store) => Promise<A>): Promise<A> {
    const writer = await this.#instance.connect()
    try {
      return await work(new Store(this.folder, this.#instance, writer, this.#known))
    } finally {
      writer.closeSync()
    }
  }

  /** Makes the statement that runs fail, if there is one. */
  interrupt(): void {
    this.#writer.interrupt()
  }

  async run(statement: string): Promise<void> {
    await named(statement, this.#writer.run(statement))
  }

  /** Drops temporary tables. */
  async drop(...tables: ReadonlyArray<string>): Promise<void> {
    for (const table of tables) await this.run(`DROP TABLE IF EXISTS ${table}`)
  }

  async rows(statement: string): Promise<ReadonlyArray<ReadonlyArray<DuckDBValue>>> {
    return (await named(statement, this.#writer.runAndReadAll(statement))).getRows()
  }

  async number(statement: string): Promise<number> {
    return Number((await this.rows(statement))[0]?.[0] ?? 0)
  }

  /** Everything or nothing, with the position after it. */
  async transaction<A>(work: () => Promise<A>): Promise<A> {
    await this.run("BEGIN")
    try {
      const result = await work()
      await this.run("COMMIT")
      return result
    } catch (cause) {
      await this.run("ROLLBACK").catch(() => {})
      this.#known.tables = await tablesOf(this.#writer).catch(() => this.#known.tables)
      throw cause
    }
  }

  /** Makes a temporary table of a segment's rows, exactly as Postgres has them. */
  async stage(table: string, columns: ReadonlyArray<StagedColumn>, path: string | null): Promise<void> {
    if (path === null) {
      const empty = columns.map(({ name, type }) => `${name} ${type}`).join(", ")
      return this.run(`CREATE OR REPLACE TEMP TABLE ${table} (${empty})`)
    }
    const types = columns.map(({ name, type }) => `${sqlLiteral(name)}: ${sqlLiteral(type)}`).join(", ")
    // Otherwise, an empty string becomes null, and a file whose first row has a line break in its text fails.
    await this.run(`CREATE OR REPLACE TEMP TABLE ${table} AS SELECT * FROM read_csv(${sqlLiteral(path)},
      header = false, auto_detect = false, delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false,
      new_line = '\\n', columns = {${types}})`)
    await rm(path, { force: true })
  }

  /** Creates a month's table, and shows it in the view. Within a transaction. */
  async ensureMonth(table: string): Promise<void> {
    if (this.#known.tables.includes(table)) return
    await this.run(createTable(table))
    this.#known.tables = [...this.#known.tables.filter((other) => other !== OTHER_EVENTS), table]
      .sort()
      .concat(OTHER_EVENTS)
    await this.run(createEventView(this.#known.tables))
  }

  async readState(): Promise<ReplicaState | null> {
    const [row] = await this.rows("SELECT state FROM replica_state")
    if (row === undefined) return null
    const state = JSON.parse(String(row[0])) as ReplicaState
    return state.format === FORMAT ? state : null
  }

  async writeState(state: ReplicaState): Promise<void> {
    await this.run("DELETE FROM replica_state")
    await this.run(`INSERT INTO replica_state VALUES (${sqlLiteral(JSON.stringify(state))})`)
  }

  /** Reads every block. Rejects if one is damaged: counts and checkpoints do not notice that. */
  async verify(): Promise<void> {
    for (const table of this.#allTables) {
      await this.rows(`SELECT sum(hash(t)::HUGEINT) FROM ${table} AS t`)
    }
  }

  /** Overwrites what was deleted: rewrites the tables, then the freed blocks, and empties the write-ahead log. */
  async scrub(): Promise<void> {
    await this.transaction(async () => {
      for (const table of this.#allTables) {
        await this.run(createTable(table, "rewritten"))
        await this.run(`INSERT INTO rewritten SELECT * FROM ${table}`)
        await this.run(`DROP TABLE ${table}`)
        await this.run(`ALTER TABLE rewritten RENAME TO ${table}`)
      }
      await this.run(createEventView(this.#known.tables))
    })
    await this.checkpoint()
    const [size] = await this.rows("SELECT free_blocks * block_size FROM pragma_database_size()")
    const numbers = Math.ceil(Number(size![0]) / NUMBER_BYTES)
    if (numbers > 0) {
      await this.run(`CREATE TABLE filler AS SELECT (random() * 9e18)::BIGINT AS n FROM range(${numbers})`)
      await this.checkpoint()
      await this.run("DROP TABLE filler")
      await this.checkpoint()
    }
  }

  /** Waits for queries that still read what the log has; after that, ends them. */
  async checkpoint(): Promise<void> {
    for (let attempt = 0; attempt < 20; attempt++) {
      try {
        return await this.run("CHECKPOINT")
      } catch {
        await Bun.sleep(500)
      }
    }
    await this.run("FORCE CHECKPOINT")
  }

  close(): void {
    this.#writer.closeSync()
    this.#instance.closeSync()
  }
}

/** Keeps at most one file that is of no use, in place of an older one. */
export const setAside = async (folder: string): Promise<void> => {
  for (const suffix of ["", ".wal"]) {
    await rm(join(folder, `${SET_ASIDE}${suffix}`), { force: true })
    await rename(join(folder, `${FILE}${suffix}`), join(folder, `${SET_ASIDE}${suffix}`)).catch(() => {})
  }
}

/** Deletes the file, for a rebuild because of what Postgres has: nothing is wrong with the file itself. */
export const discard = async (folder: string): Promise<void> => {
  for (const name of await readdir(folder)) {
    if (name.startsWith(FILE) || name.startsWith(SET_ASIDE)) await rm(join(folder, name), { force: true })
  }
}
