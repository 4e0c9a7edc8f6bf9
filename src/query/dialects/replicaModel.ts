import { VISIT_GAP_SECONDS } from "../../domain/Event.ts"
import {
  PREVIOUS_IN_HOUR,
  PREVIOUS_IN_LATER_HOURS,
  PREVIOUS_SAME,
  REPEATED,
  type Repeated
} from "../../domain/repeatedVisits.ts"
import {
  BUCKETS,
  DAYS_TO_1970,
  hourOf,
  hourOfWeek,
  hoursFrom,
  startOfHour,
  VISIT_BUCKET_SECONDS,
  visitBucket
} from "../../domain/visitBuckets.ts"
import { OF_VISITOR, VISITOR_COLUMNS } from "../../domain/visitorColumns.ts"
import { channelOf, HAS_SOURCE, SOURCE_COLUMNS } from "../channel/visitChannel.ts"
import type { ViewName } from "../metadata/views.ts"
import type {
  Offsets,
  Presence,
  Relation,
  RowScope,
  Source,
  TimeRange,
  TruncationUnit,
  WeekStart
} from "../plan/plan.ts"
import { isByInstant } from "../plan/time.ts"
import type { Key, Model, TimePart } from "./Dialect.ts"
import { DUCKDB } from "./duckdb.ts"
import { allOf, bound, join, type Sql, sql, text } from "./Sql.ts"
import { CUSTOM_EVENTS, FIRST_OF_HOUR, firstOf, IS_BOUNCE, IS_VIEW, PAGEVIEWS } from "./visitRows.ts"

/** The replica's tables hold small numbers in place of the ids of sites and visitors; see docs/replica.md. */
const TABLES: Readonly<Record<Exclude<ViewName, "v_pa_user_flows" | "v_pa_visits">, string>> = {
  v_pa_sites: "site",
  v_pa_sessions: "session",
  v_pa_events: "event",
  v_pa_event_data: "event_data",
  v_pa_session_data: "session_data"
}

const DAY_SECONDS = 86_400
const DAY_MS = DAY_SECONDS * 1_000

/** The first beginning of a day (UTC) that is not before a time. */
const nextDay = (time: string): string => {
  const { epochMilliseconds, epochNanoseconds } = Temporal.Instant.from(time)
  const days = Math.floor(epochMilliseconds / DAY_MS)
  const isBeginning = epochNanoseconds === BigInt(days) * BigInt(DAY_MS) * 1_000_000n
  return new Date((isBeginning ? days : days + 1) * DAY_MS).toISOString()
}

/** Rows of days in a range, by their own time: computing the day of each takes a tenth of the time of user flows. */
const onDaysOf = ({ from, until }: TimeRange): Sql => {
  const start = from === null ? text("") : sql` AND created_at >= ${DUCKDB.value("instant", nextDay(from))}`
  const end = until === null ? text("") : sql` AND created_at < ${DUCKDB.value("instant", nextDay(until))}`
  return sql`${start}${end}`
}

/** A visitor's first views of pages, by the page before. Numbering the steps takes most of the time, then counting them by day. */
const flows = (used: ReadonlySet<string>, { range, sites }: RowScope): Sql => {
  const ofSites = sites === null ? text("") : sql` AND ${isOneOf("site", "site", sites)}`
  const views = (columns: string): Sql =>
    sql`SELECT ${columns} FROM event WHERE event_type = 1 AND prev_same IS NULL AND prev_path IS NOT NULL${ofSites}`
  const day = "CAST(CAST(created_at AS DATE) AS TIMESTAMP) AS day"
  const pages = "prev_path AS source, path AS target"
  // Steps are numbered over all days.
  if (used.has("step")) {
    const number = "row_number() OVER (PARTITION BY site, session ORDER BY created_at, event_id) AS step"
    return sql`SELECT site, ${day}, step, source, target, count(*) AS value FROM (
${views(`site, created_at, ${pages}, ${number}`)}) WHERE TRUE${onDaysOf(range)} GROUP BY ALL`
  }
  const shown = sql`${views(`site, ${day}, ${pages}, 1 AS value`)}${onDaysOf(range)}`
  if (used.has("unsummed")) return shown
  return sql`SELECT site, day, source, target, count(*) AS value FROM (${shown}) GROUP BY ALL`
}

/** Rows that stand only for an id that occurs elsewhere are not the view's. */
const KNOWN: ReadonlyArray<ViewName> = ["v_pa_sites", "v_pa_sessions"]

