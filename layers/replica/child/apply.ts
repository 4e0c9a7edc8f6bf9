import { NOT_VIEWS, PREDECESSOR_BUCKET_SECONDS, VISIT_GAP_SECONDS } from "../../../src/domain/Event.ts"
import {
  PREVIOUS_IN_HOUR,
  PREVIOUS_IN_LATER_HOURS,
  PREVIOUS_SAME,
  REPEATED
} from "../../../src/domain/repeatedVisits.ts"
import { hourOf, hourOfWeek, hoursFrom, visitBucket } from "../../../src/domain/visitBuckets.ts"
import { OF_VISITOR } from "../../../src/domain/visitorColumns.ts"
import { eventsWithChannel } from "../../../src/query/channel/channel.ts"
import { channelOf, HAS_SOURCE, SOURCE_COLUMNS } from "../../../src/query/channel/visitChannel.ts"
import type { Store } from "./Store.ts"
import { EVENT_COLUMNS, OTHER_EVENTS, SESSION_FIELDS, SITE_FIELDS } from "./schema.ts"

/*
 * How rows get into the file. Everything is SQL over temporary tables, whatever the number of rows: a poll of a second and a segment of
 * a rebuild take the same way. `batch` has the new events with the integers of their site and session.
 */

/** A longer time without a row ends a visit. */
const GAP = `INTERVAL ${VISIT_GAP_SECONDS} SECOND`
/** Months before and after now that get a table of their own. Clients choose the time of an event, and each table makes the view slower. */
const MONTHS_BACK = 60
const MONTHS_AHEAD = 2

/** 1: a view (everything but custom events and web vitals), 2: a custom event, 0: neither. */
export const KIND = `CASE WHEN event_type NOT IN (${NOT_VIEWS.join(", ")}) THEN 1 WHEN event_type = 2 THEN 2 ELSE 0 END`
/** What makes two rows of a type the same: the path, and for custom events the name. */
export const SAME = "CASE WHEN event_type = 2 THEN event_name ELSE url_path END"
const BUCKET = (time: string) => `(epoch_us(${time}) // ${PREDECESSOR_BUCKET_SECONDS * 1_000_000})::INTEGER`

/** Gives every site id in `ids` (a query of one column) a number. */
export const ensureSites = (store: Store, ids: string): Promise<void> =>
  store.run(`INSERT INTO site (site, site_id, known)
    SELECT (SELECT coalesce(max(site), 0) FROM site) + row_number() OVER (ORDER BY id), id, false
    FROM (SELECT DISTINCT id FROM (${ids}) AS given (id) WHERE id NOT IN (SELECT site_id FROM site))`)

/**
 * Gives every session in `sessions` (a query of id, site id and time) a number, in the order of their times. Makes `numbered`, with what the file
 * had of each before and the first of these times (`moment`): to find sessions by their ids means to read all ids, so it is done once.
 */
export const ensureSessions = async (store: Store, sessions: string): Promise<void> => {
  await store.run(`CREATE OR REPLACE TEMP TABLE numbered AS
    SELECT given.session_id, given.site_id, moment, session.created_at, session.session IS NULL AS is_new, coalesce(known, false) AS known,
      coalesce(session.session, (SELECT coalesce(max(session), 0) FROM session)
        + row_number() OVER (PARTITION BY session.session IS NULL ORDER BY moment, given.session_id))::INTEGER AS session
    FROM (
      SELECT id AS session_id, min(moment) AS moment, arg_min(site_id, moment) AS site_id FROM (${sessions}) AS given (id, site_id, moment)
      GROUP BY id
    ) AS given
    LEFT JOIN session ON session.session_id = given.session_id`)
  await store.run(`INSERT INTO session (session, session_id, site, known)
    SELECT session, session_id, (SELECT site FROM site WHERE site.site_id = numbered.site_id), false
    FROM numbered WHERE is_new ORDER BY session`)
}

/** Gives every path of the staged events a number. */
const ensurePaths = (store: Store): Promise<void> =>
  store.run(`INSERT INTO path
    SELECT (SELECT coalesce(max(path), 0) FROM path) + row_number() OVER (), url_path
    FROM (SELECT DISTINCT url_path FROM staged_event WHERE url_path IS NOT NULL) AS given
    WHERE NOT EXISTS (SELECT 1 FROM path WHERE path.text = given.url_path)`)

