import { DATE_TEXT } from "../../domain/propertyType.ts"
import { sqlLiteral } from "../../lib/sqlLiteral.ts"
import { DUCKDB_WITH_TEXT_IDS } from "./duckdb.ts"
import type { LakeEngine } from "./lakeModel.ts"
import { bound, sql } from "./Sql.ts"

/** How DuckDB reads the lake. Its instants are UTC timestamps without a zone. */
export const LAKE_IN_DUCKDB: LakeEngine = {
  dialect: DUCKDB_WITH_TEXT_IDS,
  // A cast would compute with time zones, which takes longer.
  instant: (stored) => `make_timestamp(epoch_us(${stored}))`,
  storedInstant: (iso) => sql`CAST(${bound({ type: "text", value: iso })} AS TIMESTAMPTZ)`,
  // These aggregates skip nulls, but not structs with a null.
  pick: ({ at, by: [first, second], column, where }) =>
    `(${at === "first" ? "arg_min" : "arg_max"}({'value': ${column}}, {'first': ${first}, 'second': ${second}})${where === null ? "" : ` FILTER (WHERE ${where})`}).value`,
  property: (key) => sql`map_extract_value(properties, ${key})`,
  eachProperty: {
    columns: "unnest(map_keys(properties)) AS data_key, unnest(map_values(properties)) AS string_value",
    from: "pa_events"
  },
  idOf: (of) => `CAST(CAST(md5(${of}) AS UUID) AS VARCHAR)`,
  dateOf: (of) => `CASE WHEN regexp_matches(${of}, ${sqlLiteral(DATE_TEXT)}) THEN TRY_CAST(${of} AS TIMESTAMP) END`
}