const siteOf = (alias: string) => `(SELECT one.site_id FROM site AS one WHERE one.site = ${alias}.site)`
const sessionOf = (alias: string) => `(SELECT one.session_id FROM session AS one WHERE one.session = ${alias}.session)`
const pathText = (number: string) => `(SELECT one.text FROM path AS one WHERE one.path = ${number})`
const pathOf = (column: string) => (alias: string) => pathText(`${alias}.${column}`)

/** Whether no other pageview of the stored visit comes before or after an event of this range. */
const isEnd = (operator: "<" | ">", { from, until }: TimeRange): Sql => {
  const isFirst = operator === "<"
  const day = "INTERVAL 24 HOUR"
  const start = from === null ? text("") : sql` AND other.created_at >= ${DUCKDB.value("instant", from)} - ${day}`
  const end = until === null ? text("") : sql` AND other.created_at < ${DUCKDB.value("instant", until)} + ${day}`
  return sql`(event.event_type = 1 AND NOT EXISTS (SELECT 1 FROM event AS other WHERE other.session = event.session AND other.visit_id = event.visit_id AND other.event_type = 1 AND other.created_at ${operator}= event.created_at AND other.created_at ${isFirst ? ">" : "<"}= event.created_at ${isFirst ? "-" : "+"} ${day} AND (other.created_at ${operator} event.created_at OR other.event_id ${operator} event.event_id)${start}${end}))`
}

/** Columns that are looked up for each row of a range: once, where the row is read, and only if a question uses them. */
const LOOKED_UP: Readonly<Partial<Record<ViewName, Readonly<Record<string, (range: TimeRange) => Sql>>>>> = {
  v_pa_sessions: {
    last_seen_at: () =>
      text(
        "coalesce((SELECT max(event.created_at) FROM event WHERE event.session = session.session), session.created_at)"
      )
  },
  v_pa_events: { is_entry: (range) => isEnd("<", range), is_exit: (range) => isEnd(">", range) }
}

const lookedUp = (view: ViewName, used: ReadonlySet<string>, { range }: RowScope): Sql =>
  join(
    Object.entries(LOOKED_UP[view] ?? {}).map(([name, of]) =>
      used.has(name) ? sql`, ${of(range)} AS ${name}` : text("")
    ),
    ""
  )

type Mapping = Readonly<Record<string, (alias: string) => string>>

/** Columns that are not stored under their own name. */
const COLUMNS: Readonly<Record<ViewName, Mapping>> = {
  v_pa_sites: { id: (alias) => `${alias}.site_id`, uuid: (alias) => `${alias}.site_id` },
  v_pa_sessions: {
    id: (alias) => `${alias}.session_id`,
    session_uuid: (alias) => `${alias}.session_id`,
    site_id: siteOf,
    subdivision1: (alias) => `${alias}.region`
  },
  v_pa_events: {
    id: (alias) => `${alias}.event_id`,
    site_id: siteOf,
    session_id: sessionOf,
    prev_same_or_none: (alias) => `coalesce(${alias}.prev_same, -1)`
  },
  v_pa_event_data: {
    id: (alias) => `CAST(md5(CAST(${alias}.event_id AS VARCHAR) || ${alias}.data_key) AS UUID)`,
    site_id: siteOf,
    session_id: sessionOf
  },
  v_pa_session_data: {
    id: (alias) => `CAST(md5(CAST(${sessionOf(alias)} AS VARCHAR) || ${alias}.data_key) AS UUID)`,
    site_id: siteOf,
    session_id: sessionOf,
    distinct_id: (alias) => `(SELECT one.distinct_id FROM session AS one WHERE one.session = ${alias}.session)`
  },
  v_pa_visits: { site_id: siteOf, session_id: sessionOf },
  v_pa_user_flows: { site_id: siteOf, source: pathOf("source"), target: pathOf("target") }
}

/** The numbers of paths. Grouping by these takes half as long as by the paths. */
const PATHS: Readonly<Partial<Record<ViewName, Readonly<Record<string, string>>>>> = {
  v_pa_events: { url_path: "path" },
  v_pa_user_flows: { source: "source", target: "target" }
}

