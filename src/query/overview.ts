import { Effect, Schema } from "effect"
import type { QueryDialect, QueryEngine, QueryError, Question } from "../ports/QueryEngine.ts"
import { Binding } from "./binding.ts"
import { EVENTS } from "./tables.ts"

/** A site's events from `from` on and before `until`; instants as parameters have them. */
export interface OverviewQuestion {
  readonly site: string
  readonly from: string
  readonly until: string
  /** Only events on this path. */
  readonly path?: string
  /** Only visitors from there, ISO 3166-1 alpha-2. */
  readonly country?: string
}

/** Custom events and web vitals are no views: a custom event does not rescue a visit from being a bounce. */
const NO_VIEWS = "2, 5"

/** What the three dialects say differently. */
interface Words {
  readonly sessions: string
  readonly time: string
  /** Ids are UUIDs in the views and texts in the lake. */
  readonly id: (parameter: string) => string
  /** Whole seconds between two instants, rounded down; exact to the microsecond. */
  readonly seconds: (first: string, last: string) => string
  /** The sessions of a site whose country is the parameter. */
  readonly inCountry: (site: () => string, country: () => string) => string
}

/** The lake keeps a row for each time that a session was told of; as with other storages, the first is how it is. */
const firstCountry =
  (first: string): Words["inCountry"] =>
  (site, country) =>
    `SELECT session_id FROM pa_sessions WHERE site_id = ${site()} GROUP BY session_id HAVING ${first}(country, updated_at) = ${country()}`

const WORDS: Readonly<Record<QueryDialect, Words>> = {
  postgres: {
    sessions: "v_pa_sessions",
    time: "created_at",
    id: (parameter) => `CAST(${parameter} AS uuid)`,
    seconds: (first, last) => `CAST(floor(extract(epoch FROM ${last} - ${first})) AS bigint)`,
    inCountry: (site, country) =>
      `SELECT id FROM v_pa_sessions WHERE site_id = CAST(${site()} AS uuid) AND country = ${country()}`
  },
  trino: {
    sessions: "pa_sessions",
    time: "event_time",
    id: (parameter) => parameter,
    // date_diff cuts both to milliseconds first, and the difference of two doubles may be a hair short of a whole second.
    seconds: (first, last) => {
      const micros = (time: string) => `CAST(round(to_unixtime(${time}) * 1000000) AS bigint)`
      return `(${micros(last)} - ${micros(first)}) / 1000000`
    },
    inCountry: firstCountry("min_by")
  },
  duckdb: {
    sessions: "pa_sessions",
    time: "event_time",
    id: (parameter) => parameter,
    seconds: (first, last) => `(epoch_us(${last}) - epoch_us(${first})) // 1000000`,
    inCountry: firstCountry("arg_min")
  }
}

/**
 * Umami's overview (`compat: umami`): one row of whole numbers `pageviews`, `visitors`, `visits`, `bounces` and `total_time`,
 * in seconds. Views are grouped by visitor and visit: a group of one is a bounce, and a group's time is the seconds from its
 * first to its last view, rounded down. With a path, Umami counts the visits that have one view of that path as bounces.
 */
export const overview = (dialect: QueryDialect, question: OverviewQuestion): Question => {
  const words = WORDS[dialect]
  const binding = new Binding(dialect)
  const site = () => binding.add({ type: "text", value: question.site })
  const conditions = [
    `site_id = ${words.id(site())}`,
    `${words.time} >= ${binding.add({ type: "timestamp", value: question.from })}`,
    `${words.time} < ${binding.add({ type: "timestamp", value: question.until })}`,
    `event_type NOT IN (${NO_VIEWS})`
  ]
  const { country, path } = question
  if (path !== undefined) conditions.push(`url_path = ${binding.add({ type: "text", value: path })}`)
  if (country !== undefined) {
    const sessions = words.inCountry(site, () => binding.add({ type: "text", value: country }))
    conditions.push(`session_id IN (${sessions})`)
  }
  const sql = `SELECT
  CAST(coalesce(sum(views), 0) AS bigint) AS pageviews,
  count(DISTINCT session_id) AS visitors,
  count(DISTINCT visit_id) AS visits,
  CAST(coalesce(sum(CASE WHEN views = 1 THEN 1 ELSE 0 END), 0) AS bigint) AS bounces,
  CAST(coalesce(sum(${words.seconds("first_time", "last_time")}), 0) AS bigint) AS total_time
FROM (
  SELECT session_id, visit_id, count(*) AS views, min(${words.time}) AS first_time, max(${words.time}) AS last_time
  FROM ${EVENTS[dialect]}
  WHERE ${conditions.join(" AND ")}
  GROUP BY session_id, visit_id
) AS visit`
  const tables = country === undefined ? [EVENTS[dialect]] : [EVENTS[dialect], words.sessions]
  return { sql, parameters: binding.parameters, tables }
}

/** A site's overview under Umami's names, whole numbers; `totaltime` in seconds. */
export interface Overview {
  readonly pageviews: number
  readonly visitors: number
  readonly visits: number
  readonly bounces: number
  readonly totaltime: number
}

const Count = Schema.Union([Schema.Int, Schema.BigInt])
const Row = Schema.Tuple([Schema.Tuple([Count, Count, Count, Count, Count])])

/** Asks for the overview where the events are. */
export const askOverview = (
  { dialect, run }: QueryEngine["Service"],
  question: OverviewQuestion
): Effect.Effect<Overview, QueryError> =>
  run(overview(dialect, question)).pipe(
    Effect.flatMap(({ rows }) => Effect.orDie(Schema.decodeUnknownEffect(Row)(rows))),
    Effect.map(([[pageviews, visitors, visits, bounces, time]]) => ({
      pageviews: Number(pageviews),
      visitors: Number(visitors),
      visits: Number(visits),
      bounces: Number(bounces),
      totaltime: Number(time)
    }))
  )
