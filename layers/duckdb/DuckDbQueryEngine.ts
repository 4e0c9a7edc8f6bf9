import { join } from "node:path"
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api"
import { Effect, Layer, Redacted, type Scope, Semaphore } from "effect"
import { StartError } from "../../src/domain/StartError.ts"
import {
  type QueryAnswer,
  QueryEngine,
  QueryError,
  type QueryParameter,
  type Question,
  rowLimit,
  tookTooLong,
  tooManyRows
} from "../../src/ports/QueryEngine.ts"
import { Settings } from "../../src/ports/Settings.ts"
import {
  DUCKDB_EXTENSION_DIRECTORY,
  DUCKDB_MEMORY_LIMIT,
  WAREHOUSE_TIMEOUT_SECONDS
} from "../../src/settings/settings.ts"
import { toValue, typeOf } from "./values.ts"

/** What reading Iceberg from S3 takes; each looks for those before it, and would fetch what it does not find. */
const EXTENSIONS = ["avro", "httpfs", "iceberg"]
/** Each may take the memory limit's better part and all threads; the rest wait, their time running. */
const CONCURRENT = 2
/** Threads of a question. The collector beside it wants cores too. */
const THREADS = 2
/** An interrupted question ends between two chunks of a few thousand rows, or when S3 answers. */
const CLOSE_MS = 5_000
/** Longest error text that is worth showing. */
const MESSAGE_LENGTH = 500

/** How files of the lake are read; null endpoint: AWS. */
export interface S3Access {
  readonly endpoint: string | null
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: Redacted.Redacted<string>
  readonly sessionToken?: Redacted.Redacted<string> | undefined
}

/** What DuckDB is told of the lake, anew for each question: the catalog and the keys may have moved on. */
export interface DuckDbLake {
  /** The metadata file that the table is now: `s3://…` or a path. DuckDB itself knows no jdbc, glue or hadoop catalog. */
  readonly locate: (table: string) => Effect.Effect<string, QueryError>
  /** Null when the lake is in a folder of this machine. */
  readonly s3: Effect.Effect<S3Access | null, QueryError>
}

export interface DuckDbOptions extends DuckDbLake {
  /** A folder with `<name>.duckdb_extension` for each extension; null: DuckDB fetches them from its vendor, once. */
  readonly extensionFolder: string | null
  /** As DuckDB writes it: `1GB`. */
  readonly memoryLimit: string
  readonly deadlineMs: number
  readonly maxRows?: number
}

/** `StatementType.SELECT` of DuckDB's module, which is loaded later than this one. */
const SELECT = 1

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`
const identifier = (text: string): string => `"${text.replaceAll('"', '""')}"`

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** DuckDB's messages begin with the kind of the error. */
const REASONS: ReadonlyArray<readonly [RegExp, QueryError["reason"]]> = [
  [/^Out of Memory/i, "TooLarge"],
  [/^INTERRUPT/i, "Timeout"],
  [/^(IO|HTTP|Connection|Missing Extension|Fatal|Internal)/i, "Unavailable"]
]

const failure = (cause: unknown): QueryError =>
  cause instanceof QueryError
    ? cause
    : new QueryError({
        reason: REASONS.find(([kind]) => kind.test(messageOf(cause)))?.[1] ?? "Invalid",
        message: `DuckDB: ${messageOf(cause).slice(0, MESSAGE_LENGTH)}`
      })

const secret = (access: S3Access): string => {
  const endpoint = access.endpoint === null ? undefined : new URL(access.endpoint)
  const parts = [
    "TYPE s3",
    `KEY_ID ${quoted(access.accessKeyId)}`,
    `SECRET ${quoted(Redacted.value(access.secretAccessKey))}`,
    `REGION ${quoted(access.region)}`,
    ...(access.sessionToken === undefined ? [] : [`SESSION_TOKEN ${quoted(Redacted.value(access.sessionToken))}`]),
    ...(endpoint === undefined
      ? []
      : [`ENDPOINT ${quoted(endpoint.host)}`, "URL_STYLE 'path'", `USE_SSL ${endpoint.protocol === "https:"}`])
  ]
  return `CREATE OR REPLACE SECRET lake (${parts.join(", ")})`
}

/** The SQL casts each to its type. */
const bound = (parameter: QueryParameter): string | boolean | bigint =>
  parameter.type === "integer" ? BigInt(parameter.value) : parameter.value

/** One question on a connection of its own, whose views are gone with it. */
const ask = async (
  connection: DuckDBConnection,
  question: Question,
  locations: ReadonlyArray<readonly [table: string, metadata: string]>,
  limit: number,
  signal: AbortSignal
): Promise<QueryAnswer> => {
  for (const [table, metadata] of locations) {
    signal.throwIfAborted()
    await connection.run(`CREATE TEMP VIEW ${identifier(table)} AS SELECT * FROM iceberg_scan(${quoted(metadata)})`)
  }
  signal.throwIfAborted()
  const statement = await connection.prepare(question.sql)
  if (statement.statementType !== SELECT) {
    throw new QueryError({ reason: "Invalid", message: "DuckDB: only a statement that reads is a question." })
  }
  statement.bind(question.parameters.map(bound))
  signal.throwIfAborted()
  const result = await statement.stream()
  const types = result.columnTypes()
  const rows: Array<QueryAnswer["rows"][number]> = []
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    signal.throwIfAborted()
    for (const row of chunk.getRows()) rows.push(row.map((value, at) => toValue(types[at]!, value)))
    if (rows.length > limit) throw tooManyRows(limit)
  }
  const columns = result.columnNames().map((name, at) => ({ name, type: typeOf(types[at]!) }))
  return { columns, rows }
}

