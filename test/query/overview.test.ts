import { afterAll, beforeAll, expect, test } from "bun:test"
import { DuckDBInstance } from "@duckdb/node-api"
import { Effect } from "effect"
import type { QueryDialect } from "../../src/ports/QueryEngine.ts"
import type { Channel } from "../../src/query/channel/channel.ts"
import { type OverviewQuery, overview } from "../../src/query/overview.ts"
import { freshDatabase, openClient } from "../support/postgres/postgres.ts"

const SITE = "00001000-0000-4000-8000-000000000001"

/** Views of visits, each with its session, the minute, the referrer and the path. The site is shop.example. */
const VIEWS: ReadonlyArray<readonly [visit: number, session: number, minute: number, referrer: string, path: string]> =
  [
    // Found by search, then three views that follow the site's own links.
    [1, 1, 0, "google.com", "/"],
    [1, 1, 1, "shop.example", "/pricing"],
    [1, 1, 2, "shop.example", "/checkout"],
    // Found by search, and left at once.
    [2, 2, 0, "bing.com", "/pricing"],
    // Came directly, and looked something up.
    [3, 3, 0, "", "/"],
    [3, 3, 5, "google.com", "/pricing"],
    [3, 3, 6, "shop.example", "/"],
    // Came directly, and went on.
    [4, 4, 0, "", "/"],
    [4, 4, 3, "shop.example", "/pricing"]
  ]

const id = (kind: number, number: number) => `0000${kind}000-0000-4000-8000-${String(number).padStart(12, "0")}`

/** Rows of a VALUES clause: event, site, session, visit, type, path, host, referrer, time. */
const ROWS = VIEWS.map(
  ([visit, session, minute, referrer, path], at) =>
    `('${id(4, at)}', '${SITE}', '${id(2, session)}', '${id(3, visit)}', 1, '${path}', 'shop.example', nullif('${referrer}', ''), '2026-03-28 10:0${minute}:00Z')`
).join(", ")

type Numbers = ReadonlyArray<number>
type Run = (query: Partial<OverviewQuery>) => Promise<Numbers>

const RANGE = { site: SITE, from: "2026-03-28T00:00:00Z", until: "2026-03-29T00:00:00Z" }
const queryOf = (dialect: QueryDialect, query: Partial<OverviewQuery>) => overview(dialect, { ...RANGE, ...query })

const engines = new Map<string, Run>()
const closers: Array<() => void> = []

beforeAll(async () => {
  const url = await freshDatabase()
  const onPostgres = <A>(sql: string, values: ReadonlyArray<unknown> = []) =>
    Effect.runPromise(
      Effect.scoped(Effect.flatMap(openClient(url, 1), (client) => client.unsafe<Record<string, A>>(sql, values)))
    )
  await onPostgres(
    `INSERT INTO product_analytics_event
      (event_id, site_id, session_id, visit_id, event_type, url_path, hostname, referrer_domain, created_at) VALUES ${ROWS}`
  )
  engines.set("Postgres", async (query) => {
    const { parameters, sql } = queryOf("postgres", query)
    const [row] = await onPostgres(
      sql,
      parameters.map(({ value }) => value)
    )
    return Object.values(row!).map(Number)
  })
  const connection = await (await DuckDBInstance.create(":memory:")).connect()
  closers.push(() => connection.closeSync())
  const strings = ["url_query", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"]
  const ids = ["gclid", "fbclid", "msclkid", "ttclid", "li_fat_id", "twclid"]
  await connection.run(`CREATE TABLE pa_events (event_id text, site_id text, session_id text, visit_id text, event_type integer,
    url_path text, hostname text, referrer_domain text, event_time timestamptz, ${[...strings, ...ids].map((name) => `${name} text`)})`)
  await connection.run(
    `INSERT INTO pa_events (event_id, site_id, session_id, visit_id, event_type, url_path, hostname, referrer_domain, event_time) VALUES ${ROWS}`
  )
  engines.set("DuckDB", async (query) => {
    const { parameters, sql } = queryOf("duckdb", query)
    const reader = await connection.runAndReadAll(
      sql,
      parameters.map(({ value }) => value as string)
    )
    return reader.getRows()[0]!.map(Number)
  })
}, 180_000)
afterAll(() => {
  for (const close of closers) close()
})

/** Pageviews, visitors, visits, bounces and seconds. */
const CASES: ReadonlyArray<readonly [what: string, query: { channel?: Channel; path?: string }, numbers: Numbers]> = [
  ["every channel", {}, [9, 4, 4, 1, 660]],
  ["visits found by search", { channel: "organicSearch" }, [7, 3, 3, 1, 480]],
  ["visits that came directly and had no other source", { channel: "direct" }, [2, 1, 1, 0, 180]],
  ["a channel without visits", { channel: "llm" }, [0, 0, 0, 0, 0]],
  ["a path in visits found by search", { channel: "organicSearch", path: "/pricing" }, [3, 3, 3, 3, 0]]
]

test.each(["Postgres", "DuckDB"])(
  "a channel selects whole visits in %s, so that a visit with several views is not a bounce",
  async (engine) => {
    const run = engines.get(engine)!
    for (const [what, query, numbers] of CASES) expect([what, await run(query)]).toEqual([what, [...numbers]])
  },
  180_000
)
