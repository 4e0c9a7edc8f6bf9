import { join } from "node:path"
import { CREDENTIALS } from "../../../scripts/services/credentials.ts"
import { postgresUrl } from "../../../scripts/services/database.ts"
import { pyicebergPython } from "../../../scripts/services/engines.ts"
import { type EngineCatalog, s3Access } from "./EngineCatalog.ts"
import { type Change, ChangeResult, type LibraryCheck, LibraryCheckResult } from "./engineResults.ts"
import { runEngine } from "./runEngine.ts"

const PROGRAM = join(import.meta.dir, "python", "iceberg_table.py")

/** pyiceberg's properties for the catalog. It does not support Hadoop catalogs. */
const properties = (catalog: EngineCatalog): Readonly<Record<string, string>> => {
  const s3 = s3Access()
  const files = {
    "s3.endpoint": s3.endpoint,
    "s3.region": s3.region,
    "s3.access-key-id": s3.accessKeyId,
    "s3.secret-access-key": s3.secretAccessKey
  }
  switch (catalog.type) {
    case "jdbc": {
      const uri = postgresUrl(catalog.database).replace(/^postgres:/, "postgresql+psycopg2:")
      return { name: catalog.name, type: "sql", uri, warehouse: catalog.warehouse, ...files }
    }
    case "rest":
      return {
        name: "rest",
        type: "rest",
        uri: catalog.uri,
        warehouse: catalog.warehouse,
        credential: `${CREDENTIALS.s3.accessKeyId}:${CREDENTIALS.s3.secretAccessKey}`,
        "oauth2-server-uri": catalog.tokens,
        ...files
      }
    case "glue":
      return {
        name: "glue",
        type: "glue",
        warehouse: catalog.warehouse,
        "glue.endpoint": catalog.endpoint,
        "glue.region": s3.region,
        "glue.access-key-id": CREDENTIALS.moto.accessKeyId,
        "glue.secret-access-key": CREDENTIALS.moto.secretAccessKey,
        ...files
      }
    case "hadoop":
      throw new TypeError("pyiceberg does not support Hadoop catalogs")
  }
}

interface Call {
  readonly catalog: EngineCatalog
  /** `namespace.name` */
  readonly table: string
  readonly deadlineMs?: number
}

const request = async (command: string, { catalog, table, deadlineMs }: Call, more: object) => ({
  command: [await pyicebergPython(), PROGRAM],
  input: { command, catalog: properties(catalog), table, ...more },
  deadlineMs
})

/** pyiceberg 0.12: an implementation of Iceberg in Python and Rust. */
export const pyiceberg = {
  /** Reads every row and every manifest. `filter` is pyiceberg's expression, as in `site_id = 'x'`. */
  check: async (call: Call & { readonly id: string; readonly filter?: string }): Promise<LibraryCheck> =>
    runEngine(LibraryCheckResult, await request("check", call, { id: call.id, filter: call.filter ?? null })),
  /** Appends generated rows for the columns of the table; the same rows for the same `start`. */
  append: async (call: Call & { readonly rows: number; readonly start?: number }): Promise<Change> =>
    runEngine(ChangeResult, await request("append", call, { rows: call.rows, start: call.start ?? 0 })),
  /** Removes all snapshots except the current one from the metadata. */
  expire: async (call: Call): Promise<Change> => runEngine(ChangeResult, await request("expire", call, {})),
  /** Creates a table like ours: partitioned by day and site, with a map, decimals and microseconds, but fewer columns. */
  create: async (call: Call): Promise<Change> => runEngine(ChangeResult, await request("create", call, {}))
}