const KEYS: Readonly<Record<ViewName, Readonly<Record<string, "site" | "session">>>> = {
  v_pa_sites: { id: "site", uuid: "site" },
  v_pa_sessions: { id: "session", session_uuid: "session", site_id: "site" },
  v_pa_events: { session_id: "session", site_id: "site" },
  v_pa_event_data: { session_id: "session", site_id: "site" },
  v_pa_session_data: { session_id: "session", site_id: "site" },
  v_pa_visits: { session_id: "session", site_id: "site" },
  v_pa_user_flows: { site_id: "site" }
}

const viewOfSource = (source: Source): ViewName | null => {
  if (source.kind === "view") return source.view
  return source.kind === "visits" ? "v_pa_visits" : null
}

const keyName = ({ source }: Relation, column: string): "site" | "session" | null => {
  if (source.kind === "property") return source.of === "session" && column === "session_id" ? "session" : null
  const view = viewOfSource(source)
  return view === null ? null : (KEYS[view][column] ?? null)
}

/** Whether a column has the number of one of these ids. That of a single site is known before the query runs: a join takes 8 ns for each row. */
const isOneOf = (column: string, of: "site" | "session", ids: ReadonlyArray<string>): Sql => {
  if (ids.length === 0) return text("FALSE")
  if (ids.length === 1 && of === "site") return sql`${column} = ${bound({ type: "site", value: ids[0]! })}`
  return sql`${column} IN (SELECT ${of} FROM ${of} WHERE ${DUCKDB.isOneOf(text(`${of}_id`), "uuid", ids)})`
}

const scoped = ({ range, sites }: RowScope, time: string | null, prefix = ""): Sql => {
  const conditions: Array<Sql> = []
  if (sites !== null) conditions.push(isOneOf(`${prefix}site`, "site", sites))
  if (time !== null && range.from !== null) {
    conditions.push(sql`${prefix}${time} >= ${DUCKDB.value("instant", range.from)}`)
  }
  if (time !== null && range.until !== null) {
    conditions.push(sql`${prefix}${time} < ${DUCKDB.value("instant", range.until)}`)
  }
  return allOf(conditions)
}

const TIMES: Readonly<Partial<Record<ViewName, string>>> = {
  v_pa_sessions: "created_at",
  v_pa_events: "created_at",
  v_pa_event_data: "created_at"
}

const property = ({ key, of, scope }: Extract<Source, { readonly kind: "property" }>): Sql => {
  const name = DUCKDB.value("text", key)
  return of === "session"
    ? sql`SELECT session, string_value, number_value, date_value FROM session_data WHERE ${scoped(scope, null)} AND data_key = ${name}`
    : sql`SELECT event_id, created_at, string_value, number_value, date_value FROM event_data WHERE ${scoped(scope, "created_at")} AND data_key = ${name}`
}

const BY_TIME = "{'at': created_at, 'id': event_id}"
/** The value of the first row, also if it is null: `arg_min` skips nulls. */
const first = (column: string, where: string): string =>
  `arg_min({'value': ${column}}, ${BY_TIME}) FILTER (WHERE ${where}).value`

const STORED_OF_VISITOR = OF_VISITOR.map(([column]) => column)

/** Columns of visits from their rows. */
const FROM_ROWS: Readonly<Record<string, string>> = {
  id: `arg_min(event_id, ${BY_TIME})`,
  pageviews: PAGEVIEWS,
  events: CUSTOM_EVENTS,
  duration_s: "(epoch_us(max(created_at)) - epoch_us(min(created_at))) // 1000000",
  entry_path: `arg_min(url_path, ${BY_TIME}) FILTER (WHERE ${IS_VIEW})`,
  exit_path: `arg_max(url_path, ${BY_TIME}) FILTER (WHERE ${IS_VIEW})`,
  has_pageviews_only: `(count(*) FILTER (WHERE ${IS_VIEW} AND event_type <> 1) = 0)`,
  prev_ended_at: "any_value(prev_ended_at)",
  channel: channelOf(`arg_min(channel, ${BY_TIME}) FILTER (WHERE ${HAS_SOURCE})`),
  ...Object.fromEntries(SOURCE_COLUMNS.map((name) => [name, `(${first(name, HAS_SOURCE)})`])),
  ...Object.fromEntries(STORED_OF_VISITOR.map((name) => [name, `any_value(${name})`]))
}

/** The same columns from the table of visits. */
const FROM_TABLE: Readonly<Record<string, string>> = {
  id: "first_event_id",
  pageviews: "views",
  events: "events",
  duration_s: "(epoch_us(ended_at) - epoch_us(started_at)) // 1000000",
  entry_path: "entry_path",
  exit_path: "exit_path",
  has_pageviews_only: "(other_views = 0)",
  prev_ended_at: "prev_ended_at",
  is_bounce: "(views = 1 AND events = 0)",
  ...Object.fromEntries(["channel", ...SOURCE_COLUMNS, ...STORED_OF_VISITOR].map((name) => [name, name]))
}

