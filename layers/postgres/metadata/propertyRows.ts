import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { propertyFieldId } from "../../../src/domain/fieldId.ts"
import type { SiteId } from "../../../src/domain/ids.ts"
import { VALUE_KINDS } from "../../../src/domain/propertyType.ts"
import type { PropertyOwner } from "../../../src/ports/Properties.ts"
import {
  MAX_PROPERTIES,
  type PropertyChange,
  type PropertyGroup,
  type PropertyName,
  type StoredProperty
} from "../../inprocess/SeenProperties.ts"
import { PROPERTY_LOCK } from "../client/advisoryLocks.ts"

/** How long a rebuild waits for a process that changes the registry: otherwise it would have to scan again. */
const REBUILD_LOCK_TIMEOUT = "60s"

export const COUNTS = VALUE_KINDS.map((kind) => `n_${kind}`)

/** The kinds of a row's values as bits. */
export const KINDS = COUNTS.map((count, kind) => `((${count} > 0)::int << ${kind})`).join(" | ")

const KEY = "site_id, owner, event_name, key"
const GIVEN = `SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS given (
    site_id uuid, owner text, event_name text, key text, ${COUNTS.map((count) => `${count} bigint`).join(", ")},
    first_seen timestamptz, last_seen timestamptz, field_id bigint)`

/** A group's rows within a site, as SQL over columns of this alias. */
const groupOf = (alias: string) =>
  `CASE WHEN ${alias}.owner = 'visitor' THEN 'attributes' WHEN ${alias}.event_name = '*' THEN 'keys' ELSE 'event keys' END`

const limitOf = (group: string) =>
  `CASE ${group} ${Object.entries(MAX_PROPERTIES)
    .map(([name, limit]) => `WHEN '${name}' THEN ${limit}`)
    .join(" ")} END`

/** Adds values to existing rows, and inserts new rows as long as the site's group has room; the most frequent first. */
const ADD = `WITH given AS (${GIVEN}),
  unknown AS (
    SELECT given.*, ${groupOf("given")} AS property_group FROM given
    WHERE NOT EXISTS (SELECT FROM product_analytics_property AS stored
      WHERE stored.site_id = given.site_id AND stored.owner = given.owner
        AND stored.event_name = given.event_name AND stored.key = given.key)
  ),
  room AS (
    SELECT site_id, ${groupOf("stored")} AS property_group, count(*) AS used FROM product_analytics_property AS stored
    WHERE site_id IN (SELECT site_id FROM unknown) GROUP BY 1, 2
  ),
  refused AS (
    SELECT ${KEY} FROM (
      SELECT unknown.*, coalesce(room.used, 0) + row_number() OVER (
          PARTITION BY site_id, property_group ORDER BY ${COUNTS.join(" + ")} DESC, event_name, key
        ) AS position
      FROM unknown LEFT JOIN room USING (site_id, property_group)
    ) AS ranked
    WHERE position > ${limitOf("property_group")}
  )
  INSERT INTO product_analytics_property AS stored (${KEY}, ${COUNTS.join(", ")}, first_seen, last_seen, field_id)
  SELECT ${KEY}, ${COUNTS.join(", ")}, first_seen, last_seen, field_id FROM given
  WHERE (${KEY}) NOT IN (SELECT ${KEY} FROM refused)
  ORDER BY ${KEY}
  ON CONFLICT (${KEY}) DO UPDATE SET ${COUNTS.map((count) => `${count} = stored.${count} + EXCLUDED.${count}`).join(", ")},
    first_seen = least(stored.first_seen, EXCLUDED.first_seen), last_seen = greatest(stored.last_seen, EXCLUDED.last_seen),
    changed_at = clock_timestamp()
  RETURNING site_id, owner, event_name::text, key::text`

/** Only adds values to existing rows, which does not count as a change of the registry. */
const COUNT = `UPDATE product_analytics_property AS stored
  SET ${COUNTS.map((count) => `${count} = stored.${count} + given.${count}`).join(", ")},
    first_seen = least(stored.first_seen, given.first_seen), last_seen = greatest(stored.last_seen, given.last_seen)
  FROM (${GIVEN}) AS given
  WHERE stored.site_id = given.site_id AND stored.owner = given.owner
    AND stored.event_name = given.event_name AND stored.key = given.key
  RETURNING stored.site_id, stored.owner, stored.event_name::text, stored.key::text`

/** A row of the registry as JSON: counts in the columns `COUNTS`, times in a form that Postgres reads. */
export interface PropertyRow {
  readonly site_id: string
  readonly owner: PropertyOwner
  readonly event_name: string
  readonly key: string
  readonly first_seen: string
  readonly last_seen: string
  readonly [count: `n_${string}`]: number
}

interface KeyRow {
  readonly site_id: string
  readonly owner: PropertyOwner
  readonly event_name: string
  readonly key: string
}