/** Gives numbers to the sites, sessions and paths of the events in `staged_event`. */
export const ensureKeys = async (store: Store): Promise<void> => {
  await ensurePaths(store)
  await ensureSites(store, "SELECT site_id FROM staged_event")
  await ensureSessions(store, "SELECT session_id, site_id, created_at FROM staged_event")
}

/** The month of a staged event, as in 202603; 0 if it is so far away that it goes into the table of all others. */
const makeMonth = (): string => {
  const now = new Date()
  const bound = (months: number) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months)).toISOString().slice(0, 10)
  return `CASE WHEN staged.created_at >= TIMESTAMP '${bound(-MONTHS_BACK)}' AND staged.created_at < TIMESTAMP '${bound(MONTHS_AHEAD)}'
    THEN year(staged.created_at) * 100 + month(staged.created_at) ELSE 0 END::INTEGER`
}

/**
 * The keys of the staged events: `columns` of `staged`, which has `staged_row` and the channel, and of the `site`, `session` and `path` it is
 * joined with. After `ensureKeys`. Only what the next steps use: copying all columns would take as long as everything else.
 */
export const selectKeys = (
  columns: string
): string => `SELECT site.site, session.session, event_id, channel, path.path, ${makeMonth()} AS month, ${columns}
  FROM (SELECT * FROM ${eventsWithChannel("duckdb", "(SELECT rowid AS staged_row, * FROM staged_event) AS staged")}) AS staged
  JOIN site ON site.site_id = staged.site_id
  JOIN numbered AS session ON session.session_id = staged.session_id
  LEFT JOIN path ON path.text = staged.url_path`

/** Makes `batch`, the keys of the events in `staged_event`, without the events that are in the file already. */
const makeBatch = async (store: Store): Promise<void> => {
  for (const table of store.eventTables) {
    await store.run(`DELETE FROM staged_event WHERE event_id IN (
      SELECT event_id FROM ${table}
      WHERE created_at BETWEEN (SELECT min(created_at) FROM staged_event) AND (SELECT max(created_at) FROM staged_event)
        AND event_id IN (SELECT event_id FROM staged_event)
    )`)
  }
  await ensureKeys(store)
  await store.run(`CREATE OR REPLACE TEMP TABLE batch AS
    ${selectKeys(`staged_row, staged.created_at, event_type, ${KIND} AS kind, ${SAME} AS same`)}`)
}

/** The table of a month, as `makeMonth` names it. */
const tableOf = (month: number): string =>
  month === 0 ? OTHER_EVENTS : `event_${String(month).slice(0, 4)}_${String(month).slice(4)}`

/**
 * Makes `touched`: the sessions of the batch, and those in `more` (a query of site, session, time and id), each with its first and last
 * of these rows.
 */
const makeTouched = (store: Store, more: string | null): Promise<void> =>
  store.run(`CREATE OR REPLACE TEMP TABLE touched AS
    SELECT site, session, first.at AS first_at, first.id AS first_id, last_at FROM (
      SELECT site, session, min({'at': created_at, 'id': event_id}) AS first, max(created_at) AS last_at
      FROM (SELECT site, session, created_at, event_id FROM batch WHERE event_type <> 5${more === null ? "" : ` UNION ALL ${more}`})
      GROUP BY site, session
    )`)

/** Makes `earlier`: the last time of each type and path of the touched sessions, before their first new row. */
const makeEarlier = (store: Store): Promise<void> =>
  store.run(`CREATE OR REPLACE TEMP TABLE earlier AS
    SELECT site, session, event_type, same, max({'at': created_at, 'id': event_id, 'path': path}) AS moment FROM (
      SELECT event.site, event.session, event_type, ${SAME} AS same, path, event.created_at, event.event_id
      FROM event JOIN seen ON event.session = seen.session AND event.site = seen.site
      WHERE event_type <> 5 AND (event.created_at < first_at OR (event.created_at = first_at AND event.event_id < first_id))
    ) GROUP BY site, session, event_type, same`)