type Visits = Extract<Source, { readonly kind: "visits" }>

const derived = (used: ReadonlySet<string>): ReadonlyArray<string> => [
  ...Object.keys(FROM_ROWS).filter((name) => used.has(name)),
  ...(used.has("is_bounce") ? ["is_bounce"] : [])
]

const fromRows = ({ compat, used }: Visits): string =>
  [
    "min(event.created_at) AS started_at",
    "max(event.created_at) AS ended_at",
    ...derived(used).map((name) => `${name === "is_bounce" ? IS_BOUNCE[compat] : FROM_ROWS[name]} AS ${name}`)
  ].join(", ")

/** The conditions of visits that a bound of the range cuts: what is left of each is one visit, since its gaps stay short. */
const cutBy = ({ from, until }: RowScope["range"]): ReadonlyArray<Sql> => {
  const cut = (at: string): Sql =>
    sql`started_at < ${DUCKDB.value("instant", at)} AND ended_at >= ${DUCKDB.value("instant", at)}`
  return [
    ...(from === null ? [] : [cut(from)]),
    ...(until === null
      ? []
      : [from === null ? cut(until) : sql`started_at >= ${DUCKDB.value("instant", from)} AND ${cut(until)}`])
  ]
}

/** Stored visits that may have an event in a part of the range. Web vitals come up to a gap after the visit's last row. */
const mayBeIn = (part: TimeRange | null): ReadonlyArray<Sql> => [
  ...(part?.from == null
    ? []
    : [sql`ended_at >= ${DUCKDB.value("instant", part.from)} - INTERVAL ${VISIT_GAP_SECONDS} SECOND`]),
  ...(part?.until == null ? [] : [sql`started_at < ${DUCKDB.value("instant", part.until)}`])
]

/** The column that visitors are counted by, if there is one. */
const repeated = (used: ReadonlySet<string>): Repeated | null =>
  REPEATED.find((name) => used.has(firstOf(name))) ?? null

/** What questions ask about the visitor and the visits before, which rows do not know. */
const carried = (used: ReadonlySet<string>): ReadonlyArray<string> => {
  const name = repeated(used)
  return [
    ...["prev_ended_at", ...STORED_OF_VISITOR].filter((column) => used.has(column)),
    ...(name === null ? [] : [PREVIOUS_SAME[name]])
  ]
}

/** Stored visits of the sites: those that meet any of these conditions, of which each meets only one, so that DuckDB skips what cannot. */
const storedVisits = (columns: string, { sites }: RowScope, which: ReadonlyArray<Sql>): Sql =>
  which.length === 0
    ? text(`SELECT ${columns} FROM visit WHERE FALSE`)
    : join(
        which.map(
          (one) =>
            sql`SELECT ${columns} FROM visit WHERE ${scoped({ sites, range: { from: null, until: null } }, null)} AND ${one}`
        ),
        " UNION ALL "
      )

/**
 * The stored visits of the sites whose rows lie between two bounds, as what their rows are joined with. The visits may be all over the range,
 * but their buckets are few: DuckDB skips the rows of others, since rows of the same bucket are next to each other. Without the buckets, it
 * overestimates the number of visits, and may put all events of the range into a hash table: two seconds of CPU for ten million.
 */
const joinedVisits = ({ scope, used }: Visits, which: ReadonlyArray<Sql>): Sql => {
  const columns = ["site, session, started_at AS visit_start, ended_at AS visit_end", ...carried(used)].join(", ")
  return sql`(${storedVisits(columns, scope, which)}) AS visit
JOIN event ON event.session = visit.session AND event.site = visit.site AND event.created_at BETWEEN visit.visit_start AND visit.visit_end
WHERE ${scoped({ sites: null, range: scope.range }, "created_at", "event.")} AND event.event_type <> 5
AND event.bucket IN (SELECT unnest(range(start_bucket, end_bucket + 1))::INTEGER FROM (${storedVisits("start_bucket, end_bucket", scope, which)}))`
}

