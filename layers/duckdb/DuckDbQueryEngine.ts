import { join } from "node:path"
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api"
import { Effect, Layer, Redacted, type Scope, Semaphore } from "effect"
import { StartError } from "../../src/domain/StartError.ts"
import { sqlLiteral } from "../../src/lib/sqlLiteral.ts"
import {
  type Query,
  QueryEngine,
  QueryError,
  type QueryParameter,
  type QueryResult,
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

/** The extensions for reading Iceberg from S3, in an order in which each finds those it depends on. */
const EXTENSIONS = ["avro", "httpfs", "iceberg"]
/** How many queries run at the same time: each may use most of the memory limit and all threads. Others wait, within their deadlines. */
const CONCURRENT = 2
/** Threads of a query. The collector in this process needs cores, too. */
const THREADS = 2
/** An interrupted query ends between two chunks of a few thousand rows, or when S3 answers. */
const CLOSE_MS = 5_000
/** How much of DuckDB's message is quoted in an error. */
const MESSAGE_LENGTH = 500

/** How to read the lake's files. */
export interface S3Access {
  /** Null for AWS. */
  readonly endpoint: string | null
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: Redacted.Redacted<string>
  readonly sessionToken?: Redacted.Redacted<string> | undefined
}

/** How to find the lake. Used again for each query, since tables and keys change. */
export interface DuckDbLake {
  /** The table's current metadata file, `s3://…` or a path. DuckDB itself does not support jdbc, glue and hadoop catalogs. */
  readonly locate: (table: string) => Effect.Effect<string, QueryError>
  /** Null if the lake is in a local folder. */
  readonly s3: Effect.Effect<S3Access | null, QueryError>
}

export interface DuckDbOptions extends DuckDbLake {
  /** A folder with `<name>.duckdb_extension` for each extension. If null, DuckDB downloads them once. */
  readonly extensionFolder: string | null
  /** In DuckDB's notation, such as `1GB`. */
  readonly memoryLimit: string
  readonly deadlineMs: number
  readonly maxRows?: number
}

/** `StatementType.SELECT` of DuckDB's module, which is loaded later. */
const SELECT = 1

const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** DuckDB's messages begin with the kind of the error, which it does not report in any other way. */
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

const secretSql = (access: S3Access): string => {
  const endpoint = access.endpoint === null ? undefined : new URL(access.endpoint)
  const parts = [
    "TYPE s3",
    `KEY_ID ${sqlLiteral(access.accessKeyId)}`,
    `SECRET ${sqlLiteral(Redacted.value(access.secretAccessKey))}`,
    `REGION ${sqlLiteral(access.region)}`,
    ...(access.sessionToken === undefined ? [] : [`SESSION_TOKEN ${sqlLiteral(Redacted.value(access.sessionToken))}`]),
    ...(endpoint === undefined
      ? []
      : [`ENDPOINT ${sqlLiteral(endpoint.host)}`, "URL_STYLE 'path'", `USE_SSL ${endpoint.protocol === "https:"}`])
  ]
  return `CREATE OR REPLACE SECRET lake (${parts.join(", ")})`
}

/** The SQL casts each value to its type. */
const toBound = (parameter: QueryParameter): string | boolean | bigint =>
  parameter.type === "integer" ? BigInt(parameter.value) : parameter.value

/** Runs a query on a connection of its own, since the views for its tables last as long as the connection. */
const runOn = async (
  connection: DuckDBConnection,
  query: Query,
  locations: ReadonlyArray<readonly [table: string, metadata: string]>,
  limit: number,
  signal: AbortSignal
): Promise<QueryResult> => {
  for (const [table, metadata] of locations) {
    signal.throwIfAborted()
    await connection.run(`CREATE TEMP VIEW ${identifier(table)} AS SELECT * FROM iceberg_scan(${sqlLiteral(metadata)})`)
  }
  signal.throwIfAborted()
  const statement = await connection.prepare(query.sql)
  if (statement.statementType !== SELECT) {
    throw new QueryError({ reason: "Invalid", message: "DuckDB: only SELECT statements are allowed." })
  }
  statement.bind(query.parameters.map(toBound))
  signal.throwIfAborted()
  const result = await statement.stream()
  const types = result.columnTypes()
  const rows: Array<QueryResult["rows"][number]> = []
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    signal.throwIfAborted()
    for (const row of chunk.getRows()) rows.push(row.map((value, index) => toValue(types[index]!, value)))
    if (rows.length > limit) throw tooManyRows(limit)
  }
  const columns = result.columnNames().map((name, index) => ({ name, type: typeOf(types[index]!) }))
  return { columns, rows }
}