/** Makes `later`: the rows of the touched sessions after their first new row, which may get another predecessor. */
const makeLater = async (store: Store): Promise<void> => {
  await store.run(`CREATE OR REPLACE TEMP TABLE later (target VARCHAR, row_number BIGINT, site INTEGER, session INTEGER,
    created_at TIMESTAMP, event_id UUID, event_type TINYINT, same VARCHAR, path INTEGER, prev_same INTEGER, prev_path INTEGER)`)
  const [first] = await store.rows("SELECT strftime(min(first_at), 'event_%Y_%m') FROM seen")
  const firstTable = first?.[0]
  if (firstTable === null || firstTable === undefined) return
  for (const table of store.eventTables) {
    if (table < String(firstTable) && table !== OTHER_EVENTS) continue
    await store.run(`INSERT INTO later
      SELECT '${table}', row.rowid, row.site, row.session, row.created_at, row.event_id, event_type, ${SAME}, path, prev_same, prev_path
      FROM ${table} AS row JOIN seen ON row.session = seen.session AND row.site = seen.site
      WHERE row.created_at >= (SELECT min(first_at) FROM seen) AND event_type <> 5
        AND (row.created_at > first_at OR (row.created_at = first_at AND row.event_id > first_id))`)
  }
}

/**
 * Makes `item`: the new rows, what came before and what comes later, each visitor's in the order of their times. `origin`: null for rows of
 * the batch, '' for earlier ones, and otherwise the table that a later one is in.
 */
const makeItems = (store: Store): Promise<void> =>
  store.run(`CREATE OR REPLACE TEMP TABLE item AS SELECT * FROM (
      SELECT NULL AS origin, rowid AS row_number, site, session, created_at, event_id, event_type, kind, same, path, channel,
        NULL::INTEGER AS was_same, NULL::INTEGER AS was_path
      FROM batch WHERE event_type <> 5
      UNION ALL
      SELECT '', NULL, site, session, moment.at, moment.id, event_type, NULL, same, moment.path, NULL, NULL, NULL FROM earlier
      UNION ALL
      SELECT target, row_number, site, session, created_at, event_id, event_type, NULL, same, path, NULL, prev_same, prev_path FROM later
    ) ORDER BY session, site, created_at, event_id`)

/** The predecessors of the rows of `item`, which is in the order of its visitors and times. */
export const PREDECESSORS = `lag(${BUCKET("created_at")}) OVER (PARTITION BY session, site, event_type, same ORDER BY rowid) AS prev_same,
  CASE WHEN event_type = 1 THEN lag(path) OVER (PARTITION BY session, site, event_type ORDER BY rowid) END AS prev_path`

/** Makes `linked`: the bucket of the previous same row, and of pageviews the path of the previous one, of each new and each later row. */
const makeLinked = (store: Store): Promise<void> =>
  store.run(`CREATE OR REPLACE TEMP TABLE linked AS
    SELECT item.origin, item.row_number, item.was_same, item.was_path, linked.prev_same, linked.prev_path
    FROM item JOIN (SELECT rowid AS n, ${PREDECESSORS} FROM item) AS linked ON linked.n = item.rowid
    WHERE item.origin IS DISTINCT FROM ''`)

const correctLater = async (store: Store): Promise<void> => {
  const changed = "origin IS NOT NULL AND (prev_same IS DISTINCT FROM was_same OR prev_path IS DISTINCT FROM was_path)"
  for (const [table] of await store.rows(`SELECT DISTINCT origin FROM linked WHERE ${changed}`)) {
    await store.run(`UPDATE ${table} SET prev_same = linked.prev_same, prev_path = linked.prev_path FROM (
      SELECT * FROM linked WHERE origin = '${table}' AND ${changed}
    ) AS linked WHERE ${table}.rowid = linked.row_number`)
  }
}

/** Columns of events that are not staged. */
const KEYED: ReadonlySet<string> = new Set(["site", "session", "channel", "path", "prev_same", "prev_path"])

/**
 * Adds the staged events with what `keyed` has of them, in the same order. Rows are put together by their positions: a join takes half as long
 * again.
 */
export const insertKeyed = async (store: Store): Promise<void> => {
  const difference = await store.number("SELECT (SELECT count(*) FROM staged_event) - (SELECT count(*) FROM keyed)")
  if (difference !== 0) throw new Error(`${difference} of the new events have no keys`)
  const columns = EVENT_COLUMNS.map((name) => {
    if (name === "bucket") return visitBucket("staged.created_at")
    return KEYED.has(name) ? `keyed.${name}` : `staged.${name}`
  })
  for (const [month] of await store.rows("SELECT DISTINCT month FROM keyed ORDER BY month")) {
    const table = tableOf(Number(month))
    await store.ensureMonth(table)
    await store.run(`INSERT INTO ${table} SELECT ${columns.join(", ")}
      FROM staged_event AS staged POSITIONAL JOIN keyed WHERE keyed.month = ${Number(month)}`)
  }
}