/** Visits computed from their rows within the range. */
const regrouped = (source: Visits, which: ReadonlyArray<Sql>): Sql =>
  sql`SELECT visit.site, visit.session, ${fromRows(source)}
FROM ${joinedVisits(source, which)}
GROUP BY visit.site, visit.session, visit.visit_start`

const SPAN = ["started_at", "ended_at"]

/** Columns of `visit` and the visits that the range does not cut. */
const wholeVisits = ({ part, scope, used }: Visits) => {
  const { until } = scope.range
  return {
    list: ["site", "session", ...SPAN, ...derived(used).map((name) => `${FROM_TABLE[name]} AS ${name}`)].join(", "),
    where: allOf([
      scoped(scope, "started_at"),
      ...(until === null ? [] : [sql`ended_at < ${DUCKDB.value("instant", until)}`]),
      ...mayBeIn(part)
    ])
  }
}

/** Sessions with a visit that the range cuts: which of their visits is the first of its kind is not stored. */
const cutSessions = ({ scope }: Visits): Sql => sql`session IN (${storedVisits("session", scope, cutBy(scope.range))})`

/** Whether a time, or null for none, is before the range. */
const isBefore = (time: string, { from }: TimeRange): Sql =>
  from === null
    ? text(`${time} IS NULL`)
    : sql`coalesce(${time}, TIMESTAMP '-infinity') < ${DUCKDB.value("instant", from)}`

/** Whether a visit is the first of its kind, as stored; see `firstOf`. */
const isFirst = ({ presence, scope }: Visits, name: Repeated, presentAt: string): Sql => {
  const before = PREVIOUS_SAME[name]
  const start = isBefore(before, scope.range)
  const unit = presence === null ? text("") : sql` OR ${unitOf(before, presence)} <> ${unitOf(presentAt, presence)}`
  return sql`(${start}${unit})`
}

const strictVisits = (source: Visits): Sql => {
  const { list, where } = wholeVisits(source)
  const needed = mayBeIn(source.part)
  const cut = cutBy(source.scope.range).map((one) => allOf([one, ...needed]))
  const name = repeated(source.used)
  if (name === null) {
    const complete = sql`SELECT ${list} FROM visit WHERE ${where}`
    return cut.length === 0 ? complete : sql`${complete} UNION ALL BY NAME (${regrouped(source, cut)})`
  }
  const first = sql`${isFirst(source, name, "started_at")} AS ${firstOf(name)}`
  if (cut.length === 0) return sql`SELECT ${list}, ${first} FROM visit WHERE ${where}`
  return sql`SELECT ${list}, ${first} FROM visit WHERE ${where} AND NOT ${cutSessions(source)}
UNION ALL BY NAME (
SELECT *, row_number() OVER (PARTITION BY site, session, ${name} ORDER BY started_at) = 1 AS ${firstOf(name)}
FROM (SELECT ${list} FROM visit WHERE ${where} AND ${cutSessions(source)} UNION ALL BY NAME (${regrouped(source, cut)})))`
}

/** How far a time is from UTC, in units of so many seconds. */
const offsetAt = (time: string, offsets: Offsets, length = 1): Sql => {
  const branches = offsets.flatMap(({ seconds, until }) =>
    until === null ? [] : [sql`WHEN ${time} < ${DUCKDB.value("instant", until)} THEN ${String(seconds / length)} `]
  )
  const last = String(offsets.at(-1)!.seconds / length)
  return branches.length === 0 ? text(last) : sql`CASE ${join(branches, "")}ELSE ${last} END`
}

/** Units whose length in seconds never changes. */
const LENGTHS: Readonly<Partial<Record<TruncationUnit, number>>> = {
  minute: 60,
  hour: 3_600,
  day: DAY_SECONDS,
  week: 7 * DAY_SECONDS
}

/** Whether what times of a unit have in common is its number. */
const isNumbered = ({ offsets, unit }: Presence): boolean => {
  const length = LENGTHS[unit]
  if (length === undefined) return false
  return !isByInstant(unit) || offsets.length === 1 || offsets.every(({ seconds }) => seconds % length === 0)
}

/** Days by which weeks begin before Mondays, from which times and buckets are counted. */
const daysBeforeMonday = (weekStart: WeekStart): number => (weekStart === "sunday" ? 1 : 0)

/** Days by which units begin before those that are counted from a Monday. */
const daysMoved = ({ unit, weekStart }: Presence): number => (unit === "week" ? daysBeforeMonday(weekStart) : 0)

