import type { PgTypes } from "@effect/sql-pg"
import type { EventRecord, IdentityRecord, Property, SessionRecord } from "../../../src/domain/Event.ts"
import { EVENT_COLUMN_LIST } from "../../../src/domain/eventColumns.ts"
import type { SessionId } from "../../../src/domain/ids.ts"
import type { EventData, SessionData } from "./encode.ts"
import type { RowParameter } from "./rowTypes.ts"

/*
 * A batch is one statement whose parameters are arrays of rows in binary format (encode.ts). For 128 events with sessions and properties,
 * Postgres takes this much CPU per event: 15 us with JSON arrays, 10.4 us with rows, and 11 us with COPY, which also takes a round trip
 * per table.
 */

/** The columns that a table and its row type share. */
const SESSION_SHARED = `session_id, site_id, created_at, distinct_id, browser, os, device, screen, language, country, region, city,
    first_path, first_referrer_domain, first_utm_source, first_utm_medium, first_utm_campaign`
const EVENT_COLUMN_NAMES = EVENT_COLUMN_LIST.map(([, { column }]) => column).join(", ")
/** Decimals are sent as strings, which keeps every digit. */
const EVENT_VALUES = EVENT_COLUMN_LIST.map(([, { column, kind }]) =>
  kind === "decimal" ? `${column}::numeric` : column
).join(", ")
const EVENT_DATA_SHARED = `created_at, event_id, site_id, session_id, date_value, data_type, event_name, data_key, string_value`
const SESSION_DATA_SHARED = `created_at, session_id, site_id, date_value, data_type, data_key, string_value`

const SESSION_COLUMNS = `${SESSION_SHARED}, updated_at`

const SESSION_ROWS = `SELECT ${SESSION_SHARED}, created_at
  FROM unnest($1::product_analytics_session_row[])`

/** What describes a session as of its first event. */
const FIRST_EVENT_COLUMNS = SESSION_SHARED.split(",")
  .map((column) => column.trim())
  .filter((column) => !["session_id", "site_id", "distinct_id"].includes(column))

/** Whether the arriving event is the session's first so far, whatever the order of arrival. */
const IS_EARLIER = "EXCLUDED.created_at < stored.created_at"

/**
 * Identifies what a batch was written to: the running server, its timeline, and the table's storage. It changes with a failover, a
 * restart, a restore and a truncated or recreated table, also behind a pooler that hides all of them. All functions are public.
 */
const SELECT_STORE = `SELECT concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()),
  left(pg_walfile_name(pg_current_wal_lsn()), 8), pg_relation_filenode('product_analytics_session')) AS store`

/** The row that every batch returns. */
export interface StoreRow {
  readonly store: string
}

/** Replicas read the ids of the last seconds at each poll; a batch with an older one is noted. */
const LATE_MS = 5_000

/**
 * Notes a batch with old ids for the replicas. The clock is read after the transaction has its number, on which replicas rely: a batch
 * that is not noted has no id from more than `LATE_MS` before its transaction got its number.
 */
const NOTE_LATE_BATCH = `INSERT INTO product_analytics_replica_note (least_id, greatest_id)
  SELECT $4::uuid, $5::uuid
  WHERE CASE WHEN pg_current_xact_id() IS NOT NULL THEN
      ('x' || translate(left($4::text, 13), '-', ''))::bit(48)::bigint < extract(epoch FROM clock_timestamp()) * 1000 - ${LATE_MS}
    END
    AND EXISTS (SELECT FROM product_analytics_replica)`

/**
 * Parameters: sessions, events, properties, the least and the greatest event id. Sessions are in the order of their ids, so that two processes that insert the same new
 * sessions cannot deadlock. An existing session changes only when the arriving event is earlier than its start.
 */
const insertEvents = (onConflict: string): string => `WITH session AS (
  INSERT INTO product_analytics_session AS stored (${SESSION_COLUMNS})
  ${SESSION_ROWS}
  ON CONFLICT (session_id) DO UPDATE SET ${FIRST_EVENT_COLUMNS.map((column) => `${column} = EXCLUDED.${column}`).join(", ")}
  WHERE ${IS_EARLIER}
), event AS (
  INSERT INTO product_analytics_event (${EVENT_COLUMN_NAMES})
  SELECT ${EVENT_VALUES}
  FROM unnest($2::product_analytics_event_row[])
  ${onConflict}
), data AS (
  INSERT INTO product_analytics_event_data (${EVENT_DATA_SHARED}, number_value)
  SELECT ${EVENT_DATA_SHARED}, number_value::numeric
  FROM unnest($3::product_analytics_event_data_row[])
  ${onConflict}
), note AS (
  ${NOTE_LATE_BATCH}
)
${SELECT_STORE}`

/** For the first attempt, when every event is new. Fails with `UNIQUE_VIOLATION`, and stores nothing, if an event exists. */
export const INSERT_EVENTS = insertEvents("")

/**
 * For events that may exist. Existing ones are not changed, so repeating a batch does nothing. Slower than `INSERT_EVENTS`, since it
 * checks each row first (bench/storage).
 */
export const INSERT_EVENTS_AGAIN = insertEvents("ON CONFLICT DO NOTHING")

export const UNIQUE_VIOLATION = "23505"

/** Whether no row of the same session here is as early. */
const isEarliest = ({ createdAt, id }: SessionRecord, sessions: ReadonlyMap<string, SessionRecord>): boolean => {
  const other = sessions.get(id)
  return other === undefined || createdAt < other.createdAt
}

const byId = (a: SessionRecord, b: SessionRecord): number => (a.id < b.id ? -1 : 1)