const open = async (options: DuckDbOptions): Promise<DuckDBInstance> => {
  // Loaded here, so that a collector never loads it.
  const { DuckDBInstance } = await import("@duckdb/node-api")
  const instance = await DuckDBInstance.create(":memory:", {
    threads: String(THREADS),
    memory_limit: options.memoryLimit,
    // Running out of memory only fails the query; spilling could fill the disk.
    temp_directory: "",
    autoinstall_known_extensions: "false"
  })
  const connection = await instance.connect()
  try {
    for (const name of EXTENSIONS) {
      if (options.extensionFolder === null) await connection.run(`INSTALL ${name}`)
      const extension =
        options.extensionFolder === null ? name : sqlLiteral(join(options.extensionFolder, `${name}.duckdb_extension`))
      await connection.run(`LOAD ${extension}`)
    }
    await connection.run("SET GLOBAL TimeZone = 'UTC'")
  } finally {
    connection.closeSync()
  }
  return instance
}

/** DuckDB's errors continue with explanations on further lines. */
const firstLineOf = (message: string): string => message.split("\n", 1)[0]!.slice(0, MESSAGE_LENGTH)

interface DuckDb {
  readonly instance: DuckDBInstance
  /** Held while DuckDB works on a query, even after it was interrupted. */
  readonly slots: Semaphore.Semaphore
  /** Interrupt the running queries. */
  readonly interrupts: Set<() => void>
}

/** Opens DuckDB. When the scope closes, running queries are interrupted. */
const acquireDuckDb = (options: DuckDbOptions): Effect.Effect<DuckDb, StartError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => ({
        instance: await open(options),
        slots: Semaphore.makeUnsafe(CONCURRENT),
        interrupts: new Set<() => void>()
      }),
      catch: (cause) =>
        new StartError({
          message: `DuckDB can't be used; without internet access, set DUCKDB_EXTENSION_DIRECTORY to a folder with the extensions avro, httpfs and iceberg for exactly this DuckDB. DuckDB's error: ${firstLineOf(messageOf(cause))}`
        })
    }),
    ({ instance, interrupts, slots }) =>
      Effect.gen(function* () {
        for (const interrupt of interrupts) interrupt()
        // Closing it during a query would crash the process.
        yield* Effect.timeoutOption(slots.take(CONCURRENT), CLOSE_MS)
        instance.closeSync()
      })
  )

/** Runs queries one connection each, with the lake's current keys as the instance's secret. */
const makeRunner = ({ instance, interrupts, slots }: DuckDb, options: DuckDbOptions) => {
  let currentSecret = ""
  const useSecret = async (connection: DuckDBConnection, access: S3Access | null): Promise<void> => {
    const secret = access === null ? "" : secretSql(access)
    if (secret === currentSecret) return
    await connection.run(secret === "" ? "DROP SECRET IF EXISTS lake" : secret)
    currentSecret = secret
  }

  /** Starts at once. Releases the slot when DuckDB has finished, which may be long after an interruption. */
  return (query: Query, locations: ReadonlyArray<readonly [string, string]>, access: S3Access | null) => {
    const controller = new AbortController()
    const run = async (): Promise<QueryResult> => {
      const connection = await instance.connect()
      controller.signal.addEventListener("abort", () => connection.interrupt())
      try {
        await useSecret(connection, access)
        return await runOn(connection, query, locations, rowLimit(query, options.maxRows), controller.signal)
      } finally {
        connection.closeSync()
      }
    }
    const interrupt = () => controller.abort()
    interrupts.add(interrupt)
    const result = run().finally(() => {
      interrupts.delete(interrupt)
      Effect.runSync(slots.release(1))
    })
    // After an interruption, its failure is of no interest.
    result.catch(() => {})
    return { result, interrupt }
  }
}

/** Runs queries in a DuckDB in this process, on its own threads. Nothing of the lake is cached between queries. */
export const makeDuckDbQueryEngine = (
  options: DuckDbOptions
): Effect.Effect<QueryEngine["Service"], StartError, Scope.Scope> =>
  Effect.gen(function* () {
    const duckDb = yield* acquireDuckDb(options)
    const start = makeRunner(duckDb, options)
    return QueryEngine.of({
      dialect: "duckdb",
      run: (query) =>
        Effect.gen(function* () {
          const access = yield* options.s3
          const locations = yield* Effect.forEach(query.tables, (table) =>
            Effect.map(options.locate(table), (metadata) => [table, metadata] as const)
          )
          return yield* Effect.uninterruptibleMask((restore) =>
            Effect.gen(function* () {
              yield* restore(duckDb.slots.take(1))
              const { interrupt, result } = start(query, locations, access)
              return yield* restore(Effect.tryPromise({ try: () => result, catch: failure })).pipe(
                Effect.onInterrupt(() => Effect.sync(interrupt))
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

/** The DuckDB that the settings describe, on this lake. */
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