/** The number of a bucket by the clocks of a zone, given a time in the bucket; null where these differ from UTC by parts of buckets. */
const localBucket = (bucket: string, time: string, offsets: Offsets): Sql | null => {
  if (offsets.every(({ seconds }) => seconds === 0)) return text(bucket)
  if (!offsets.every(({ seconds }) => seconds % VISIT_BUCKET_SECONDS === 0)) return null
  return sql`(${bucket} + (${offsetAt(time, offsets, VISIT_BUCKET_SECONDS)}))`
}

/** The stored buckets of visits that a time lies in. */
const STORED_BUCKETS: Readonly<Record<string, string>> = { started_at: "start_bucket", ended_at: "end_bucket" }

/** The number of the unit that a visit starts or ends in, from its bucket; null if the bucket cannot say. */
const unitOfBucket = (time: string, presence: Presence): Sql | null => {
  const { offsets, unit } = presence
  const bucket = STORED_BUCKETS[time]
  const buckets = LENGTHS[unit]! / VISIT_BUCKET_SECONDS
  if (bucket === undefined || !Number.isInteger(buckets)) return null
  if (isByInstant(unit) && offsets.length > 1) return text(`(${bucket} // ${buckets})`)
  const local = localBucket(bucket, time, offsets)
  if (local === null) return null
  const moved = daysMoved(presence) * BUCKETS.day
  return moved === 0 ? sql`(${local} // ${buckets})` : sql`((${local} + ${moved}) // ${buckets})`
}

/** What times of one unit have in common: a number, since truncating takes four times as long, or else the unit's start. */
const unitOf = (time: string, presence: Presence): Sql => {
  const { offsets, unit, weekStart } = presence
  // The hour that autumn repeats is two.
  const isInstant = isByInstant(unit) && offsets.length > 1
  if (!isNumbered(presence)) {
    const start = DUCKDB.truncate(DUCKDB.shift(text(time), offsetAt(time, offsets)), unit, weekStart)
    return isInstant ? DUCKDB.unshift(start, offsetAt(time, offsets)) : start
  }
  const ofBucket = unitOfBucket(time, presence)
  if (ofBucket !== null) return ofBucket
  const micros = (seconds: number): string => `${BigInt(seconds) * 1_000_000n}`
  const sinceStart = micros((DAYS_TO_1970 + daysMoved(presence)) * DAY_SECONDS)
  const offset = isInstant ? text("0") : offsetAt(time, offsets)
  return sql`((epoch_us(${time}) + ${sinceStart} + 1000000::BIGINT * (${offset})) // ${micros(LENGTHS[unit]!)})`
}

/** A part of the time at which a visit is present, from the bucket of that time: extracting it from the time takes twice as long. */
const partOfBucket = (alias: string, { offsets, unit, weekStart }: TimePart): Sql | null => {
  const local = localBucket(`${alias}.present_bucket`, `${alias}.present_at`, offsets)
  if (local === null) return null
  switch (unit) {
    case "hour-of-day":
      return sql`CAST((${local} // ${BUCKETS.hour}) % 24 AS BIGINT)`
    case "day-of-week":
      return sql`CAST(((${local} // ${BUCKETS.day}) + ${daysBeforeMonday(weekStart)}) % 7 + 1 AS BIGINT)`
    default:
      return null
  }
}

/** A visit's `hour` as what questions ask of the time at which it is present: its own times in the first and the last one. */
const PRESENT_IN_HOUR = `CASE hour WHEN ${hourOf("start_bucket")} THEN started_at WHEN ${hourOf("end_bucket")} THEN ended_at
  ELSE ${startOfHour("hour")} END AS present_at, (hour * ${BUCKETS.hour})::INTEGER AS present_bucket`

/**
 * Visits in the hours of the week (UTC) in which their visitors have none before. A visit has rows in every hour between its first and its last
 * row, since its gaps are shorter. `cutVisits`: what the range leaves of visits that it cuts, by hour.
 */
