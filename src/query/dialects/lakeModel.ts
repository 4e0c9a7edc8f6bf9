import { VISIT_GAP_SECONDS } from "../../domain/Event.ts"
import { VISITOR_COLUMNS } from "../../domain/visitorColumns.ts"
import { eventsWithChannel } from "../channel/channel.ts"
import { channelOf, HAS_SOURCE, SOURCE_COLUMNS } from "../channel/visitChannel.ts"
import { FqlError } from "../fql/FqlError.ts"
import type { ViewName } from "../metadata/views.ts"
import type { QuestionSite } from "../plan/context.ts"
import type { RowScope, Source, TimeRange, ValueType } from "../plan/plan.ts"
import type { Dialect, Model } from "./Dialect.ts"
import { allOf, join, type Sql, sql, text } from "./Sql.ts"
import { CUSTOM_EVENTS, IS_BOUNCE, IS_VIEW, PAGEVIEWS } from "./visitRows.ts"
import { WHOLE_SECONDS } from "./wholeSeconds.ts"

/** Which row a value is taken from: the first or the last in the order of these columns, among those that fulfill the condition. */
export interface Pick {
  readonly column: string
  readonly at: "first" | "last"
  readonly by: readonly [string, string]
  readonly where: string | null
}

/** What the engines that read the lake write in their own ways. Ids are text there. */
export interface LakeEngine {
  readonly dialect: Dialect
  /** A stored time as an instant of the dialect. */
  readonly instant: (stored: string) => string
  /** An instant that stored times are compared with as they are, so that the engine skips files by their bounds. */
  readonly storedInstant: (iso: string) => Sql
  /** An aggregate; null if the value is null in that row. */
  readonly pick: (pick: Pick) => string
  /** The value of a property of an event; null if it has none. */
  readonly property: (key: Sql) => Sql
  /** Columns of events and a FROM item that together give a row for each property, with `data_key` and `string_value`. */
  readonly eachProperty: { readonly columns: string; readonly from: string }
  /** The id that Postgres' views make of a text. */
  readonly idOf: (of: string) => string
  /** The instant of a text that looks like a date of a property; null for any other text. */
  readonly dateOf: (of: string) => string
}

/** The longest time between two pageviews of a stored visit, for which `is_entry` and `is_exit` look. */
const HOURS_OF_VISIT = 24
const DAY = "INTERVAL '1' DAY"
const GAP = `INTERVAL '${VISIT_GAP_SECONDS}' SECOND`

/** Columns of events that are stored under another name. */
const EVENT_COLUMNS: Readonly<Record<string, string>> = { id: "event_id" }
/** Columns of sessions that are stored under another name; the others are those of the earliest row. */
const SESSION_COLUMNS: Readonly<Record<string, string>> = { subdivision1: "region" }

const NO_TYPES =
  'The lake keeps the values of events\' properties as text, without their types. Ask for the property instead, as in ["prop", "price", {"type": "number"}].'

/** What the lake cannot answer, and why. */
const UNSUPPORTED: Readonly<Partial<Record<ViewName, Readonly<Record<string, string>>>>> = {
  v_pa_event_data: { number_value: NO_TYPES, data_type: NO_TYPES }
}

/** A range that is longer at both ends by that time. */
const widened = ({ from, until }: TimeRange): TimeRange => {
  const moved = (iso: string | null, hours: number) =>
    iso === null ? null : Temporal.Instant.from(iso).add({ hours }).toString({ fractionalSecondDigits: 6 })
  return { from: moved(from, -HOURS_OF_VISIT), until: moved(until, HOURS_OF_VISIT) }
}

/** A site's columns: their types and values. */
const SITE_COLUMNS: Readonly<Record<string, readonly [ValueType, (site: QuestionSite) => string | boolean]>> = {
  id: ["uuid", ({ id }) => id],
  uuid: ["uuid", ({ id }) => id],
  name: ["text", ({ name }) => name],
  allowed_domains: ["text", ({ domains }) => domains.join(",")],
  archived: ["boolean", ({ archived }) => archived],
  created_at: ["instant", ({ createdAt }) => createdAt],
  updated_at: ["instant", ({ updatedAt }) => updatedAt],
  timezone: ["text", ({ timezone }) => timezone],
  week_start: ["text", ({ weekStart }) => weekStart],
  currency: ["text", ({ currency }) => currency]
}

