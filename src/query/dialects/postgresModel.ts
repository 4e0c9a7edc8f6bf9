import { VISIT_GAP_SECONDS } from "../../domain/Event.ts"
import { VISITOR_COLUMNS } from "../../domain/visitorColumns.ts"
import { channelOf, HAS_SOURCE, SOURCE_COLUMNS } from "../channel/visitChannel.ts"
import { viewOf } from "../metadata/views.ts"
import type { RowScope, Source } from "../plan/plan.ts"
import type { Model } from "./Dialect.ts"
import { POSTGRES } from "./postgres.ts"
import { allOf, type Sql, sql, text } from "./Sql.ts"
import { CUSTOM_EVENTS, IS_BOUNCE, IS_VIEW, PAGEVIEWS } from "./visitRows.ts"

/** The rows of a view within a scope. */
const scoped = ({ range, sites }: RowScope, site: string, time: string | null): Sql => {
  const conditions: Array<Sql> = []
  if (sites !== null) {
    conditions.push(sites.length === 0 ? text("FALSE") : POSTGRES.isOneOf(text(site), "uuid", sites))
  }
  if (time !== null && range.from !== null) conditions.push(sql`${time} >= ${POSTGRES.value("instant", range.from)}`)
  if (time !== null && range.until !== null) conditions.push(sql`${time} < ${POSTGRES.value("instant", range.until)}`)
  return allOf(conditions)
}

/** The first or last value among a visit's rows, by time and id. */
const pick = (of: string, where: string | null, order: "" | " DESC" = ""): string =>
  `(array_agg(${of} ORDER BY created_at${order}, id${order})${where === null ? "" : ` FILTER (WHERE ${where})`})[1]`

/** Columns of a visit and the rows' columns that they need. */
const VISIT_COLUMNS: Readonly<Record<string, readonly [sql: string, needs: ReadonlyArray<string>]>> = {
  id: [pick("id", null), []],
  started_at: ["min(created_at)", []],
  ended_at: ["max(created_at)", []],
  pageviews: [PAGEVIEWS, []],
  events: [CUSTOM_EVENTS, []],
  duration_s: ["CAST(floor(extract(epoch FROM max(created_at) - min(created_at))) AS bigint)", []],
  entry_path: [pick("url_path", IS_VIEW), ["url_path"]],
  exit_path: [pick("url_path", IS_VIEW, " DESC"), ["url_path"]],
  channel: [channelOf(pick("channel", HAS_SOURCE)), ["channel"]],
  ...Object.fromEntries(SOURCE_COLUMNS.map((name) => [name, [pick(name, HAS_SOURCE), [name, "channel"]] as const]))
}

/** Visits from the rows of the range, before any filter. */
const visits = ({ compat, scope, used }: Extract<Source, { readonly kind: "visits" }>): Sql => {
  const derived = [...used].filter((name) => VISIT_COLUMNS[name] !== undefined)
  const ofVisitor = VISITOR_COLUMNS.filter((name) => used.has(name))
  const needs = [...new Set(derived.flatMap((name) => VISIT_COLUMNS[name]![1]))]
  const rows = ["id", "site_id", "session_id", "visit_id", "event_type", "created_at", ...needs].join(", ")
  const list = [
    "site_id",
    "session_id",
    ...(compat === "umami" ? ["visit_id AS stored_id"] : []),
    ...derived.map((name) => `${VISIT_COLUMNS[name]![0]} AS ${name}`),
    ...(used.has("is_bounce") ? [`${IS_BOUNCE[compat]} AS is_bounce`] : [])
  ].join(", ")
  const where = scoped(scope, "site_id", "created_at")
  const grouped =
    compat === "umami"
      ? sql`SELECT ${list} FROM v_pa_events WHERE ${where} AND ${IS_VIEW} GROUP BY site_id, session_id, visit_id`
      : sql`SELECT ${list} FROM (
SELECT *, count(*) FILTER (WHERE is_start) OVER (PARTITION BY site_id, session_id ORDER BY created_at, id) AS visit_number FROM (
SELECT ${rows}, created_at - lag(created_at) OVER (PARTITION BY site_id, session_id ORDER BY created_at, id) > INTERVAL '${VISIT_GAP_SECONDS} seconds' AS is_start
FROM v_pa_events WHERE ${where} AND event_type <> 5) AS gap) AS numbered GROUP BY site_id, session_id, visit_number`
  if (ofVisitor.length === 0) return grouped
  return sql`SELECT visit.*, ${ofVisitor.map((name) => `visitor.${name}`).join(", ")} FROM (${grouped}) AS visit LEFT JOIN v_pa_sessions AS visitor ON visitor.id = visit.session_id`
}

const property = ({ key, of, scope }: Extract<Source, { readonly kind: "property" }>): Sql => {
  const name = POSTGRES.value("text", key)
  if (of === "session") {
    return sql`SELECT session_id, string_value, number_value, date_value FROM v_pa_session_data WHERE ${scoped(scope, "site_id", null)} AND data_key = ${name}`
  }
  return sql`SELECT event_id, created_at, string_value, number_value, date_value FROM v_pa_event_data WHERE ${scoped(scope, "site_id", "created_at")} AND data_key = ${name}`
}

/** The views of the app database. */
export const POSTGRES_MODEL: Model = {
  keepsVisits: false,
  source: (source) => {
    if (source.kind === "visits") return visits(source)
    if (source.kind === "property") return property(source)
    const { scope, view } = source
    const { site, time } = viewOf(view)
    return sql`SELECT * FROM ${view} WHERE ${scoped(scope, site, time)}`
  },
  column: ({ alias }, column) => text(`${alias}.${column}`),
  key: () => null,
  isOneOf: () => null
}