/**
 * The rows of `INSERT_EVENTS`: each session as of its earliest event here, without those for which `isStored` is true; `omitsSessions`
 * says whether there are any.
 */
export const eventRows = (events: ReadonlyArray<EventRecord>, isStored: (id: SessionId, start: number) => boolean) => {
  const sessions = new Map<string, SessionRecord>()
  const data: Array<EventData> = []
  let omitsSessions = false
  let leastId = events[0]?.id ?? ""
  let greatestId = leastId
  for (const event of events) {
    if (event.id < leastId) leastId = event.id
    if (event.id > greatestId) greatestId = event.id
    const session = event.session
    if (session !== null && isEarliest(session, sessions)) {
      if (isStored(session.id, session.createdAt)) omitsSessions = true
      else sessions.set(session.id, session)
    }
    for (const property of event.properties) data.push({ event, property })
  }
  return { sessions: [...sessions.values()].sort(byId), events, data, omitsSessions, leastId, greatestId }
}

/** The parameters of `INSERT_EVENTS`. */
export const eventParameters = (
  { data, events, greatestId, leastId, sessions }: ReturnType<typeof eventRows>,
  parameter: RowParameter
): ReadonlyArray<PgTypes.Parameter | string> => [
  parameter("product_analytics_session_row", sessions),
  parameter("product_analytics_event_row", events),
  parameter("product_analytics_event_data_row", data),
  leastId,
  greatestId
]

/**
 * Parameters: sessions and attributes, each in the order of their keys. A session's distinct id is set if it has none, and its first event
 * is replaced by an earlier one. An attribute is replaced if it changed.
 */
export const UPSERT_IDENTITIES = `WITH session AS (
  INSERT INTO product_analytics_session AS stored (${SESSION_COLUMNS})
  ${SESSION_ROWS}
  ON CONFLICT (session_id) DO UPDATE SET distinct_id = coalesce(stored.distinct_id, EXCLUDED.distinct_id),
    updated_at = greatest(stored.updated_at, EXCLUDED.updated_at),
    ${FIRST_EVENT_COLUMNS.map((column) => `${column} = CASE WHEN ${IS_EARLIER} THEN EXCLUDED.${column} ELSE stored.${column} END`).join(",\n    ")}
  WHERE (stored.distinct_id IS NULL AND EXCLUDED.distinct_id IS NOT NULL) OR ${IS_EARLIER}
), data AS (
  INSERT INTO product_analytics_session_data AS stored (${SESSION_DATA_SHARED}, number_value)
  SELECT ${SESSION_DATA_SHARED}, number_value::numeric
  FROM unnest($2::product_analytics_session_data_row[])
  ON CONFLICT (session_id, data_key) DO UPDATE SET created_at = EXCLUDED.created_at, data_type = EXCLUDED.data_type,
    string_value = EXCLUDED.string_value, number_value = EXCLUDED.number_value, date_value = EXCLUDED.date_value
  WHERE (stored.data_type, stored.string_value, stored.number_value, stored.date_value)
    IS DISTINCT FROM (EXCLUDED.data_type, EXCLUDED.string_value, EXCLUDED.number_value, EXCLUDED.date_value)
), note AS (
  INSERT INTO product_analytics_replica_note (session_ids)
  SELECT array(SELECT session_id FROM unnest($1::product_analytics_session_row[]))
  WHERE EXISTS (SELECT FROM product_analytics_replica)
)
${SELECT_STORE}`

const byKey = (a: readonly [string, SessionData], b: readonly [string, SessionData]): number => (a[0] < b[0] ? -1 : 1)

/** The rows of `UPSERT_IDENTITIES`: one per session and one per attribute, since a statement cannot change a row twice. */
export const identityRows = (records: ReadonlyArray<IdentityRecord>) => {
  const sessions = new Map<string, SessionRecord>()
  const attributes = new Map<string, SessionData>()
  for (const { createdAt, properties, session } of records) {
    const known = sessions.get(session.id)
    const distinctId = known?.distinctId ?? session.distinctId
    const first = known === undefined || isEarliest(session, sessions) ? session : known
    sessions.set(session.id, first.distinctId === distinctId ? first : { ...first, distinctId })
    for (const property of properties) attributes.set(`${session.id} ${property.key}`, { session, property, createdAt })
  }
  return {
    sessions: [...sessions.values()].sort(byId),
    data: [...attributes.entries()].sort(byKey).map(([, attribute]) => attribute)
  }
}

/** The parameters of `UPSERT_IDENTITIES`. */
export const identityParameters = (
  { data, sessions }: ReturnType<typeof identityRows>,
  parameter: RowParameter
): ReadonlyArray<PgTypes.Parameter> => [
  parameter("product_analytics_session_row", sessions),
  parameter("product_analytics_session_data_row", data)
]

/** Estimated size of a waiting record without its strings: its fields, its session, its entry in the queue. */
const RECORD_BYTES = 1_200
const PROPERTY_BYTES = 150

const sizeOf = (properties: ReadonlyArray<Property>): number => {
  let size = 0
  for (const property of properties) size += PROPERTY_BYTES + property.key.length + property.string.length
  return size
}

/** Estimated bytes of a waiting event, counting only its long strings. It bounds the memory of a queue, so fast matters more than exact. */
export const eventSize = (event: EventRecord): number =>
  RECORD_BYTES +
  event.urlPath.length +
  (event.urlQuery?.length ?? 0) +
  (event.pageTitle?.length ?? 0) +
  (event.referrerPath?.length ?? 0) +
  (event.referrerQuery?.length ?? 0) +
  sizeOf(event.properties)

export const identitySize = ({ properties }: IdentityRecord): number => RECORD_BYTES + sizeOf(properties)