type ViewSource = Extract<Source, { readonly kind: "view" }>
type VisitSource = Extract<Source, { readonly kind: "visits" }>
type PropertySource = Extract<Source, { readonly kind: "property" }>

/** The lake's tables as the views that questions read. */
class LakeViews {
  readonly #engine: LakeEngine
  readonly #sites: ReadonlyArray<QuestionSite>
  constructor(engine: LakeEngine, sites: ReadonlyArray<QuestionSite>) {
    this.#engine = engine
    this.#sites = sites
  }

  view({ scope, used, view }: ViewSource): Sql {
    const columns = [...used]
    switch (view) {
      case "v_pa_sites":
        return this.#siteRows(scope, columns)
      case "v_pa_sessions":
        return this.#sessions(scope, columns)
      case "v_pa_events":
        return this.events(scope, columns)
      case "v_pa_event_data":
        return this.#eventData(scope, columns)
      case "v_pa_session_data":
        return this.#sessionData(scope, columns)
      case "v_pa_user_flows":
        return this.#flows(scope)
      case "v_pa_visits":
        throw new Error("Visits are a source of their own.")
    }
  }

  /** The sites that the question may read, which are in the app database. */
  #siteRows({ sites }: RowScope, columns: ReadonlyArray<string>): Sql {
    const { dialect } = this.#engine
    const names = columns.length === 0 ? ["id"] : columns
    const rows = this.#sites.filter(({ id }) => sites === null || sites.includes(id))
    if (rows.length === 0) {
      const nulls = names.map((name) => sql`${dialect.typedNull(SITE_COLUMNS[name]![0])} AS ${name}`)
      return sql`SELECT ${join(nulls, ", ")} WHERE FALSE`
    }
    const values = rows.map((site) => {
      const row = names.map((name) => {
        const [type, of] = SITE_COLUMNS[name]!
        return dialect.value(type, of(site))
      })
      return sql`(${join(row, ", ")})`
    })
    return sql`SELECT * FROM (VALUES ${join(values, ", ")}) AS site (${names.join(", ")})`
  }

  /** Events with these columns. */
  events(scope: RowScope, columns: ReadonlyArray<string>): Sql {
    const ends = ["is_entry", "is_exit"].filter((name) => columns.includes(name))
    if (ends.length > 0) return this.#eventsWithEnds(scope, columns, ends)
    const list = columns.map((name) => `${this.#eventColumn(name)} AS ${name}`)
    const from = columns.includes("channel") ? eventsWithChannel(this.#engine.dialect.name) : "pa_events"
    return sql`SELECT ${listed(list)} FROM ${from} WHERE ${this.#scoped(scope, "event_time")}`
  }

  #eventColumn(name: string): string {
    if (name === "created_at") return this.#engine.instant("event_time")
    return name === "event_type" ? "CAST(event_type AS bigint)" : (EVENT_COLUMNS[name] ?? name)
  }

  /** Events that know whether they are the first or last pageview of their stored visit. */
  #eventsWithEnds(scope: RowScope, columns: ReadonlyArray<string>, ends: ReadonlyArray<string>): Sql {
    const inner = new Set([...columns.filter((name) => !ends.includes(name)), ...ROW_COLUMNS])
    const next = (name: string, operator: string) =>
      `${name}(created_at) OVER (PARTITION BY session_id, visit_id, event_type ORDER BY created_at, id) ${operator}`
    const isEnd: Readonly<Record<string, string>> = {
      is_entry: `(event_type = 1 AND coalesce(${next("lag", `< created_at - ${DAY}`)}, TRUE))`,
      is_exit: `(event_type = 1 AND coalesce(${next("lead", `> created_at + ${DAY}`)}, TRUE))`
    }
    const rows = this.events({ ...scope, range: widened(scope.range) }, [...inner])
    return sql`SELECT * FROM (SELECT *, ${ends.map((name) => `${isEnd[name]} AS ${name}`).join(", ")} FROM (${rows}) AS near) AS event WHERE ${this.#within(scope.range, "created_at")}`
  }

  /** One row for each visitor: that of the earliest event. A collector adds a row when it learns of an earlier one, or of an id. */
  #sessions(scope: RowScope, columns: ReadonlyArray<string>): Sql {
    const { instant, pick } = this.#engine
    const newest = columns.includes("last_seen_at")
    const first = (column: string) => pick({ column, at: "first", by: ["created_at", "updated_at"], where: null })
    const columnOf = (name: string): string => {
      switch (name) {
        case "id":
        case "session_uuid":
          return "session_id"
        case "site_id":
          return "site_id"
        case "created_at":
        case "last_seen_at":
          return instant("min(created_at)")
        case "updated_at":
          return instant("max(updated_at)")
        case "distinct_id":
          return pick({
            column: "distinct_id",
            at: "first",
            by: ["updated_at", "created_at"],
            where: "distinct_id IS NOT NULL"
          })
        default:
          return first(SESSION_COLUMNS[name] ?? name)
      }
    }
    const list = columns.map((name) => `${columnOf(name)} AS ${name}`)
    const bounds = this.#bounds(scope.range, "min(created_at)")
    const grouped = sql`SELECT ${listed(newest ? [...list, "session_id AS own_id"] : list)} FROM pa_sessions WHERE ${this.#ofSites(scope)} GROUP BY site_id, session_id${bounds.length === 0 ? text("") : sql` HAVING ${allOf(bounds)}`}`
    if (!newest) return grouped
    const kept = columns.map((name) =>
      name === "last_seen_at" ? "coalesce(newest.seen_at, session.last_seen_at) AS last_seen_at" : `session.${name}`
    )
    return sql`SELECT ${kept.join(", ")} FROM (${grouped}) AS session LEFT JOIN (SELECT session_id, ${instant("max(event_time)")} AS seen_at FROM pa_events WHERE ${this.#ofSites(scope)} GROUP BY session_id) AS newest ON newest.session_id = session.own_id`
  }

  /** One row for each property of an event. */
  #eventData(scope: RowScope, columns: ReadonlyArray<string>): Sql {
    const { dateOf, eachProperty, idOf, instant } = this.#engine
    const columnOf = (name: string): string => {
      if (name === "id") return idOf("event_id || data_key")
      if (name === "created_at") return instant("event_time")
      return name === "date_value" ? dateOf("string_value") : name
    }
    const list = columns.map((name) => `${columnOf(name)} AS ${name}`)
    return sql`SELECT ${listed(list)} FROM (SELECT event_id, site_id, session_id, event_time, ${eachProperty.columns} FROM ${eachProperty.from} WHERE ${this.#scoped(scope, "event_time")}) AS property`
  }

  /** One row for each attribute of a visitor: its last value, as of the time when it got it. */
  #attributes(scope: RowScope, condition: Sql): Sql {
    const value = "data_type, string_value, number_value, date_value"
    const inOrder = "OVER (PARTITION BY session_id, data_key ORDER BY updated_at, created_at"
    const before = value
      .split(", ")
      .map((name) => `lag(${name}) ${inOrder}) IS NOT DISTINCT FROM ${name}`)
      .join(" AND ")
    return sql`SELECT * FROM (
SELECT *, row_number() OVER (PARTITION BY session_id, data_key ORDER BY updated_at DESC, created_at DESC) AS age FROM (
SELECT session_id, site_id, data_key, ${value}, created_at, updated_at, row_number() ${inOrder}) > 1 AND ${before} AS is_same
FROM pa_session_data WHERE ${this.#ofSites(scope)} AND ${condition}) AS attribute WHERE NOT is_same) AS change WHERE age = 1`
  }

  #sessionData(scope: RowScope, columns: ReadonlyArray<string>): Sql {
    const { idOf } = this.#engine
    const columnOf = (name: string): string => {
      if (name === "id") return idOf("attribute.session_id || attribute.data_key")
      if (name === "distinct_id") return "visitor.distinct_id"
      return this.#attributeColumn(name)
    }
    const list = columns.map((name) => `${columnOf(name)} AS ${name}`)
    const attributes = sql`SELECT ${listed(list)} FROM (${this.#attributes(scope, text("TRUE"))}) AS attribute`
    if (!columns.includes("distinct_id")) return attributes
    const visitors = this.#sessions({ ...scope, range: EVER }, ["id", "distinct_id"])
    return sql`${attributes} LEFT JOIN (${visitors}) AS visitor ON visitor.id = attribute.session_id`
  }

  #attributeColumn(name: string): string {
    const column = `attribute.${name}`
    if (name === "data_type") return `CAST(${column} AS bigint)`
    return name === "created_at" || name === "date_value" ? this.#engine.instant(column) : column
  }

  /** Steps from one page to the next, numbered from each visitor's first. */
  #flows(scope: RowScope): Sql {
    const inOrder = "OVER (PARTITION BY site_id, session_id ORDER BY created_at, id)"
    const rows = this.events({ ...scope, range: EVER }, [...ROW_COLUMNS, "url_path"])
    return sql`SELECT * FROM (
SELECT site_id, CAST(date_trunc('day', created_at) AS timestamp) AS day, step, source, target, count(*) AS value FROM (
SELECT site_id, created_at, source, target, row_number() ${inOrder} AS step FROM (
SELECT site_id, session_id, created_at, id, url_path AS target, lag(url_path) ${inOrder} AS source,
row_number() OVER (PARTITION BY site_id, session_id, url_path ORDER BY created_at, id) AS seen
FROM (${rows}) AS event WHERE event_type = 1) AS pageview WHERE seen = 1 AND source IS NOT NULL) AS step GROUP BY 1, 2, 3, 4, 5) AS flow
WHERE ${this.#within(scope.range, "day")}`
  }

  property({ key, of, scope }: PropertySource): Sql {
    const { dateOf, dialect, instant, property } = this.#engine
    const name = dialect.value("text", key)
    if (of === "session") {
      const list = ["session_id", "string_value", "number_value", "date_value"]
      return sql`SELECT ${list.map((column) => `${this.#attributeColumn(column)} AS ${column}`).join(", ")} FROM (${this.#attributes(scope, sql`data_key = ${name}`)}) AS attribute`
    }
    // The text of a number reads as that number; see `NO_TYPES`.
    const values = sql`SELECT event_id, ${instant("event_time")} AS created_at, ${property(name)} AS string_value FROM pa_events WHERE ${this.#scoped(scope, "event_time")}`
    return sql`SELECT event_id, created_at, string_value, ${dialect.typedNull("decimal")} AS number_value, ${dateOf("string_value")} AS date_value FROM (${values}) AS property WHERE string_value IS NOT NULL`
  }

  /** Visits from the rows of the range, before any filter. */
  visits({ compat, scope, used }: VisitSource): Sql {
    const derived = [...used].filter((name) => VISIT_COLUMNS[name] !== undefined)
    const needs = derived.flatMap((name) => VISIT_COLUMNS[name]![1])
    const rows = this.events(scope, [...new Set([...ROW_COLUMNS, ...needs])])
    const list = [
      "site_id",
      "session_id",
      ...(compat === "umami" ? ["visit_id AS stored_id"] : []),
      ...derived.map((name) => `${VISIT_COLUMNS[name]![0](this.#engine)} AS ${name}`),
      ...(used.has("is_bounce") ? [`${IS_BOUNCE[compat]} AS is_bounce`] : [])
    ].join(", ")
    const inOrder = "OVER (PARTITION BY site_id, session_id ORDER BY created_at, id)"
    const grouped =
      compat === "umami"
        ? sql`SELECT ${list} FROM (${rows}) AS event WHERE ${IS_VIEW} GROUP BY site_id, session_id, visit_id`
        : sql`SELECT ${list} FROM (
SELECT *, sum(is_start) ${inOrder} AS visit_number FROM (
SELECT *, CASE WHEN lag(created_at) ${inOrder} < created_at - ${GAP} THEN 1 ELSE 0 END AS is_start
FROM (${rows}) AS event WHERE event_type <> 5) AS gap) AS numbered GROUP BY site_id, session_id, visit_number`
    const ofVisitor = VISITOR_COLUMNS.filter((name) => used.has(name))
    if (ofVisitor.length === 0) return grouped
    const visitors = this.#sessions({ ...scope, range: EVER }, ["id", ...ofVisitor])
    return sql`SELECT visit.*, ${ofVisitor.map((name) => `visitor.${name}`).join(", ")} FROM (${grouped}) AS visit LEFT JOIN (${visitors}) AS visitor ON visitor.id = visit.session_id`
  }

  #ofSites({ sites }: RowScope): Sql {
    if (sites === null) return text("TRUE")
    return sites.length === 0 ? text("FALSE") : this.#engine.dialect.isOneOf(text("site_id"), "uuid", sites)
  }

  /** Rows of a table within a scope. */
  #scoped(scope: RowScope, time: string): Sql {
    return allOf([this.#ofSites(scope), ...this.#bounds(scope.range, time)])
  }

  /** Bounds of a stored time. */
  #bounds({ from, until }: TimeRange, time: string): ReadonlyArray<Sql> {
    const { storedInstant } = this.#engine
    return [
      ...(from === null ? [] : [sql`${time} >= ${storedInstant(from)}`]),
      ...(until === null ? [] : [sql`${time} < ${storedInstant(until)}`])
    ]
  }

  /** Bounds of an instant of the dialect. */
  #within({ from, until }: TimeRange, time: string): Sql {
    const { dialect } = this.#engine
    return allOf([
      ...(from === null ? [] : [sql`${time} >= ${dialect.value("instant", from)}`]),
      ...(until === null ? [] : [sql`${time} < ${dialect.value("instant", until)}`])
    ])
  }
}

