import { DATE_TEXT } from "../../domain/propertyType.ts"
import { sqlLiteral } from "../../lib/sqlLiteral.ts"
import type { LakeEngine } from "./lakeModel.ts"
import { bound, sql } from "./Sql.ts"
import { TRINO } from "./trino.ts"

/** How Trino reads the lake. Its instants are UTC timestamps without a zone. */
export const LAKE_IN_TRINO: LakeEngine = {
  dialect: TRINO,
  // Times in Iceberg's files are in UTC.
  instant: (stored) => `CAST(${stored} AS timestamp(6))`,
  storedInstant: (iso) => bound({ type: "timestamp", value: iso }),
  pick: ({ at, by, column, where }) =>
    `${at === "first" ? "min_by" : "max_by"}(${column}, ROW(${by.join(", ")}))${where === null ? "" : ` FILTER (WHERE ${where})`}`,
  property: (key) => sql`element_at(properties, ${key})`,
  eachProperty: {
    columns: "data_key, string_value",
    from: "pa_events CROSS JOIN UNNEST(properties) AS each_property (data_key, string_value)"
  },
  idOf: (of) => `CAST(CAST(md5(to_utf8(${of})) AS uuid) AS varchar)`,
  dateOf: (of) =>
    `CASE WHEN regexp_like(${of}, ${sqlLiteral(DATE_TEXT)}) THEN CAST(TRY(from_iso8601_timestamp(${of})) AS timestamp(6)) END`
}
