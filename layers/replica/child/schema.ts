import { EVENT_COLUMN_LIST, type EventColumn } from "../../../src/domain/eventColumns.ts"
import { PREVIOUS_IN_HOUR, PREVIOUS_IN_LATER_HOURS, PREVIOUS_SAME } from "../../../src/domain/repeatedVisits.ts"
import { TEXT_OF_VISITOR, VISITOR_CREATED_AT } from "../../../src/domain/visitorColumns.ts"
import { CHANNEL_VERSION } from "../../../src/query/channel/channel.ts"
import { SOURCE_COLUMNS } from "../../../src/query/channel/visitChannel.ts"

/** Changes with the tables here. */
const TABLES_VERSION = 10
/** A file of another format is set aside. Channels are stored, so their rules are part of it. */
export const FORMAT = `${TABLES_VERSION}-${CHANNEL_VERSION}`

/** The part of a file's events that are in no month's table of their own. */
export const OTHER_EVENTS = "event_other"

/** The columns of events that are the same in both databases; ids of sites and sessions are integers in the replica. */
const SHARED = EVENT_COLUMN_LIST.filter(([field]) => field !== "siteId" && field !== "sessionId").map(
  ([, column]) => column
)

const duckType = (column: EventColumn): string => {
  switch (column.kind) {
    case "time":
      return "TIMESTAMP"
    case "uuid":
      return "UUID"
    case "smallint":
      return "TINYINT"
    case "string":
      return "VARCHAR"
    case "decimal":
      return `DECIMAL(${column.precision}, ${column.scale})`
  }
}

/** Times without a zone are plain UTC in CSV and in DuckDB. */
const exported = (column: string, kind: string): string => (kind === "time" ? `${column} AT TIME ZONE 'UTC'` : column)

/** A column as it is exported from Postgres and as it is staged here. */
export interface StagedColumn {
  readonly name: string
  readonly type: string
  readonly source: string
}

const staged = (name: string, type: string, source = name): StagedColumn => ({ name, type, source })
const time = (name: string): StagedColumn => staged(name, "TIMESTAMP", `${name} AT TIME ZONE 'UTC'`)
const strings = (...names: ReadonlyArray<string>): ReadonlyArray<StagedColumn> =>
  names.map((name) => staged(name, "VARCHAR"))

export const STAGED_EVENT: ReadonlyArray<StagedColumn> = EVENT_COLUMN_LIST.map(([, column]) =>
  staged(column.column, duckType(column), exported(column.column, column.kind))
)

export const STAGED_EVENT_DATA: ReadonlyArray<StagedColumn> = [
  staged("event_id", "UUID"),
  ...strings("event_name"),
  time("created_at"),
  ...strings("data_key", "string_value"),
  staged("number_value", "DECIMAL(19, 4)"),
  time("date_value"),
  staged("data_type", "TINYINT")
]

/** What is known of a session, without its ids. */
export const SESSION_FIELDS: ReadonlyArray<StagedColumn> = [
  ...strings("distinct_id", "browser", "os", "device", "screen", "language"),
  // Postgres pads it to two characters.
  staged("country", "VARCHAR", "country::text"),
  ...strings("region", "city"),
  time("created_at"),
  time("updated_at"),
  ...strings("first_path", "first_referrer_domain", "first_utm_source", "first_utm_medium", "first_utm_campaign")
]

export const STAGED_SESSION: ReadonlyArray<StagedColumn> = [
  staged("session_id", "UUID"),
  staged("site_id", "UUID"),
  ...SESSION_FIELDS
]

export const STAGED_SESSION_DATA: ReadonlyArray<StagedColumn> = [
  staged("session_id", "UUID"),
  staged("site_id", "UUID"),
  time("created_at"),
  ...strings("data_key", "string_value"),
  staged("number_value", "DECIMAL(19, 4)"),
  time("date_value"),
  staged("data_type", "TINYINT")
]

export const SITE_FIELDS: ReadonlyArray<StagedColumn> = [
  ...strings("name"),
  staged("allowed_domains", "VARCHAR", "array_to_string(domains, ',')"),
  staged("archived", "BOOLEAN", "archived_at IS NOT NULL"),
  time("created_at"),
  time("updated_at"),
  ...strings("timezone", "week_start", "currency")
]

export const STAGED_SITE: ReadonlyArray<StagedColumn> = [staged("site_id", "UUID", "id"), ...SITE_FIELDS]

const defined = (columns: ReadonlyArray<StagedColumn>): string =>
  columns.map(({ name, type }) => `${name} ${type}`).join(", ")

