import { DATE_TEXT } from "../../../src/domain/propertyType.ts"
import { sqlLiteral } from "../../../src/lib/sqlLiteral.ts"
import type { Query } from "../../../src/ports/QueryEngine.ts"

/** How many properties of a site a scan returns: of all events, of particular events, and of visitors. */
export interface ScanLimits {
  readonly keys: number
  readonly eventKeys: number
  readonly attributes: number
}

/** Columns of a scan's rows, counts in the order of `VALUE_KINDS`. */
export const SCAN_COLUMNS =
  "owner, site_id, event_name, key, n_string, n_numeric, n_number, n_boolean, n_date, n_array, first_seen, last_seen"

const TOTAL = "n_string + n_numeric + n_number + n_boolean + n_date + n_array"

/** The strings that questions read as numbers. */
export const NUMERIC = "'^ *[+-]?([0-9]{1,15}([.][0-9]{0,15})?|[.][0-9]{1,15}) *$'"

/** The best of the rows that one scan of events' values groups by event and key, and by key only. `rows` has `counted` columns. */
export const scanOfEvents = (rows: string, counted: string, { eventKeys, keys }: ScanLimits): string => `
SELECT ${SCAN_COLUMNS} FROM (
  SELECT found.*, row_number() OVER (PARTITION BY site_id, any_event ORDER BY ${TOTAL} DESC, event_name, key) AS position FROM (
    SELECT 'event' AS owner, site_id, CASE WHEN grouping(event_name) = 1 THEN '*' ELSE coalesce(event_name, '') END AS event_name,
      grouping(event_name) AS any_event, key, ${counted}
    FROM (${rows}) AS property
    GROUP BY GROUPING SETS ((site_id, event_name, key), (site_id, key))
    HAVING grouping(event_name) = 1 OR coalesce(event_name, '') <> '*'
  ) AS found
) AS ranked WHERE position <= CASE WHEN any_event = 1 THEN ${keys} ELSE ${eventKeys} END`

/** The best of the rows that a scan of visitors' attributes groups by key. */
export const scanOfAttributes = (rows: string, counted: string, { attributes }: ScanLimits): string => `
SELECT ${SCAN_COLUMNS} FROM (
  SELECT found.*, row_number() OVER (PARTITION BY site_id ORDER BY ${TOTAL} DESC, key) AS position FROM (
    SELECT 'visitor' AS owner, site_id, '*' AS event_name, key, ${counted} FROM (${rows}) AS attribute GROUP BY site_id, key
  ) AS found
) AS ranked WHERE position <= ${attributes}`

/** Counts by kind of values whose type is stored, and their first and last time. */
export const countedByType = (isNumeric: string, time: string): string => {
  const count = (condition: string) => `CAST(sum(CASE WHEN ${condition} THEN 1 ELSE 0 END) AS bigint)`
  return `${count(`data_type = 1 AND NOT ${isNumeric}`)} AS n_string, ${count(`data_type = 1 AND ${isNumeric}`)} AS n_numeric,
    ${count("data_type = 2")} AS n_number, ${count("data_type = 3")} AS n_boolean, ${count("data_type = 4")} AS n_date, ${count("data_type = 5")} AS n_array,
    min(${time}) AS first_seen, max(${time}) AS last_seen`
}

type LakeDialect = "duckdb" | "trino"

const MATCHES: Readonly<Record<LakeDialect, string>> = { duckdb: "regexp_matches", trino: "regexp_like" }

const PROPERTIES: Readonly<Record<LakeDialect, string>> = {
  duckdb:
    "SELECT site_id, event_name, event_time, unnest(map_keys(properties)) AS key, unnest(map_values(properties)) AS value FROM pa_events",
  trino:
    "SELECT site_id, event_name, event_time, key, value FROM pa_events CROSS JOIN UNNEST(properties) AS property (key, value)"
}

/** The lake keeps the values of events' properties as strings, so their type is what they look like. */
const typedLakeRows = (dialect: LakeDialect): string => {
  const matches = (pattern: string) => `${MATCHES[dialect]}(value, ${pattern})`
  return `SELECT site_id, event_name, event_time, key, value,
      CASE WHEN value IN ('true', 'false') THEN 3 WHEN ${matches(sqlLiteral(DATE_TEXT))} THEN 4 ELSE 1 END AS data_type
    FROM (${PROPERTIES[dialect]}) AS pair`
}

/** Scans of the lake: of its events' properties, and of its visitors' attributes. */
export const lakeScans = (dialect: LakeDialect, limits: ScanLimits): ReadonlyArray<Query> => {
  const isNumeric = (value: string) => `coalesce(${MATCHES[dialect]}(${value}, ${NUMERIC}), false)`
  const attributes =
    "SELECT site_id, data_key AS key, string_value AS value, data_type, created_at AS event_time FROM pa_session_data"
  return [
    {
      sql: scanOfEvents(typedLakeRows(dialect), countedByType(isNumeric("value"), "event_time"), limits),
      parameters: [],
      tables: ["pa_events"]
    },
    {
      sql: scanOfAttributes(attributes, countedByType(isNumeric("value"), "event_time"), limits),
      parameters: [],
      tables: ["pa_session_data"]
    }
  ]
}
