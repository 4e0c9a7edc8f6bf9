import { Effect, Layer, Stream } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { PropertyAdmin, PropertyAdminError, type RebuiltRegistry } from "../../../src/ports/PropertyAdmin.ts"
import { QueryEngine, type QueryError, type QueryValue } from "../../../src/ports/QueryEngine.ts"
import { MAX_PROPERTIES } from "../../inprocess/SeenProperties.ts"
import { AppDatabase } from "../client/Database.ts"
import { sqlMessage } from "../client/sqlErrors.ts"
import { COUNTS, type PropertyRow, replaceProperties } from "./propertyRows.ts"
import { countedByType, lakeScans, NUMERIC, SCAN_COLUMNS, scanOfAttributes, scanOfEvents } from "./propertyScan.ts"

const LIMITS = {
  keys: MAX_PROPERTIES.keys,
  eventKeys: MAX_PROPERTIES["event keys"],
  attributes: MAX_PROPERTIES.attributes
}

type Scan = Effect.Effect<ReadonlyArray<PropertyRow>, SqlError.SqlError | QueryError>

const IS_NUMERIC = `coalesce(value ~ ${NUMERIC}, false)`
const EVENT_ROWS =
  "SELECT site_id, event_name, data_key AS key, string_value AS value, data_type, created_at FROM product_analytics_event_data"
const ATTRIBUTE_ROWS =
  "SELECT site_id, data_key AS key, string_value AS value, data_type, created_at FROM product_analytics_session_data"

/** The properties that are stored in the app database. */
const scanPostgres = (sql: SqlClient.SqlClient): Scan => {
  const counted = countedByType(IS_NUMERIC, "created_at")
  // As text, which the server reads again, whatever the year.
  const asText = (scan: string) =>
    `SELECT owner, site_id, event_name, key, ${COUNTS.map((count) => `${count}::float8`).join(", ")}, first_seen::text, last_seen::text FROM (${scan}) AS scan`
  return Effect.zipWith(
    sql.unsafe<PropertyRow>(asText(scanOfEvents(EVENT_ROWS, counted, LIMITS))),
    sql.unsafe<PropertyRow>(asText(scanOfAttributes(ATTRIBUTE_ROWS, counted, LIMITS))),
    (events, attributes) => [...events, ...attributes]
  )
}

const NAMES = SCAN_COLUMNS.split(", ")

/** A row of a scan of the lake. */
const toRow = (values: ReadonlyArray<QueryValue>): PropertyRow =>
  Object.fromEntries(
    NAMES.map((name, index) => [name, typeof values[index] === "bigint" ? Number(values[index]) : values[index]])
  ) as unknown as PropertyRow

/** The properties that are stored in the lake. A table that does not exist yet has none. */
const scanLake = (engine: QueryEngine["Service"], dialect: "duckdb" | "trino"): Scan =>
  Effect.map(
    Effect.forEach(lakeScans(dialect, LIMITS), (query) =>
      Stream.runCollect(engine.stream(query)).pipe(
        Effect.map((chunks) => [...chunks].flatMap(({ rows }) => rows.map(toRow))),
        Effect.catchIf(
          ({ reason }) => reason === "Missing",
          () => Effect.succeed([])
        )
      )
    ),
    (rows) => rows.flat()
  )

const rebuild = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  scan: Scan
): Effect.fn.Return<RebuiltRegistry, SqlError.SqlError | QueryError> {
  const bySite = Map.groupBy(yield* scan, ({ site_id }) => site_id)
  const registered = yield* sql.unsafe<{ site_id: string }>("SELECT DISTINCT site_id FROM product_analytics_property")
  for (const { site_id } of registered) if (!bySite.has(site_id)) bySite.set(site_id, [])
  let removed = 0
  for (const [site, rows] of bySite) removed += yield* replaceProperties(sql, site, rows)
  const [count] = yield* sql.unsafe<{ rows: number; sites: number }>(
    "SELECT count(*)::int AS rows, count(DISTINCT site_id)::int AS sites FROM product_analytics_property"
  )
  return { sites: count?.sites ?? 0, registered: count?.rows ?? 0, removed }
})

/** Rebuilds the registry from where the events are: the app database, or the lake that the query engine reads. */
export const layer: Layer.Layer<PropertyAdmin, never, AppDatabase | QueryEngine> = Layer.effect(
  PropertyAdmin,
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const engine = yield* QueryEngine
    const scan = engine.dialect === "postgres" ? scanPostgres(sql) : scanLake(engine, engine.dialect)
    return PropertyAdmin.of({
      rebuild: Effect.mapError(
        rebuild(sql, scan),
        (error) =>
          new PropertyAdminError({
            message: `The registry of properties can't be rebuilt: ${error._tag === "SqlError" ? sqlMessage(error) : error.message}`
          })
      )
    })
  })
)