const insertBatch = async (store: Store): Promise<void> => {
  await store.run(`CREATE OR REPLACE TEMP TABLE keyed AS
    SELECT month, site, session, channel, path, linked.prev_same, linked.prev_path
    FROM batch LEFT JOIN (SELECT * FROM linked WHERE origin IS NULL) AS linked ON linked.row_number = batch.rowid
    ORDER BY staged_row`)
  await insertKeyed(store)
}

const SOURCE_FIELDS = SOURCE_COLUMNS.map((name) => `'${name}': ${name}`).join(", ")

/** A row as a visit of its own, which merges with others. */
const ROW_AS_VISIT = `site, session, created_at AS started_at, created_at AS ended_at, event_id AS first_event_id,
  (${KIND} = 1)::INTEGER AS views, (${KIND} = 1 AND event_type <> 1)::INTEGER AS other_views, (event_type = 2)::INTEGER AS events, 1 AS "rows", channel,
  CASE WHEN ${KIND} = 1 THEN {'at': created_at, 'id': event_id, 'path': url_path} END AS entry,
  CASE WHEN ${KIND} = 1 THEN {'at': created_at, 'id': event_id, 'path': url_path} END AS exit,
  CASE WHEN ${HAS_SOURCE} THEN {'at': created_at, 'id': event_id, 'channel': channel, ${SOURCE_FIELDS}} END AS source`

const FIRST_ENTRY = "(min(entry) FILTER (WHERE entry IS NOT NULL))"
const LAST_EXIT = "(max(exit) FILTER (WHERE exit IS NOT NULL))"
const FIRST_SOURCE = "(min(source) FILTER (WHERE source IS NOT NULL))"

/** The visits that items (rows or visits) make together. */
const mergedVisits = (items: string): string => `
  SELECT site, session, (min({'at': started_at, 'id': first_event_id})).id AS first_event_id, min(started_at) AS started_at,
    max(ended_at) AS ended_at, ${visitBucket("min(started_at)")} AS start_bucket, ${visitBucket("max(ended_at)")} AS end_bucket, sum(views)::INTEGER AS views, sum(other_views)::INTEGER AS other_views, sum(events)::INTEGER AS events, sum("rows")::INTEGER AS "rows",
    ${FIRST_ENTRY}.path AS entry_path, ${FIRST_ENTRY}.at AS entry_at, ${FIRST_ENTRY}.id AS entry_id,
    ${LAST_EXIT}.path AS exit_path, ${LAST_EXIT}.at AS exit_at, ${LAST_EXIT}.id AS exit_id,
    ${FIRST_SOURCE}.at AS source_at, ${FIRST_SOURCE}.id AS source_id, ${channelOf(`${FIRST_SOURCE}.channel`)} AS channel,
    ${SOURCE_COLUMNS.map((name) => `${FIRST_SOURCE}.${name} AS ${name}`).join(", ")}
  FROM (
    SELECT *, sum(begins) OVER (PARTITION BY site, session ORDER BY started_at, first_event_id ROWS UNBOUNDED PRECEDING) AS number
    FROM (
      SELECT *, (started_at > coalesce(max(ended_at) OVER (
        PARTITION BY site, session ORDER BY started_at, first_event_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ), started_at) + ${GAP})::INTEGER AS begins
      FROM (${items})
    )
  )
  GROUP BY site, session, number`

/** The value of a column in the first or last of the numbered rows. */
const atFirst = (column: string, where = "TRUE"): string => `arg_min(${column}, n) FILTER (WHERE ${where})`
const atLast = (column: string, where = "TRUE"): string => `arg_max(${column}, n) FILTER (WHERE ${where})`

/**
 * The visits that rows make without others, each with the number of the row that says how it came about (`source_row`) instead of what that row
 * says. `items`: rows of a table that is in the order of their visitors and times, which `n` numbers. Without ORDER BY, the windows take the rows
 * as they come, and keep none.
 */