const EVER: TimeRange = { from: null, until: null }

/** The columns by which rows are put in order and grouped. */
const ROW_COLUMNS = ["id", "site_id", "session_id", "visit_id", "event_type", "created_at"] as const

const listed = (columns: ReadonlyArray<string>): string => (columns.length === 0 ? "1 AS one" : columns.join(", "))

type VisitColumn = readonly [sql: (engine: LakeEngine) => string, needs: ReadonlyArray<string>]

/** The value of the first or last row of a visit, by time and id. */
const ofRow =
  (column: string, where: string | null, at: Pick["at"] = "first") =>
  ({ pick }: LakeEngine): string =>
    pick({ column, at, by: ["created_at", "id"], where })

/** Columns of a visit and the rows' columns that they need. */
const VISIT_COLUMNS: Readonly<Record<string, VisitColumn>> = {
  id: [ofRow("id", null), []],
  started_at: [() => "min(created_at)", []],
  ended_at: [() => "max(created_at)", []],
  pageviews: [() => PAGEVIEWS, []],
  events: [() => CUSTOM_EVENTS, []],
  duration_s: [({ dialect }) => WHOLE_SECONDS[dialect.name]("min(created_at)", "max(created_at)"), []],
  entry_path: [ofRow("url_path", IS_VIEW), ["url_path"]],
  exit_path: [ofRow("url_path", IS_VIEW, "last"), ["url_path"]],
  channel: [(engine) => channelOf(ofRow("channel", HAS_SOURCE)(engine)), ["channel"]],
  ...Object.fromEntries(
    SOURCE_COLUMNS.map((name): [string, VisitColumn] => [name, [ofRow(name, HAS_SOURCE), [name, "channel"]]])
  )
}

/** The lake's tables, and these sites. */
export const lakeModel = (engine: LakeEngine, sites: ReadonlyArray<QuestionSite>): Model => {
  const views = new LakeViews(engine, sites)
  return {
    keepsVisits: false,
    source: (source) => {
      if (source.kind === "visits") return views.visits(source)
      return source.kind === "property" ? views.property(source) : views.view(source)
    },
    column: ({ alias, source }, column) => {
      const reason = source.kind === "view" ? UNSUPPORTED[source.view]?.[column] : undefined
      if (reason !== undefined) throw new FqlError("unsupported-on-backend", "", reason)
      return text(`${alias}.${column}`)
    },
    key: () => null,
    isOneOf: () => null
  }
}
