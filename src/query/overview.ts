import { Effect, Schema } from "effect"
import { NOT_VIEWS } from "../domain/Event.ts"
import type { Query, QueryDialect, QueryEngine, QueryError } from "../ports/QueryEngine.ts"
import { Binding } from "./binding.ts"
import { type Channel, eventsWithChannel } from "./channel/channel.ts"
import { HAS_SOURCE } from "./channel/visitChannel.ts"
import { WHOLE_SECONDS } from "./dialects/wholeSeconds.ts"
import { EVENTS } from "./tables.ts"

/** A site's events from `from` up to, but not including, `until`. Both are timestamps as in `QueryParameter`. */
export interface OverviewQuery {
  readonly site: string
  readonly from: string
  readonly until: string
  /** Only events on this path. */
  readonly path?: string
  /** Only visitors from this country, ISO 3166-1 alpha-2. */
  readonly country?: string
  /** Only visits of this channel, with all their views. */
  readonly channel?: Channel
}

/** What differs between the dialects. */
interface DialectSql {
  readonly sessions: string
  readonly time: string
  readonly eventId: string
  /** Ids are UUIDs in the views and strings in the lake. */
  readonly id: (parameter: string) => string
  /** The sessions of a site whose country is the parameter. */
  readonly inCountry: (site: () => string, country: () => string) => string
}

/** The lake has a row for each time a session was sent. The earliest event's counts, as in other storages. */
const firstCountry =
  (first: string): DialectSql["inCountry"] =>
  (site, country) =>
    `SELECT session_id FROM pa_sessions WHERE site_id = ${site()} GROUP BY session_id HAVING ${first}(country, created_at) = ${country()}`

const DIALECTS: Readonly<Record<QueryDialect, DialectSql>> = {
  postgres: {
    sessions: "v_pa_sessions",
    time: "created_at",
    eventId: "id",
    id: (parameter) => `CAST(${parameter} AS uuid)`,
    inCountry: (site, country) =>
      `SELECT id FROM v_pa_sessions WHERE site_id = CAST(${site()} AS uuid) AND country = ${country()}`
  },
  trino: {
    sessions: "pa_sessions",
    time: "event_time",
    eventId: "event_id",
    id: (parameter) => parameter,
    inCountry: firstCountry("min_by")
  },
  duckdb: {
    sessions: "pa_sessions",
    time: "event_time",
    eventId: "event_id",
    id: (parameter) => parameter,
    inCountry: firstCountry("arg_min")
  }
}

/** The channel of the visit that a view belongs to, as `channelOf` defines it: views within a visit have the site as their source. */
const visitChannel = ({ eventId, time }: DialectSql): string =>
  `first_value(channel) OVER (PARTITION BY session_id, visit_id ORDER BY CASE WHEN ${HAS_SOURCE} THEN 0 WHEN channel = '' THEN 1 ELSE 2 END, ${time}, ${eventId})`

/**
 * Umami's overview (`compat: umami`): one row of integers `pageviews`, `visitors`, `visits`, `bounces` and `total_time` (in seconds).
 * Views are grouped by visitor and visit. A group with one view is a bounce, and a group's time is the whole seconds from its first to
 * its last view. With a path, Umami counts visits with one view of that path as bounces. Umami has no channel of a visit; this one is ours.
 */
export const overview = (dialect: QueryDialect, query: OverviewQuery): Query => {
  const dialectSql = DIALECTS[dialect]
  const binding = new Binding(dialect)
  const site = () => binding.add({ type: "text", value: query.site })
  const range = [
    `site_id = ${dialectSql.id(site())}`,
    `${dialectSql.time} >= ${binding.add({ type: "timestamp", value: query.from })}`,
    `${dialectSql.time} < ${binding.add({ type: "timestamp", value: query.until })}`,
    // A visit with one view and a custom event is a bounce.
    `event_type NOT IN (${NOT_VIEWS.join(", ")})`
  ]
  const { channel, country, path } = query
  const conditions: Array<string> = []
  if (path !== undefined) conditions.push(`url_path = ${binding.add({ type: "text", value: path })}`)
  if (channel !== undefined) conditions.push(`visit_channel = ${binding.add({ type: "text", value: channel })}`)
  if (country !== undefined) {
    const sessions = dialectSql.inCountry(site, () => binding.add({ type: "text", value: country }))
    conditions.push(`session_id IN (${sessions})`)
  }
  const inRange = `WHERE ${range.join(" AND ")}`
  const views =
    channel === undefined
      ? `${EVENTS[dialect]} ${[inRange, ...conditions].join(" AND ")}`
      : `(SELECT *, ${visitChannel(dialectSql)} AS visit_channel FROM ${eventsWithChannel(dialect)} ${inRange}) AS view WHERE ${conditions.join(" AND ")}`
  const sql = `SELECT
  CAST(coalesce(sum(views), 0) AS bigint) AS pageviews,
  count(DISTINCT session_id) AS visitors,
  count(DISTINCT visit_id) AS visits,
  CAST(coalesce(sum(CASE WHEN views = 1 THEN 1 ELSE 0 END), 0) AS bigint) AS bounces,
  CAST(coalesce(sum(${WHOLE_SECONDS[dialect]("first_time", "last_time")}), 0) AS bigint) AS total_time
FROM (
  SELECT session_id, visit_id, count(*) AS views, min(${dialectSql.time}) AS first_time, max(${dialectSql.time}) AS last_time
  FROM ${views}
  GROUP BY session_id, visit_id
) AS visit`
  const tables = country === undefined ? [EVENTS[dialect]] : [EVENTS[dialect], dialectSql.sessions]
  return { sql, parameters: binding.parameters, tables }
}

/** A site's overview in integers, with Umami's names. `totaltime` is in seconds. */
export interface Overview {
  readonly pageviews: number
  readonly visitors: number
  readonly visits: number
  readonly bounces: number
  readonly totaltime: number
}

const Count = Schema.Union([Schema.Int, Schema.BigInt])
const Row = Schema.Tuple([Schema.Tuple([Count, Count, Count, Count, Count])])

/** Runs the overview's query. */
export const runOverview = (
  { dialect, run }: QueryEngine["Service"],
  query: OverviewQuery
): Effect.Effect<Overview, QueryError> =>
  run(overview(dialect, query)).pipe(
    Effect.flatMap(({ rows }) => Effect.orDie(Schema.decodeUnknownEffect(Row)(rows))),
    Effect.map(([[pageviews, visitors, visits, bounces, time]]) => ({
      pageviews: Number(pageviews),
      visitors: Number(visitors),
      visits: Number(visits),
      bounces: Number(bounces),
      totaltime: Number(time)
    }))
  )