const firstsOfHours = (source: Visits, cutVisits: Sql): Sql => {
  const { scope, used } = source
  const { list, where } = wholeVisits(source)
  const isCut = cutBy(scope.range).length === 0 ? text("FALSE") : cutSessions(source)
  const [first, last] = [hourOf("start_bucket"), hourOf("end_bucket")]
  const columns = ["site", "session", ...SPAN, ...derived(used)].join(", ")
  const inHours = (from: string, more: Sql) =>
    sql`SELECT ${columns}, ${PRESENT_IN_HOUR}, befores[hour - ${first}] AS before FROM (
SELECT ${list}, start_bucket, end_bucket, ${PREVIOUS_IN_LATER_HOURS} AS befores, unnest(${hoursFrom(from)}) AS hour FROM visit WHERE ${where} AND ${more})`
  // Without IS TRUE, DuckDB would put all visits into a hash table.
  return sql`SELECT ${list}, started_at AS present_at, start_bucket AS present_bucket, TRUE AS ${FIRST_OF_HOUR}
FROM visit WHERE ${where} AND NOT ${isCut} AND ${isBefore(PREVIOUS_IN_HOUR, scope.range)}
UNION ALL BY NAME (
SELECT * EXCLUDE (before), TRUE AS ${FIRST_OF_HOUR} FROM (${inHours(`${first} + 1`, sql`${first} <> ${last} AND NOT ${isCut}`)}) WHERE ${isBefore("before", scope.range)})
UNION ALL BY NAME (
SELECT *, TRUE AS ${FIRST_OF_HOUR} FROM (SELECT * EXCLUDE (before) FROM (${inHours(first, sql`(${isCut}) IS TRUE`)}) UNION ALL BY NAME (${cutVisits}))
QUALIFY row_number() OVER (PARTITION BY site, session, ${hourOfWeek(hourOf("present_bucket"))} ORDER BY present_at) = 1)`
}

/** What `fromRows` and `presence` may read of events. */
const ROW_COLUMNS = ["created_at", "event_type", "event_id", "url_path", "channel", ...SOURCE_COLUMNS]

/** Visits once for each unit of time in which they have a row. Most have all their rows in one. */
const presentVisits = (source: Visits, presence: Presence): Sql => {
  const { scope, used } = source
  const { list, where } = wholeVisits(source)
  const [start, end] = [unitOf("started_at", presence), unitOf("ended_at", presence)]
  const isOne = sql`${start} = ${end}`
  // The others are few, and none of them starts and ends in the same bucket, which is faster to find out.
  const isByBucket = isNumbered(presence) && unitOfBucket("started_at", presence) !== null
  const isOther = (more: Sql) => (isByBucket ? sql`start_bucket <> end_bucket AND ${more}` : more)
  const isOfHours = used.has(FIRST_OF_HOUR)
  const hasBucket = used.has("present_bucket") || isOfHours
  const bucket = (of: string) => (hasBucket ? `, ${of} AS present_bucket` : "")
  // One that ends in the next unit has a row in both. How many pageviews, only its rows know.
  const isNext = isNumbered(presence) && !used.has("present_pageviews") ? sql`${start} + 1 = ${end}` : null
  const isJoined = isOther(isNext === null ? sql`${start} <> ${end}` : sql`${start} <> ${end} AND NOT (${isNext})`)
  const ofVisits = fromRows(source)
  const columns = ROW_COLUMNS.filter(
    (name, index) =>
      index < 2 || ofVisits.includes(name) || (name === "channel" && ofVisits.includes("referrer_domain"))
  )
  const before = carried(used)
  const keys = "site, session, visit_start"
  const joining = [...cutBy(scope.range), ...(isOfHours ? [] : [sql`${where} AND ${isJoined}`])]
  const rows = sql`SELECT visit.site, visit.session, ${["visit_start", ...before, ...columns.map((name) => `event.${name}`)].join(", ")} FROM ${joinedVisits(source, joining)}`
  const name = repeated(used)
  const kept = name === null ? [] : [`any_value(${PREVIOUS_SAME[name]}) AS ${PREVIOUS_SAME[name]}`]
  const joined = sql`WITH part AS MATERIALIZED (${rows})
SELECT whole.* EXCLUDE (visit_start), present.present_at, present.present_pageviews${bucket("present.present_bucket")}
FROM (SELECT ${keys}, ${[ofVisits, ...kept].join(", ")} FROM part AS event GROUP BY ${keys}) AS whole
JOIN (
SELECT ${keys}, min(created_at) AS present_at, ${PAGEVIEWS} AS present_pageviews${bucket(visitBucket("min(created_at)"))}
FROM part GROUP BY ${keys}, ${unitOf("created_at", presence)}
) AS present USING (${keys})`
  if (isOfHours) return firstsOfHours(source, joined)
  const ofPrevious = name === null ? "" : `, ${PREVIOUS_SAME[name]}`
  const split =
    isNext === null
      ? joined
      : sql`(${joined}) UNION ALL BY NAME (SELECT ${list}${ofPrevious}, unnest([started_at, ended_at]) AS present_at${bucket("unnest([start_bucket, end_bucket])")} FROM visit WHERE ${where} AND ${isOther(isNext)})`
  const one = (more: Sql): Sql =>
    sql`SELECT ${list}, started_at AS present_at, views AS present_pageviews${bucket("start_bucket")}${more} FROM visit WHERE ${where} AND ${isOne}`
  if (name === null) return sql`${one(text(""))} UNION ALL BY NAME (${split})`
  const first = (presentAt: string) => isFirst(source, name, presentAt)
  const whole = one(sql`, ${first("started_at")} AS ${firstOf(name)}`)
  if (cutBy(scope.range).length === 0) {
    return sql`${whole}
UNION ALL BY NAME (SELECT * EXCLUDE (${PREVIOUS_SAME[name]}), ${first("present_at")} AS ${firstOf(name)} FROM (${split}))`
  }
  return sql`${whole} AND NOT ${cutSessions(source)}
UNION ALL BY NAME (
SELECT * EXCLUDE (${PREVIOUS_SAME[name]}), CASE WHEN ${cutSessions(source)}
THEN row_number() OVER (PARTITION BY site, session, ${name}, ${unitOf("present_at", presence)} ORDER BY present_at) = 1
ELSE ${first("present_at")} END AS ${firstOf(name)}
FROM (${one(text(ofPrevious))} AND ${cutSessions(source)} UNION ALL BY NAME (${split})))`
}

