import { Schema } from "effect"
import { endpoint } from "../../../scripts/services/place.ts"
import { jdbcCatalog, restCatalog } from "../../../scripts/services/trinoCatalogs.ts"
import type { EngineCatalog } from "./EngineCatalog.ts"
import type { TableNumbers } from "./numbers.ts"
import { DEADLINE_MS, EngineError } from "./runEngine.ts"
import { type Row, sqlNumbers, trinoDialect } from "./sqlNumbers.ts"

const Page = Schema.Struct({
  nextUri: Schema.optional(Schema.String),
  columns: Schema.optional(Schema.Array(Schema.Struct({ name: Schema.String, type: Schema.String }))),
  data: Schema.optional(Schema.Array(Schema.Array(Schema.Unknown))),
  error: Schema.optional(Schema.Struct({ message: Schema.String, errorName: Schema.String }))
})

const headers = {
  "X-Trino-User": "test",
  "X-Trino-Source": "footfall-test",
  "X-Trino-Time-Zone": "UTC",
  // Without it, timestamps are truncated to milliseconds.
  "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME"
}

/** Runs a statement to its end. Numbers are parsed as JSON: cast those that may exceed 2^53 to varchar. */
export const trinoQuery = async (
  statement: string,
  deadlineMs = DEADLINE_MS
): Promise<{
  readonly columns: ReadonlyArray<{ readonly name: string; readonly type: string }>
  readonly rows: ReadonlyArray<Row>
}> => {
  const signal = AbortSignal.timeout(deadlineMs)
  const rows: Array<Row> = []
  let columns: ReadonlyArray<{ readonly name: string; readonly type: string }> = []
  let response = await fetch(`${endpoint.trino()}/v1/statement`, { method: "POST", headers, body: statement, signal })
  while (true) {
    const page = Schema.decodeUnknownSync(Page)(await response.json())
    if (page.error !== undefined) {
      throw new EngineError(`Trino: ${page.error.errorName}: ${page.error.message}`, statement.slice(0, 2_000))
    }
    columns = page.columns ?? columns
    for (const row of page.data ?? []) rows.push(row.map((value) => (value === null ? null : String(value))))
    if (page.nextUri === undefined) return { columns, rows }
    response = await fetch(page.nextUri, { headers, signal })
  }
}

/** Adds a catalog to the running Trino, for example for a test with its own database. `name` is Trino's name for it, in lowercase. */
export const createTrinoCatalog = async (name: string, catalog: EngineCatalog): Promise<void> => {
  if (catalog.type !== "jdbc" && catalog.type !== "rest")
    throw new TypeError(`Trino is not tested with ${catalog.type} catalogs`)
  const values =
    catalog.type === "jdbc"
      ? jdbcCatalog({ catalog: catalog.name, database: catalog.database, warehouse: catalog.warehouse })
      : restCatalog(catalog.warehouse)
  const list = Object.entries(values).map(([key, value]) => `"${key}" = '${value.replaceAll("'", "''")}'`)
  await trinoQuery(`CREATE CATALOG ${name} USING iceberg WITH (${list.join(", ")})`)
}

export const dropTrinoCatalog = async (name: string): Promise<void> => {
  await trinoQuery(`DROP CATALOG IF EXISTS ${name}`)
}

/** Trino 476. Its catalogs are `lake`, `sw` and those of `createTrinoCatalog`. */
export const trino = {
  /** `table` is `catalog.namespace.name`, or any other relation as SQL. */
  check: async ({ id, table }: { readonly table: string; readonly id: string }): Promise<TableNumbers> => {
    const { columns } = await trinoQuery(`SELECT * FROM ${table} LIMIT 0`)
    return sqlNumbers(trinoDialect, table, id, columns, async (statement) => (await trinoQuery(statement)).rows)
  },
  query: trinoQuery
}