/** Dates that both JavaScript and Postgres can write. */
const MIN_TIME = Date.parse("0001-01-01T00:00:00Z")
const MAX_TIME = Date.parse("9999-12-31T00:00:00Z")
const isoTime = (at: number): string => new Date(Math.min(Math.max(at, MIN_TIME), MAX_TIME)).toISOString()

const asJson = (changes: ReadonlyArray<PropertyChange>): string =>
  JSON.stringify(
    changes.map(({ counts, event, first, key, last, owner, siteId }) => ({
      site_id: siteId,
      owner,
      event_name: event,
      key,
      ...Object.fromEntries(COUNTS.map((name, kind) => [name, counts[kind]])),
      first_seen: isoTime(first),
      last_seen: isoTime(last),
      field_id: propertyFieldId({ siteId, owner, event, key })
    }))
  )

const nameOf = (row: KeyRow): string => JSON.stringify([row.site_id, row.owner, row.event_name, row.key])
const nameOfChange = ({ event, key, owner, siteId }: PropertyName): string =>
  JSON.stringify([siteId.toLowerCase(), owner, event, key])

/** Runs a statement that changes the registry, one at a time (migration 0012), and returns the rows that it changed. */
const CHANGE =
  "SELECT site_id, owner, event_name, key FROM product_analytics_change_properties($1::text::bigint, $2, $3)"

const change = (sql: SqlClient.SqlClient, statement: string, changes: ReadonlyArray<PropertyChange>) =>
  Effect.map(sql.unsafe<KeyRow>(CHANGE, [String(PROPERTY_LOCK), statement, asJson(changes)]), (rows) =>
    divide(changes, rows)
  )

/** What became of changes. */
export interface Written {
  readonly stored: ReadonlyArray<PropertyChange>
  readonly others: ReadonlyArray<PropertyChange>
}

const divide = (changes: ReadonlyArray<PropertyChange>, rows: ReadonlyArray<KeyRow>): Written => {
  const names = new Set(rows.map(nameOf))
  return {
    stored: changes.filter((change) => names.has(nameOfChange(change))),
    others: changes.filter((change) => !names.has(nameOfChange(change)))
  }
}

/** Adds changes with news to the registry. `others` had no room. */
export const addProperties = (sql: SqlClient.SqlClient, changes: ReadonlyArray<PropertyChange>) =>
  change(sql, ADD, changes)

/** Adds to the counts of registered properties. `others` are not registered any more. */
export const countProperties = (sql: SqlClient.SqlClient, changes: ReadonlyArray<PropertyChange>) =>
  change(sql, COUNT, changes)

const READ_GROUP = `SELECT event_name AS event, key,
    ${KINDS} AS kinds
  FROM product_analytics_property AS stored
  WHERE site_id = $1::uuid AND ${groupOf("stored")} = $2::text`

/** The properties of a site's group that are registered. */
export const readGroup = (sql: SqlClient.SqlClient, siteId: SiteId, group: PropertyGroup) =>
  sql.unsafe<StoredProperty>(READ_GROUP, [siteId, group])

const withFieldId = (row: PropertyRow) => ({
  ...row,
  field_id: propertyFieldId({ siteId: row.site_id, owner: row.owner, event: row.event_name, key: row.key })
})

/** Replaces a site's rows, except for those about which an administrator chose something. */
const REPLACE = `WITH given AS (${GIVEN}),
  removed AS (
    DELETE FROM product_analytics_property AS stored
    WHERE site_id = $2::uuid AND declared_type IS NULL AND NOT hidden
      AND NOT EXISTS (SELECT FROM given WHERE given.owner = stored.owner
        AND given.event_name = stored.event_name AND given.key = stored.key)
    RETURNING 1
  ), added AS (
    INSERT INTO product_analytics_property (${KEY}, ${COUNTS.join(", ")}, first_seen, last_seen, field_id)
    SELECT ${KEY}, ${COUNTS.join(", ")}, first_seen, last_seen, field_id FROM given ORDER BY ${KEY}
    ON CONFLICT (${KEY}) DO UPDATE SET ${COUNTS.map((count) => `${count} = EXCLUDED.${count}`).join(", ")},
      first_seen = EXCLUDED.first_seen, last_seen = EXCLUDED.last_seen,
      field_id = EXCLUDED.field_id, changed_at = clock_timestamp()
  )
  SELECT count(*)::int AS removed FROM removed`

/** Replaces what is registered for a site. Returns how many properties it has no more. */
export const replaceProperties = (sql: SqlClient.SqlClient, site: string, rows: ReadonlyArray<PropertyRow>) =>
  sql.withTransaction(
    Effect.gen(function* () {
      yield* sql.unsafe("SELECT set_config('lock_timeout', $1, true)", [REBUILD_LOCK_TIMEOUT])
      yield* sql.unsafe(`SELECT pg_advisory_xact_lock(${PROPERTY_LOCK})`)
      const [row] = yield* sql.unsafe<{ removed: number }>(REPLACE, [JSON.stringify(rows.map(withFieldId)), site])
      return row?.removed ?? 0
    })
  )
