import { Effect } from "effect"
import type { DatabaseClient } from "../../../layers/postgres/client/makeClient.ts"
import { EVENT_COLUMN_LIST } from "../../../src/domain/eventColumns.ts"
import {
  PREVIOUS_IN_HOUR,
  PREVIOUS_IN_LATER_HOURS,
  PREVIOUS_SAME,
  REPEATED
} from "../../../src/domain/repeatedVisits.ts"
import { TEXT_OF_VISITOR, VISITOR_CREATED_AT } from "../../../src/domain/visitorColumns.ts"
import { CHANNEL_PARAMETERS, EVENT_CHANNEL_INPUT } from "../../../src/query/channel/channel.ts"
import { SOURCE_COLUMNS } from "../../../src/query/channel/visitChannel.ts"

/*
 * What a replica must contain, computed by Postgres from its own tables in another way than the replica does: with window functions over
 * all rows. Each is a query of text columns with the same meaning on both sides; ids of sites and sessions are UUIDs.
 */

const PLAIN = EVENT_COLUMN_LIST.filter(([field]) => field !== "siteId" && field !== "sessionId").map(
  ([, { column, kind }]) => ({ column, isTime: kind === "time" })
)
const micros = (column: string) => `(extract(epoch FROM ${column}) * 1000000)::bigint::text`
const BUCKET = "floor(extract(epoch FROM created_at) / 900)::int"

const postgresColumns = PLAIN.map(({ column, isTime }) => (isTime ? micros(column) : `${column}::text`))
const replicaColumns = PLAIN.map(({ column, isTime }) =>
  isTime ? `epoch_us(event.${column})::VARCHAR` : `event.${column}::VARCHAR`
)

/** The channel of a row, by the function that migrations install. */
const CHANNEL = `product_analytics_channel(${CHANNEL_PARAMETERS.map((name) => EVENT_CHANNEL_INPUT[name]).join(", ")})`
const SOURCES = SOURCE_COLUMNS.map(
  (name) =>
    `(array_agg(${name} ORDER BY created_at, event_id) FILTER (WHERE channel NOT IN ('direct', '')))[1] AS ${name}`
)
/** Buckets of visits are numbered from a Monday, 2,800,003 days before 1970. */
const BUCKETS_TO_1970 = 2_800_003 * 96
/** When the visitor's visit before ended, and the one before with the same value. */
const PREVIOUS = ["", ...REPEATED.map((name) => `, ${name}`)].map(
  (shared) => `lag(ended_at) OVER (PARTITION BY site_id, session_id${shared} ORDER BY ended_at::bigint)`
)
const hourAt = (bucket: string) => `(${bucket}::bigint + ${BUCKETS_TO_1970}) / 4`
/** When the visitor's last visit before ended that has a row in the hour of the week, of each hour from the first to the last of a visit. */
const IN_HOURS = `(SELECT array_agg((
    SELECT max(other.ended_at::bigint) FROM visit AS other
    WHERE other.site_id = visit.site_id AND other.session_id = visit.session_id AND other.ended_at::bigint < visit.ended_at::bigint
      AND EXISTS (SELECT 1 FROM generate_series(${hourAt("other.start_bucket")}, ${hourAt("other.end_bucket")}) AS present WHERE present % 168 = hour % 168)
  ) ORDER BY hour) FROM generate_series(${hourAt("start_bucket")}, ${hourAt("end_bucket")}) AS hour)`

const EVENTS = {
  postgres: `SELECT site_id::text, session_id::text, ${postgresColumns.join(", ")},
    channel,
    url_path AS numbered_path,
    CASE WHEN event_type <> 5 THEN lag(bucket) OVER (PARTITION BY site_id, session_id, event_type, same ORDER BY created_at, event_id) END::text,
    CASE WHEN event_type = 1 THEN lag(url_path) OVER (PARTITION BY site_id, session_id, event_type ORDER BY created_at, event_id) END
    FROM (
      SELECT *, ${BUCKET} AS bucket, CASE WHEN event_type = 2 THEN event_name ELSE url_path END AS same, ${CHANNEL} AS channel
      FROM product_analytics_event
    ) AS event ORDER BY event_id`,
  replica: `SELECT site_id::VARCHAR, session_id::VARCHAR, ${replicaColumns.join(", ")}, channel,
    (SELECT one.text FROM path AS one WHERE one.path = event.path) AS numbered_path, prev_same::VARCHAR,
    (SELECT one.text FROM path AS one WHERE one.path = event.prev_path) AS prev_path
    FROM event JOIN session ON session.session = event.session JOIN site ON site.site = event.site ORDER BY event.event_id`
}

