import { settingsOf } from "./Setting.ts"
import { httpUrl, integer, oneOf, optional, string } from "./types.ts"

const define = settingsOf("Warehouse")

export const WAREHOUSE = define({
  env: "WAREHOUSE",
  type: oneOf("postgres", "trino", "duckdb"),
  default: "postgres",
  doc: "Which engine answers queries: the app database, or with `STORAGE_BACKEND=iceberg` a Trino that reads the lake, or a DuckDB that this process starts."
})
export const WAREHOUSE_TIMEOUT_SECONDS = define({
  env: "WAREHOUSE_TIMEOUT_SECONDS",
  type: integer({ min: 1, max: 3_600 }),
  default: 30,
  doc: "How long a query may run before it is canceled in the engine."
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