export const visitsOf = (items: string): string => `
      SELECT any_value(site) AS site, any_value(session) AS session, ${atFirst("event_id")} AS first_event_id, min(created_at) AS started_at,
        max(created_at) AS ended_at, ${visitBucket("min(created_at)")} AS start_bucket, ${visitBucket("max(created_at)")} AS end_bucket,
        (count(*) FILTER (WHERE kind = 1))::INTEGER AS views,
        (count(*) FILTER (WHERE kind = 1 AND event_type <> 1))::INTEGER AS other_views, (count(*) FILTER (WHERE kind = 2))::INTEGER AS events, count(*)::INTEGER AS "rows",
        ${atFirst("same", "kind = 1")} AS entry_path, min(created_at) FILTER (WHERE kind = 1) AS entry_at, ${atFirst("event_id", "kind = 1")} AS entry_id,
        ${atLast("same", "kind = 1")} AS exit_path, max(created_at) FILTER (WHERE kind = 1) AS exit_at, ${atLast("event_id", "kind = 1")} AS exit_id,
        min(created_at) FILTER (WHERE ${HAS_SOURCE}) AS source_at, ${atFirst("event_id", HAS_SOURCE)} AS source_id,
        ${atFirst("row_number", HAS_SOURCE)} AS source_row, ${channelOf(atFirst("channel", HAS_SOURCE))} AS channel
      FROM (
        SELECT *, sum(begins) OVER (ROWS UNBOUNDED PRECEDING) AS number
        FROM (
          SELECT *, (
            lag(session) OVER () IS DISTINCT FROM session OR lag(site) OVER () <> site
            OR created_at - lag(created_at) OVER () > ${GAP}
          )::INTEGER AS begins
          FROM (${items})
        )
      )
      GROUP BY number`

/** Makes `own`: the visits that the batch's rows make without others. */
const makeOwnVisits = (store: Store): Promise<void> =>
  store.run(`CREATE OR REPLACE TEMP TABLE own AS
    SELECT visit.* EXCLUDE (source_row), ${SOURCE_COLUMNS.map((name) => `source.${name}`).join(", ")}
    FROM (${visitsOf("SELECT rowid AS n, * FROM item WHERE origin IS NULL")}) AS visit
    LEFT JOIN batch ON batch.rowid = source_row
    LEFT JOIN staged_event AS source ON source.rowid = batch.staged_row`)

/** Visits as items of `mergedVisits`. */
const visitsAsItems = (
  from: string
): string => `SELECT site, session, started_at, ended_at, first_event_id, views, other_views, events, "rows", channel,
  CASE WHEN entry_at IS NOT NULL THEN {'at': entry_at, 'id': entry_id, 'path': entry_path} END AS entry,
  CASE WHEN exit_at IS NOT NULL THEN {'at': exit_at, 'id': exit_id, 'path': exit_path} END AS exit,
  CASE WHEN source_at IS NOT NULL THEN {'at': source_at, 'id': source_id, 'channel': channel, ${SOURCE_FIELDS}} END AS source FROM ${from}`

/** Adds the batch to the visits: those that it touches are replaced by what they make together. */
const mergeVisits = async (store: Store): Promise<void> => {
  await makeOwnVisits(store)
  await store.run(`CREATE OR REPLACE TEMP TABLE near AS
    SELECT visit.*, visit.rowid AS row_number FROM visit JOIN seen ON visit.session = seen.session AND visit.site = seen.site
    WHERE visit.started_at <= seen.last_at + ${GAP} AND visit.ended_at >= seen.first_at - ${GAP}`)
  const hasNear = (join: string) => `own ${join} JOIN near ON near.session = own.session AND near.site = own.site`
  await store.run("DELETE FROM visit WHERE rowid IN (SELECT row_number FROM near)")
  await store.run(`INSERT INTO visit BY NAME SELECT * FROM ${hasNear("ANTI")}`)
  const merging = `${visitsAsItems("near")} UNION ALL ${visitsAsItems(`(SELECT * FROM ${hasNear("SEMI")})`)}`
  await store.run(`INSERT INTO visit BY NAME ${mergedVisits(merging)}`)
}

/** Makes the visits of the touched sessions from their rows again, after rows were deleted. */
const remakeVisits = async (store: Store): Promise<void> => {
  await store.run(
    "DELETE FROM visit WHERE EXISTS (SELECT 1 FROM touched WHERE touched.session = visit.session AND touched.site = visit.site)"
  )
  const rows = `SELECT event.* FROM event SEMI JOIN touched ON touched.session = event.session AND touched.site = event.site`
  await store.run(
    `INSERT INTO visit BY NAME ${mergedVisits(`SELECT ${ROW_AS_VISIT} FROM (${rows}) WHERE event_type <> 5`)}`
  )
}