/** The names of the columns that a table of events takes from `batch`, in the table's order. */
export const EVENT_COLUMNS = [
  "event_id",
  "site",
  "session",
  ...SHARED.map(({ column }) => column).filter((name) => name !== "event_id"),
  "channel",
  "path",
  "prev_same",
  "prev_path",
  "bucket"
]

/**
 * Values of 128 bits. DuckDB would pack those that are alike, which makes the file 5 % smaller; but numbers then take 25 times as long to read,
 * and ids 7 times.
 */
const LONG_NUMBER = "DECIMAL(19, 4) USING COMPRESSION rle"
const ID_OF_EVENT = "UUID USING COMPRESSION uncompressed"

const EVENT_TYPES: ReadonlyMap<string, string> = new Map([
  ...SHARED.map((column) => [column.column, duckType(column)] as const),
  ["event_id", ID_OF_EVENT],
  ["revenue", LONG_NUMBER],
  ["site", "INTEGER"],
  ["session", "INTEGER"],
  ["channel", "VARCHAR"],
  ["prev_same", "INTEGER"],
  ["path", "INTEGER"],
  ["prev_path", "INTEGER"],
  ["bucket", "INTEGER"]
])

/** `tables` come from `eventTables`. */
export const createEventView = (tables: ReadonlyArray<string>): string =>
  `CREATE OR REPLACE VIEW event AS ${tables.map((table) => `SELECT * FROM ${table}`).join(" UNION ALL ")}`

/**
 * The columns of a visit that questions use, and those that merging needs: when its first and last view were, and its first row that says
 * how it came about. `prev_ended_at`: when the same visitor's visit before ended; of `PREVIOUS_IN_HOUR`, the one before
 * that started in the same hour of the week; and of each of `PREVIOUS_SAME`, the one before with the same value. `start_bucket` and `end_bucket`: the 15 minutes that it starts and ends in. `other_views`: those of the views that are not pageviews. What is known of the visitor is here, too, since a join takes five times as
 * long as reading it.
 */
const VISIT_COLUMNS = `site INTEGER, session INTEGER, first_event_id UUID, started_at TIMESTAMP, ended_at TIMESTAMP, start_bucket INTEGER,
  end_bucket INTEGER, prev_ended_at TIMESTAMP,
  ${[PREVIOUS_IN_HOUR, ...Object.values(PREVIOUS_SAME)]
    .map((name) => `${name} TIMESTAMP`)
    .join(
      ", "
    )}, ${PREVIOUS_IN_LATER_HOURS} TIMESTAMP[], views INTEGER, other_views INTEGER, events INTEGER, "rows" INTEGER, entry_path VARCHAR, exit_path VARCHAR, entry_at TIMESTAMP, entry_id UUID, exit_at TIMESTAMP,
  exit_id UUID, channel VARCHAR, source_at TIMESTAMP, source_id UUID, ${[...SOURCE_COLUMNS, ...TEXT_OF_VISITOR].map((name) => `${name} VARCHAR`).join(", ")}, ${VISITOR_CREATED_AT} TIMESTAMP`

const EVENTS = EVENT_COLUMNS.map((name) => `${name} ${EVENT_TYPES.get(name)}`).join(", ")

/** The columns of each table that is not one of events. */
const COLUMNS: ReadonlyMap<string, string> = new Map([
  ["replica_state", "state VARCHAR"],
  ["site", `site INTEGER, site_id UUID, known BOOLEAN, ${defined(SITE_FIELDS)}`],
  ["session", `session INTEGER, session_id UUID, site INTEGER, known BOOLEAN, ${defined(SESSION_FIELDS)}`],
  ["path", "path INTEGER, text VARCHAR"],
  [
    "event_data",
    `event_id UUID, site INTEGER, session INTEGER, event_name VARCHAR, created_at TIMESTAMP, data_key VARCHAR,
    string_value VARCHAR, number_value ${LONG_NUMBER}, date_value TIMESTAMP, data_type TINYINT`
  ],
  [
    "session_data",
    `session INTEGER, site INTEGER, created_at TIMESTAMP, data_key VARCHAR, string_value VARCHAR,
    number_value ${LONG_NUMBER}, date_value TIMESTAMP, data_type TINYINT`
  ],
  ["visit", VISIT_COLUMNS]
])

/** Creates a table of a file, or one like it with another name. */
export const createTable = (table: string, name = table): string =>
  `CREATE TABLE ${name} (${COLUMNS.get(table) ?? EVENTS})`

/** Creates a file's tables. */
export const CREATE: ReadonlyArray<string> = [
  ...[...COLUMNS.keys()].map((table) => createTable(table)),
  createTable(OTHER_EVENTS),
  createEventView([OTHER_EVENTS])
]