/** Visits as Umami counts them: the sessions of its own ids. */
const umamiVisits = (source: Visits): Sql => {
  const { scope, used } = source
  const ofRows = { ...source, used: used.difference(new Set<string>(VISITOR_COLUMNS)) }
  const grouped = sql`SELECT site, session, visit_id AS stored_id, ${fromRows(ofRows)} FROM event WHERE ${scoped(scope, "created_at")} AND ${IS_VIEW} GROUP BY site, session, visit_id`
  const ofVisitor = VISITOR_COLUMNS.filter((name) => used.has(name))
  if (ofVisitor.length === 0) return grouped
  return sql`SELECT visited.*, ${ofVisitor.map((name) => `visitor.${name}`).join(", ")} FROM (${grouped}) AS visited LEFT JOIN session AS visitor ON visitor.session = visited.session`
}

const visits = (source: Visits): Sql => {
  if (source.compat === "umami") return umamiVisits(source)
  return source.presence === null ? strictVisits(source) : presentVisits(source, source.presence)
}

/** The columnar replica. */
export const REPLICA_MODEL: Model = {
  keepsVisits: true,
  source: (source, ids) => {
    if (source.kind === "visits") return visits(source)
    if (source.kind === "property") return property(source)
    const { scope, used, view } = source
    if (view === "v_pa_user_flows") return flows(used, scope)
    const known = KNOWN.includes(view) ? " AND known" : ""
    const among = ids === null ? text("") : sql` AND event_id IN (${ids})`
    return sql`SELECT *${lookedUp(view, used, scope)} FROM ${TABLES[view as keyof typeof TABLES]} WHERE ${scoped(scope, TIMES[view] ?? null)}${known}${among}`
  },
  column: ({ alias, source }, column) => {
    if (source.kind === "property" && column === "session_id") return text(sessionOf(alias))
    const view = viewOfSource(source)
    const mapped = view === null ? undefined : COLUMNS[view][column]
    return text(mapped === undefined ? `${alias}.${column}` : mapped(alias))
  },
  key: (relation, column): Key | null => {
    const domain = keyName(relation, column)
    return domain === null ? null : { domain, sql: text(`${relation.alias}.${domain}`) }
  },
  textKey: ({ alias, source }, column) => {
    const number = source.kind === "view" ? PATHS[source.view]?.[column] : undefined
    if (number === undefined) return null
    return { key: text(`${alias}.${number}`), value: text(pathOf(number)(alias)), lookUp: pathText }
  },
  part: ({ alias, source }, column, part) => {
    if (source.kind !== "visits" || source.presence === null || column !== "present_at") return null
    const found = partOfBucket(alias, part)
    if (found !== null) source.used.add("present_bucket")
    return found
  },
  isOneOf: (relation, column, ids) => {
    const domain = keyName(relation, column)
    return domain === null ? null : sql`(${isOneOf(`${relation.alias}.${domain}`, domain, ids)})`
  }
}