/** What visits store about those before: `[column, columns that both share]`. */
const LINKS: ReadonlyArray<readonly [string, string]> = [
  ["prev_ended_at", ""],
  ...REPEATED.map((name) => [PREVIOUS_SAME[name], `, ${name}`] as const)
]

/** When the visits before ended, of rows with a `visitor`; as columns whose names begin with `prefix`. */
export const previousVisits = (prefix = ""): string =>
  LINKS.map(
    ([column, shared]) => `lag(ended_at) OVER (PARTITION BY visitor${shared} ORDER BY ended_at) AS ${prefix}${column}`
  ).join(", ")

/**
 * When the visits before ended in each hour of the week in which a visit is present (`befores`), of rows with a `number` and a `visitor`. A visit has
 * rows in every hour between its first and its last row: its gaps are shorter.
 */
export const previousInHours = (visits: string): string => `SELECT number, list(before ORDER BY hour) AS befores FROM (
    SELECT number, hour, lag(ended_at) OVER (PARTITION BY visitor, ${hourOfWeek("hour")} ORDER BY ended_at) AS before
    FROM (SELECT number, visitor, ended_at, unnest(${hoursFrom(hourOf("start_bucket"))}) AS hour FROM ${visits})
  ) GROUP BY number`
/** The first of these is that of the hour in which the visit starts. */
export const LATER_BEFORES = "CASE WHEN list_count(befores[2:]) > 0 THEN befores[2:] END"

/** The visitor of a visit, as one number. */
export const VISITOR = (visit: string): string => `${visit}.session::BIGINT << 31 | ${visit}.site AS visitor`

/** Notes in the visits of the touched sessions when the visits before ended. A session's only visit has none before. */
const linkVisits = async (store: Store): Promise<void> => {
  await store.run(`CREATE OR REPLACE TEMP TABLE sequence AS
    SELECT visit.rowid AS number, ${VISITOR("visit")}, start_bucket, end_bucket, ended_at, ${REPEATED.join(", ")}
    FROM visit JOIN (
      SELECT site, session FROM visit SEMI JOIN touched ON touched.session = visit.session AND touched.site = visit.site
      GROUP BY site, session HAVING count(*) > 1 OR bool_or(prev_ended_at IS NOT NULL)
    ) AS several ON several.session = visit.session AND several.site = visit.site`)
  const columns = [...LINKS.map(([column]) => column), PREVIOUS_IN_HOUR]
  await store.run(`CREATE OR REPLACE TEMP TABLE relinked AS
    SELECT link.*, new_${PREVIOUS_IN_HOUR}, new_${PREVIOUS_IN_LATER_HOURS}
    FROM (SELECT number, ${previousVisits("new_")} FROM sequence) AS link
    JOIN (
      SELECT number, befores[1] AS new_${PREVIOUS_IN_HOUR}, ${LATER_BEFORES} AS new_${PREVIOUS_IN_LATER_HOURS}
      FROM (${previousInHours("sequence")})
    ) AS hours ON hours.number = link.number
    JOIN visit ON visit.rowid = link.number
    WHERE ${[...columns, PREVIOUS_IN_LATER_HOURS].map((column) => `new_${column} IS DISTINCT FROM ${column}`).join(" OR ")}`)
  await store.run(`UPDATE visit SET ${columns.map((column) => `${column} = new_${column}`).join(", ")}
    FROM relinked WHERE visit.rowid = relinked.number`)
  // A row whose list changes moves to the end of the table, so this comes last, and only for those.
  await store.run(`UPDATE visit SET ${PREVIOUS_IN_LATER_HOURS} = new_${PREVIOUS_IN_LATER_HOURS} FROM relinked
    WHERE visit.rowid = relinked.number AND new_${PREVIOUS_IN_LATER_HOURS} IS DISTINCT FROM ${PREVIOUS_IN_LATER_HOURS}`)
}

/** Adds the staged properties of the events in `keys`. */
export const insertData = (store: Store, keys: "batch" | "keyed"): Promise<void> =>
  store.run(`INSERT INTO event_data SELECT keys.event_id, keys.site, keys.session, data.event_name, data.created_at, data_key,
    string_value, number_value, date_value, data_type
    FROM staged_event_data AS data JOIN ${keys} AS keys ON keys.event_id = data.event_id`)

