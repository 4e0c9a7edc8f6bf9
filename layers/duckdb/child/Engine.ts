import { join } from "node:path"
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api"
import { sqlLiteral } from "../../../src/lib/sqlLiteral.ts"
import { QueryError, type QueryParameter, type QueryResult, tooManyRows } from "../../../src/ports/QueryEngine.ts"
import { toValue, typeOf } from "../values.ts"
import type { OpenOptions, RunRequest, S3Keys } from "./protocol.ts"

/** The extensions for reading Iceberg from S3, in an order in which each finds those it depends on. */
const EXTENSIONS = ["avro", "httpfs", "iceberg"]
/** Threads of a query. The collector on this machine needs cores, too. */
const THREADS = 2
/** `StatementType.SELECT` of DuckDB's module, which `open` loads. */
const SELECT = 1
/** How much of DuckDB's message is quoted in an error. */
const MESSAGE_LENGTH = 500

const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** The first line of a DuckDB error, which continues with explanations on further lines. */
export const firstLineOf = (cause: unknown): string => messageOf(cause).split("\n", 1)[0]!.slice(0, MESSAGE_LENGTH)

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

const secretSql = (keys: S3Keys): string => {
  const endpoint = keys.endpoint === null ? null : new URL(keys.endpoint)
  const parts = [
    "TYPE s3",
    `KEY_ID ${sqlLiteral(keys.accessKeyId)}`,
    `SECRET ${sqlLiteral(keys.secretAccessKey)}`,
    `REGION ${sqlLiteral(keys.region)}`,
    ...(keys.sessionToken === null ? [] : [`SESSION_TOKEN ${sqlLiteral(keys.sessionToken)}`]),
    ...(endpoint === null
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
  { locations, maxRows, query }: RunRequest,
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
    if (rows.length > maxRows) throw tooManyRows(maxRows)
  }
  const columns = result.columnNames().map((name, index) => ({ name, type: typeOf(types[index]!) }))
  return { columns, rows }
}

/** A DuckDB that reads the lake. Nothing of the lake is cached between queries. */
export class Engine {
  readonly #instance: DuckDBInstance
  #secret = ""

  private constructor(instance: DuckDBInstance) {
    this.#instance = instance
  }

  /** Loads DuckDB, which is an optional dependency, and its extensions. */
  static async open({ extensionFolder, memoryLimit }: OpenOptions): Promise<Engine> {
    const { DuckDBInstance } = await import("@duckdb/node-api")
    const instance = await DuckDBInstance.create(":memory:", {
      threads: String(THREADS),
      memory_limit: memoryLimit,
      // Running out of memory only fails the query; spilling could fill the disk.
      temp_directory: "",
      autoinstall_known_extensions: "false"
    })
    const connection = await instance.connect()
    for (const name of EXTENSIONS) {
      if (extensionFolder === null) await connection.run(`INSTALL ${name}`)
      const extension = extensionFolder === null ? name : sqlLiteral(join(extensionFolder, `${name}.duckdb_extension`))
      await connection.run(`LOAD ${extension}`)
    }
    await connection.run("SET GLOBAL TimeZone = 'UTC'")
    connection.closeSync()
    return new Engine(instance)
  }

  /** Fails with a `QueryError`, when DuckDB has finished: long after the signal, if it waits for S3. */
  async run(request: RunRequest, signal: AbortSignal): Promise<QueryResult> {
    const connection = await this.#instance.connect()
    const interrupt = () => connection.interrupt()
    signal.addEventListener("abort", interrupt)
    try {
      await this.#useKeys(connection, request.s3)
      return await runOn(connection, request, signal)
    } catch (cause) {
      throw failure(cause)
    } finally {
      signal.removeEventListener("abort", interrupt)
      // A result that was not read to its end may still be at work. Nothing else of the connection is.
      connection.interrupt()
      connection.closeSync()
    }
  }

  async #useKeys(connection: DuckDBConnection, keys: S3Keys | null): Promise<void> {
    const secret = keys === null ? "" : secretSql(keys)
    if (secret === this.#secret) return
    await connection.run(secret === "" ? "DROP SECRET IF EXISTS lake" : secret)
    this.#secret = secret
  }
}
