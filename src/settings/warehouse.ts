import { settingsOf } from "./Setting.ts"
import type { STORAGE_BACKEND } from "./storage.ts"
import { httpUrl, integer, oneOf, optional, string } from "./types.ts"

const define = settingsOf("Warehouse")

export const WAREHOUSE = define({
  env: "WAREHOUSE",
  type: optional(oneOf("replica", "postgres", "duckdb", "trino", "none")),
  default: null,
  defaultText: "`replica` with `STORAGE_BACKEND=postgres`, `duckdb` with `iceberg`",
  doc: "Which engine answers questions: a columnar replica of the app database, or the app database itself; with `STORAGE_BACKEND=iceberg`, a DuckDB or a Trino that reads the lake. With `none`, questions are not answered; everything else works."
})

/** What `WAREHOUSE` can name: an engine, or none. */
export type WarehouseName = NonNullable<typeof WAREHOUSE.default>

/** What `WAREHOUSE` can be with each storage: the engines that can query what it stores, the default first, or none. */
export const WAREHOUSES: Readonly<
  Record<typeof STORAGE_BACKEND.default, readonly [WarehouseName, ...ReadonlyArray<WarehouseName>]>
> = {
  postgres: ["replica", "postgres", "none"],
  iceberg: ["duckdb", "trino", "none"]
}

export const REPLICA_MEMORY_LIMIT = define({
  env: "REPLICA_MEMORY_LIMIT",
  type: string("a size such as `512MB` or `2GB`", /^\d{1,6}(MB|MiB|GB|GiB)$/),
  default: "1GB",
  doc: "Maximum memory of the replica's DuckDB. A question that needs more writes to disk, up to `REPLICA_TEMP_LIMIT`. If its process needs more than twice that and 512 MiB, the questions that run are stopped."
})
export const REPLICA_TEMP_LIMIT = define({
  env: "REPLICA_TEMP_LIMIT",
  type: string("a size such as `512MB` or `2GB`", /^\d{1,6}(MB|MiB|GB|GiB)$/),
  default: "4GB",
  doc: "Maximum disk space, in `DATA_DIR`, that the replica's DuckDB may use for questions that need more memory, and for rebuilding."
})
export const REPLICA_THREADS = define({
  env: "REPLICA_THREADS",
  type: optional(integer({ min: 1, max: 256 })),
  default: null,
  defaultText: "one per core",
  doc: "Threads of the replica's DuckDB. With one less than there are cores, questions slow down collecting least."
})
export const WAREHOUSE_TIMEOUT_SECONDS = define({
  env: "WAREHOUSE_TIMEOUT_SECONDS",
  type: integer({ min: 1, max: 3_600, unit: "seconds" }),
  default: 30,
  doc: "How long a query may run before it is canceled in the engine."
})
export const EXPORT_TIMEOUT_SECONDS = define({
  env: "EXPORT_TIMEOUT_SECONDS",
  type: integer({ min: 1, max: 86_400, unit: "seconds" }),
  default: 900,
  doc: "How long an export of rows may take, including the time that its client takes to read them."
})
export const TRINO_URL = define({
  env: "TRINO_URL",
  type: optional(httpUrl),
  default: null,
  doc: "Trino's coordinator. Required with `WAREHOUSE=trino`."
})
export const TRINO_USER = define({
  env: "TRINO_USER",
  type: string("a user name"),
  default: "footfall",
  doc: "Trino user. It only needs to read the lake's tables."
})
export const TRINO_PASSWORD = define({
  env: "TRINO_PASSWORD",
  type: optional(string("a password, or `token:…` for a bearer token; with an https `TRINO_URL`")),
  default: null,
  doc: "The user's password or token.",
  secret: true
})
export const TRINO_CATALOG = define({
  env: "TRINO_CATALOG",
  type: string("letters, digits and `_`", /^[a-zA-Z_]\w{0,127}$/),
  default: "footfall",
  doc: "Name of the lake's catalog in Trino."
})
export const DUCKDB_EXTENSION_DIRECTORY = define({
  env: "DUCKDB_EXTENSION_DIRECTORY",
  type: optional(string("a folder")),
  default: null,
  defaultText: "none: DuckDB downloads them once, to `~/.duckdb`",
  doc: "Folder with `avro.duckdb_extension`, `httpfs.duckdb_extension` and `iceberg.duckdb_extension`, for machines that cannot download them."
})
export const DUCKDB_MEMORY_LIMIT = define({
  env: "DUCKDB_MEMORY_LIMIT",
  type: string("a size such as `512MB` or `2GB`", /^\d{1,6}(MB|MiB|GB|GiB)$/),
  default: "1GB",
  doc: "Maximum memory for DuckDB queries; a query that needs more is rejected."
})
