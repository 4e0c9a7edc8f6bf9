import { join } from "node:path"
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api"
import { DUCKDB_EXTENSIONS, duckdbExtensions } from "../../../scripts/services/engines.ts"
import { s3Access } from "./EngineCatalog.ts"
import type { TableNumbers } from "./numbers.ts"
import { duckdbDialect, type Row, sqlNumbers } from "./sqlNumbers.ts"

const MEMORY = "1GB"

/** The rows of a `SELECT`, with every value as a string. */
const rowsOf = async (connection: DuckDBConnection, statement: string): Promise<ReadonlyArray<Row>> => {
  const reader = await connection.runAndReadAll(statement)
  return reader.getRowsJson().map((row) => row.map((value) => (value === null ? null : String(value))))
}

const quoted = (value: string) => `'${value.replaceAll("'", "''")}'`

/** Runs with a new DuckDB instance that can read Iceberg tables in the local S3. */
export const withDuckdb = async <A>(run: (connection: DuckDBConnection) => Promise<A>): Promise<A> => {
  const folder = await duckdbExtensions()
  const instance = await DuckDBInstance.create(":memory:", {
    threads: "2",
    max_memory: MEMORY,
    // A missing extension must fail here instead of being downloaded.
    autoinstall_known_extensions: "false"
  })
  const connection = await instance.connect()
  try {
    for (const name of DUCKDB_EXTENSIONS)
      await connection.run(`LOAD ${quoted(join(folder, `${name}.duckdb_extension`))}`)
    const s3 = s3Access()
    await connection.run(
      `CREATE SECRET (TYPE s3, KEY_ID ${quoted(s3.accessKeyId)}, SECRET ${quoted(s3.secretAccessKey)}, ENDPOINT ` +
        `${quoted(new URL(s3.endpoint).host)}, URL_STYLE 'path', USE_SSL false, REGION ${quoted(s3.region)})`
    )
    return await run(connection)
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/** DuckDB 1.5 with its iceberg extension. It does not support JDBC catalogs, so it reads the metadata file directly. */
export const duckdb = {
  check: ({
    id,
    metadataLocation
  }: {
    readonly metadataLocation: string
    readonly id: string
  }): Promise<TableNumbers> =>
    withDuckdb(async (connection) => {
      const table = `iceberg_scan(${quoted(metadataLocation)})`
      const columns = (await rowsOf(connection, `DESCRIBE SELECT * FROM ${table}`)).map(([name, type]) => ({
        name: name ?? "",
        type: type ?? ""
      }))
      return sqlNumbers(duckdbDialect, table, id, columns, (statement) => rowsOf(connection, statement))
    })
}