/** Notes in their visits what is known of visitors. `sessions`: a query of their numbers. */
export const describeVisits = (store: Store, sessions: string): Promise<void> => {
  const stored = OF_VISITOR.map(([column]) => `visit.${column}`).join(", ")
  const known = OF_VISITOR.map(([, column]) => `visitor.${column}`).join(", ")
  return store.run(`UPDATE visit SET ${OF_VISITOR.map(([column, of]) => `${column} = visitor.${of}`).join(", ")}
    FROM (SELECT * FROM session WHERE session IN (${sessions})) AS visitor
    WHERE visit.session = visitor.session AND visit.site = visitor.site AND ROW(${stored}) IS DISTINCT FROM ROW(${known})`)
}

/**
 * Adds the batch and its properties (`staged_event_data`). `removed` is a query of the site, session, time and id of rows that were deleted
 * before. Within a transaction.
 */
export const applyBatch = async (store: Store, removed: string | null = null): Promise<number> => {
  await makeBatch(store)
  await makeTouched(store, removed)
  // Only sessions with a visit have rows already.
  await store.run(`CREATE OR REPLACE TEMP TABLE seen AS SELECT * FROM touched
    SEMI JOIN ${removed === null ? "visit" : `(SELECT site, session FROM event)`} AS known ON known.session = touched.session AND known.site = touched.site`)
  await makeEarlier(store)
  await makeLater(store)
  await makeItems(store)
  await makeLinked(store)
  await correctLater(store)
  if (removed === null) await mergeVisits(store)
  await insertBatch(store)
  if (removed !== null) await remakeVisits(store)
  await linkVisits(store)
  await describeVisits(store, "SELECT session FROM touched")
  await insertData(store, "batch")
  return store.number("SELECT count(*) FROM batch")
}

/** Replaces what is known of the sessions in `staged_session`. Within a transaction. */
export const applySessions = async (store: Store): Promise<void> => {
  await ensureSites(store, "SELECT site_id FROM staged_session")
  await ensureSessions(store, "SELECT session_id, site_id, created_at FROM staged_session")
  const fields = SESSION_FIELDS.map(({ name }) => `staged.${name}`).join(", ")
  const given = `SELECT numbered.session, staged.session_id, site.site, true AS known, ${fields}
    FROM staged_session AS staged JOIN numbered ON numbered.session_id = staged.session_id JOIN site ON site.site_id = staged.site_id`
  // Most are new. To compare the others means to read all columns of many.
  await store.run(`CREATE OR REPLACE TEMP TABLE replaced AS ${given} WHERE NOT numbered.known
    UNION ALL
    ${given} JOIN session ON session.session = numbered.session
    WHERE numbered.known AND ROW(session.site, ${SESSION_FIELDS.map(({ name }) => `session.${name}`).join(", ")})
      IS DISTINCT FROM ROW(site.site, ${fields})`)
  await store.run("DELETE FROM session WHERE session IN (SELECT session FROM replaced)")
  await store.run("INSERT INTO session SELECT * FROM replaced ORDER BY session")
  await describeVisits(store, "SELECT session FROM replaced")
}

/** Replaces the attributes of the sessions whose ids are in `ids` (a query of one column) by `staged_session_data`. */
export const applySessionData = async (store: Store, ids: string): Promise<void> => {
  await ensureSites(store, "SELECT site_id FROM staged_session_data")
  await ensureSessions(store, "SELECT session_id, site_id, created_at FROM staged_session_data")
  await store.run(
    `DELETE FROM session_data WHERE session IN (SELECT session FROM session WHERE session_id IN (SELECT * FROM (${ids})))`
  )
  await store.run(`INSERT INTO session_data
    SELECT numbered.session, site.site, data.created_at, data_key, string_value, number_value, date_value, data_type
    FROM staged_session_data AS data JOIN numbered ON numbered.session_id = data.session_id JOIN site ON site.site_id = data.site_id`)
}

/** Replaces the sites that are known by `staged_site`, which has all of them. */
export const applySites = async (store: Store): Promise<void> => {
  await ensureSites(store, "SELECT site_id FROM staged_site")
  const fields = SITE_FIELDS.map(({ name }) => `staged.${name}`).join(", ")
  await store.run(`CREATE OR REPLACE TEMP TABLE replaced AS
    SELECT site.site, site.site_id, staged.site_id IS NOT NULL, ${fields}
    FROM site LEFT JOIN staged_site AS staged ON staged.site_id = site.site_id`)
  await store.run("DELETE FROM site")
  await store.run("INSERT INTO site SELECT * FROM replaced ORDER BY site")
}
