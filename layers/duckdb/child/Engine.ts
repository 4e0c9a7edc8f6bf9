import { join } from "node:path"
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api"
import { sqlLiteral } from "../../../src/lib/sqlLiteral.ts"
import type { QueryChunk, QueryResult } from "../../../src/ports/QueryEngine.ts"
import { collect, execute, onOwnConnection } from "./execute.ts"
import type { OpenOptions, RunRequest, S3Keys } from "./protocol.ts"
import type { ServedEngine } from "./serveQueries.ts"

/** The extensions for reading Iceberg from S3, in an order in which each finds those it depends on. */
const EXTENSIONS = ["avro", "httpfs", "iceberg"]
/** Threads of a query. The collector on this machine needs cores, too. */
const THREADS = 2

const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

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

/** A DuckDB that reads the lake. Nothing of the lake is cached between queries. */
export class Engine implements ServedEngine<RunRequest> {
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

  run({ maxRows, query, ...request }: RunRequest, signal: AbortSignal): Promise<QueryResult> {
    return this.#onOwnConnection(request, signal, (connection) => collect(connection, { query, maxRows, signal }))
  }

  stream(
    { maxRows, query, ...request }: RunRequest,
    signal: AbortSignal,
    onChunk: (chunk: QueryChunk) => Promise<void>
  ): Promise<void> {
    return this.#onOwnConnection(request, signal, (connection) =>
      execute(connection, { query, maxRows, signal, onChunk })
    )
  }

  /**
   * On a connection of its own, since the views for the tables last as long as the connection. Fails with a `QueryError`, when DuckDB has
   * finished: long after the signal, if it waits for S3.
   */
  async #onOwnConnection<A>(
    { locations, s3 }: Pick<RunRequest, "locations" | "s3">,
    signal: AbortSignal,
    work: (connection: DuckDBConnection) => Promise<A>
  ): Promise<A> {
    return onOwnConnection(
      () => this.#instance.connect(),
      signal,
      async (connection) => {
        await this.#useKeys(connection, s3)
        for (const [table, metadata] of locations) {
          signal.throwIfAborted()
          await connection.run(
            `CREATE TEMP VIEW ${identifier(table)} AS SELECT * FROM iceberg_scan(${sqlLiteral(metadata)})`
          )
        }
        signal.throwIfAborted()
        return await work(connection)
      }
    )
  }

  async #useKeys(connection: DuckDBConnection, keys: S3Keys | null): Promise<void> {
    const secret = keys === null ? "" : secretSql(keys)
    if (secret === this.#secret) return
    await connection.run(secret === "" ? "DROP SECRET IF EXISTS lake" : secret)
    this.#secret = secret
  }
}