const open = async (options: DuckDbOptions): Promise<DuckDBInstance> => {
  // Not before: a collector never loads it.
  const { DuckDBInstance } = await import("@duckdb/node-api")
  const instance = await DuckDBInstance.create(":memory:", {
    threads: String(THREADS),
    memory_limit: options.memoryLimit,
    // Out of memory is an answer; a disk that fills up is trouble.
    temp_directory: "",
    autoinstall_known_extensions: "false"
  })
  const connection = await instance.connect()
  try {
    for (const name of EXTENSIONS) {
      if (options.extensionFolder === null) await connection.run(`INSTALL ${name}`)
      const what =
        options.extensionFolder === null ? name : quoted(join(options.extensionFolder, `${name}.duckdb_extension`))
      await connection.run(`LOAD ${what}`)
    }
    await connection.run("SET GLOBAL TimeZone = 'UTC'")
  } finally {
    connection.closeSync()
  }
  return instance
}

/** Questions to a DuckDB in this process, on threads of its own. Nothing of the lake is kept between two questions. */
export const makeDuckDbQueryEngine = (
  options: DuckDbOptions
): Effect.Effect<QueryEngine["Service"], StartError, Scope.Scope> =>
  Effect.gen(function* () {
    const turns = Semaphore.makeUnsafe(CONCURRENT)
    const running = new Set<() => void>()
    const instance = yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () => open(options),
        catch: (cause) =>
          new StartError({
            message: `DuckDB can't be used: ${messageOf(cause).slice(0, MESSAGE_LENGTH)} DUCKDB_EXTENSION_DIRECTORY may name a folder with avro, httpfs and iceberg for exactly this DuckDB.`
          })
      }),
      (instance) =>
        Effect.gen(function* () {
          for (const stop of running) stop()
          // Closed under a question, it would take the process with it.
          yield* Effect.timeoutOption(turns.take(CONCURRENT), CLOSE_MS)
          instance.closeSync()
        })
    )
    let known = ""

    /** Begins at once and holds its turn until DuckDB is really done with it, which may be after nobody waits any more. */
    const begin = (
      question: Question,
      locations: ReadonlyArray<readonly [string, string]>,
      access: S3Access | null
    ) => {
      const controller = new AbortController()
      const run = async (): Promise<QueryAnswer> => {
        const connection = await instance.connect()
        controller.signal.addEventListener("abort", () => connection.interrupt())
        try {
          const wanted = access === null ? "" : secret(access)
          if (wanted !== known) {
            await connection.run(wanted === "" ? "DROP SECRET IF EXISTS lake" : wanted)
            known = wanted
          }
          return await ask(connection, question, locations, rowLimit(question, options.maxRows), controller.signal)
        } finally {
          connection.closeSync()
        }
      }
      const stop = () => controller.abort()
      running.add(stop)
      const answer = run().finally(() => {
        running.delete(stop)
        Effect.runSync(turns.release(1))
      })
      answer.catch(() => {})
      return { answer, stop }
    }

    return QueryEngine.of({
      dialect: "duckdb",
      run: (question) =>
        Effect.gen(function* () {
          const access = yield* options.s3
          const locations = yield* Effect.forEach(question.tables, (table) =>
            Effect.map(options.locate(table), (metadata) => [table, metadata] as const)
          )
          return yield* Effect.uninterruptibleMask((restore) =>
            Effect.gen(function* () {
              yield* restore(turns.take(1))
              const { answer, stop } = begin(question, locations, access)
              return yield* restore(Effect.tryPromise({ try: () => answer, catch: failure })).pipe(
                Effect.onInterrupt(() => Effect.sync(stop))
              )
            })
          )
        }).pipe(
          Effect.timeoutOrElse({
            duration: options.deadlineMs,
            orElse: () => Effect.fail(tookTooLong(options.deadlineMs))
          })
        )
    })
  })

/** The DuckDB of the settings, on the lake that is given. */
export const layer = (lake: DuckDbLake): Layer.Layer<QueryEngine, StartError, Settings> =>
  Layer.effect(
    QueryEngine,
    Effect.gen(function* () {
      const { get } = yield* Settings
      return yield* makeDuckDbQueryEngine({
        ...lake,
        extensionFolder: get(DUCKDB_EXTENSION_DIRECTORY),
        memoryLimit: get(DUCKDB_MEMORY_LIMIT),
        deadlineMs: get(WAREHOUSE_TIMEOUT_SECONDS) * 1_000
      })
    })
  )