const visitBucket = (time: string): string => `floor(extract(epoch FROM ${time}) / 900)::bigint::text`

/** What is known of the visitor. */
const VISITOR = [...TEXT_OF_VISITOR.map((name) => `session.${name}`), micros("session.created_at")].map(
  (of) =>
    `(SELECT ${of}::text FROM product_analytics_session AS session WHERE session.session_id = visit.session_id::uuid AND session.site_id = visit.site_id::uuid)`
)

const VISITS = {
  postgres: `WITH visit AS (
    SELECT site_id::text, session_id::text, (array_agg(event_id ORDER BY created_at, event_id))[1]::text AS first_id,
    ${micros("min(created_at)")}, ${micros("max(created_at)")} AS ended_at, ${visitBucket("min(created_at)")} AS start_bucket, ${visitBucket("max(created_at)")} AS end_bucket,
    (count(*) FILTER (WHERE event_type <> 2))::text, (count(*) FILTER (WHERE event_type NOT IN (1, 2)))::text, (count(*) FILTER (WHERE event_type = 2))::text, count(*)::text,
    (array_agg(url_path ORDER BY created_at, event_id) FILTER (WHERE event_type <> 2))[1] AS entry_path,
    (array_agg(url_path ORDER BY created_at DESC, event_id DESC) FILTER (WHERE event_type <> 2))[1] AS exit_path,
    coalesce((array_agg(channel ORDER BY created_at, event_id) FILTER (WHERE channel NOT IN ('direct', '')))[1],
      CASE WHEN bool_or(channel = '') THEN '' ELSE 'direct' END) AS channel, ${SOURCES.join(", ")}
    FROM (
      SELECT *, count(*) FILTER (WHERE begins) OVER (PARTITION BY site_id, session_id ORDER BY created_at, event_id) AS number
      FROM (
        SELECT *, created_at - lag(created_at) OVER (PARTITION BY site_id, session_id ORDER BY created_at, event_id) > interval '30 minutes' AS begins
        FROM (SELECT *, ${CHANNEL} AS channel FROM product_analytics_event WHERE event_type <> 5) AS event
      ) AS event
    ) AS event
    GROUP BY site_id, session_id, number)
    SELECT *, ${[...PREVIOUS, `${IN_HOURS}::text`, ...VISITOR].join(", ")} FROM visit ORDER BY first_id`,
  replica: `SELECT site_id::VARCHAR, session_id::VARCHAR, first_event_id::VARCHAR, epoch_us(started_at)::VARCHAR, epoch_us(ended_at)::VARCHAR,
    (start_bucket - ${BUCKETS_TO_1970})::VARCHAR, (end_bucket - ${BUCKETS_TO_1970})::VARCHAR, views::VARCHAR, other_views::VARCHAR, events::VARCHAR, "rows"::VARCHAR, entry_path, exit_path, channel, ${SOURCE_COLUMNS.join(", ")},
    ${["prev_ended_at", ...Object.values(PREVIOUS_SAME)].map((name) => `epoch_us(${name})::VARCHAR`).join(", ")},
    '{' || array_to_string([coalesce(epoch_us(before)::VARCHAR, 'NULL') FOR before IN
      list_concat([${PREVIOUS_IN_HOUR}], coalesce(${PREVIOUS_IN_LATER_HOURS}, [NULL FOR later IN range(end_bucket // 4 - start_bucket // 4)]))], ',') || '}',
    ${TEXT_OF_VISITOR.map((name) => `visit.${name}`).join(", ")}, epoch_us(visit.${VISITOR_CREATED_AT})::VARCHAR
    FROM visit JOIN session ON session.session = visit.session JOIN site ON site.site = visit.site ORDER BY first_event_id`
}

