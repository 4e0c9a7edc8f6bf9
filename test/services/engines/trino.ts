import { Schema } from "effect"
import { endpoint } from "../../../scripts/services/place.ts"
import { jdbcCatalog, restCatalog } from "../../../scripts/services/trinoCatalogs.ts"
import type { CatalogPlace } from "./CatalogPlace.ts"
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
  // Without it timestamps come cut to milliseconds.
  "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME"
}

/** Runs one statement to its end. Numbers are JSON's: cast what may be above 2^53 to varchar. */
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
  let answer = await fetch(`${endpoint.trino()}/v1/statement`, { method: "POST", headers, body: statement, signal })
  while (true) {
    const page = Schema.decodeUnknownSync(Page)(await answer.json())
    if (page.error !== undefined) {
      throw new EngineError(`Trino: ${page.error.errorName}: ${page.error.message}`, statement.slice(0, 2_000))
    }
    columns = page.columns ?? columns
    for (const row of page.data ?? []) rows.push(row.map((value) => (value === null ? null : String(value))))
    if (page.nextUri === undefined) return { columns, rows }
    answer = await fetch(page.nextUri, { headers, signal })
  }
}

/**
 * A catalog of Trino's for a place that it does not know from its start, as of a test that has a database of its own. `name`
 * is Trino's name for it, in lower case.
 */
export const createTrinoCatalog = async (name: string, place: CatalogPlace): Promise<void> => {
  if (place.type !== "jdbc" && place.type !== "rest") throw new TypeError(`Trino is not asked about ${place.type}`)
  const values =
    place.type === "jdbc"
      ? jdbcCatalog({ catalog: place.name, database: place.database, warehouse: place.warehouse })
      : restCatalog(place.warehouse)
  const list = Object.entries(values).map(([key, value]) => `"${key}" = '${value.replaceAll("'", "''")}'`)
  await trinoQuery(`CREATE CATALOG ${name} USING iceberg WITH (${list.join(", ")})`)
}

export const dropTrinoCatalog = async (name: string): Promise<void> => {
  await trinoQuery(`DROP CATALOG IF EXISTS ${name}`)
}

/** Trino 476. Its catalogs are `lake`, `sw` and those that `createTrinoCatalog` made. */
export const trino = {
  /** `table` is `catalog.namespace.name`, or any other relation as SQL. */
  check: async ({ id, table }: { readonly table: string; readonly id: string }): Promise<TableNumbers> => {
    const { columns } = await trinoQuery(`SELECT * FROM ${table} LIMIT 0`)
    return sqlNumbers(trinoDialect, table, id, columns, async (statement) => (await trinoQuery(statement)).rows)
  },
  query: trinoQuery
}