const SESSION_TEXT = [
  "distinct_id",
  "browser",
  "os",
  "device",
  "screen",
  "language",
  "country",
  "region",
  "city",
  "first_path",
  "first_referrer_domain",
  "first_utm_source",
  "first_utm_medium",
  "first_utm_campaign"
]

/** Sessions that only events name are not known. */
const SESSIONS = {
  postgres: `SELECT coalesce(session.session_id, event.session_id)::text, (session.session_id IS NOT NULL)::text,
    ${micros("session.created_at")}, ${micros("session.updated_at")}, ${SESSION_TEXT.map((name) => `${name}::text`).join(", ")}
    FROM product_analytics_session AS session
    FULL JOIN (SELECT DISTINCT session_id FROM product_analytics_event) AS event ON event.session_id = session.session_id ORDER BY 1`,
  replica: `SELECT session_id::VARCHAR, known::VARCHAR, epoch_us(created_at)::VARCHAR, epoch_us(updated_at)::VARCHAR,
    ${SESSION_TEXT.join(", ")} FROM session ORDER BY session_id::VARCHAR`
}

const PROPERTIES = {
  postgres: `SELECT site_id::text, session_id::text, event_id::text, event_name, ${micros("created_at")}, data_key, string_value,
    number_value::text, ${micros("date_value")}, data_type::text FROM product_analytics_event_data ORDER BY event_id, data_key COLLATE "C"`,
  replica: `SELECT site_id::VARCHAR, session_id::VARCHAR, event_id::VARCHAR, event_name, epoch_us(event_data.created_at)::VARCHAR, data_key,
    string_value, number_value::VARCHAR, epoch_us(date_value)::VARCHAR, data_type::VARCHAR
    FROM event_data JOIN session ON session.session = event_data.session JOIN site ON site.site = event_data.site ORDER BY event_id, data_key`
}

const ATTRIBUTES = {
  postgres: `SELECT session_id::text, ${micros("created_at")}, data_key, string_value, number_value::text, ${micros("date_value")}, data_type::text
    FROM product_analytics_session_data ORDER BY session_id::text, data_key COLLATE "C"`,
  replica: `SELECT session_id::VARCHAR, epoch_us(session_data.created_at)::VARCHAR, data_key, string_value, number_value::VARCHAR,
    epoch_us(date_value)::VARCHAR, data_type::VARCHAR
    FROM session_data JOIN session ON session.session = session_data.session ORDER BY session_id::VARCHAR, data_key`
}

const SITES = {
  postgres: `SELECT id::text, name, array_to_string(domains, ','), (archived_at IS NOT NULL)::text, timezone, week_start, currency, ${micros("updated_at")}
    FROM product_analytics_site ORDER BY 1`,
  replica: `SELECT site_id::VARCHAR, name, allowed_domains, archived::VARCHAR, timezone, week_start, currency, epoch_us(updated_at)::VARCHAR
    FROM site WHERE known ORDER BY 1`
}

const TABLES = {
  events: EVENTS,
  visits: VISITS,
  sessions: SESSIONS,
  properties: PROPERTIES,
  attributes: ATTRIBUTES,
  sites: SITES
}

type Content = Readonly<Record<keyof typeof TABLES, ReadonlyArray<string>>>

const contentOf = async (
  side: "postgres" | "replica",
  rowsOf: (sql: string) => Promise<ReadonlyArray<ReadonlyArray<unknown>>>
): Promise<Content> => {
  const content: Record<string, ReadonlyArray<string>> = {}
  for (const [name, table] of Object.entries(TABLES)) {
    content[name] = (await rowsOf(table[side])).map((row) => JSON.stringify(row))
  }
  return content as Content
}

/** Everything that a replica of this database must contain. */
export const contentOfPostgres = (sql: DatabaseClient): Promise<Content> =>
  contentOf("postgres", (statement) =>
    Effect.runPromise(
      Effect.scoped(Effect.flatMap(sql.reserve, (connection) => connection.executeValues(statement, [])))
    )
  )

export const contentOfReplica = (
  rows: (sql: string) => Promise<ReadonlyArray<ReadonlyArray<unknown>>>
): Promise<Content> => contentOf("replica", rows)
