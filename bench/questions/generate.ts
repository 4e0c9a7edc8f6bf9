import { SQL } from "bun"

/** Rows that one statement inserts, by their visits: enough to pay for planning, and little enough to show progress. */
const VISITS_PER_STATEMENT = 100_000

/** A number from 0 to 1 that depends only on what it is of. */
const part = (of: string, salt: number): string => `((hashint8extended(${of}, ${salt}) & 1048575) / 1048576.0)`

/** One of a list, the first most often. */
const pick = (values: ReadonlyArray<string | null>, of: string, salt: number): string => {
  const list = values.map((value) => (value === null ? "NULL" : `'${value}'`)).join(", ")
  return `(ARRAY[${list}]::text[])[1 + floor(power(${part(of, salt)}, 2) * ${values.length})::int]`
}

const uuid = (of: string, salt: number): string => `md5('${salt} ' || ${of})::uuid`

/** A UUIDv7 of a time, with the rest from a hash. */
const uuid7 = (at: string, of: string): string =>
  `(lpad(to_hex(floor(extract(epoch FROM ${at}) * 1000)::bigint), 12, '0') || '7' || substr(md5(${of}), 1, 3) || 'a' || substr(md5(${of}), 5, 15))::uuid`

const COUNTRIES = ["US", "DE", "GB", "FR", "IN", "BR", "JP", "CA", "NL", "ES", "IT", "PL", "SE", "AU", "CH", "AT", null]
const BROWSERS = ["chrome", "safari", "ios", "firefox", "edge-chromium", "samsung", "opera"]
const SYSTEMS = ["Windows 10", "iOS", "Mac OS", "Android OS", "Linux"]
const DEVICES = ["desktop", "mobile", "laptop", "tablet"]
const REFERRERS = [
  null,
  null,
  "google.com",
  "t.co",
  "bing.com",
  "news.ycombinator.com",
  "github.com",
  "chatgpt.com",
  "facebook.com"
]
const SOURCES = [null, null, null, null, "newsletter", "google", "partner", "linkedin"]
const NAMES = ["signup", "add_to_cart", "purchase", "download", "search", "share", "play"]

export interface GenerateOptions {
  readonly databaseUrl: string
  readonly site: string
  readonly events: number
  /** The first day of a month, as in `2026-03-01`. */
  readonly month: string
  readonly onProgress?: (share: number) => void
}

/** About four events in each visit, and two and a half visits of each visitor. */
const EVENTS_PER_VISIT = 4
const VISITS_PER_VISITOR = 2.5

/** How many visits, and visitors, make these events. */
const countsOf = ({ events: total }: GenerateOptions) => {
  const count = Math.ceil(total / EVENTS_PER_VISIT)
  return { count, visitors: Math.max(1, Math.round(count / VISITS_PER_VISITOR)) }
}

/** The events of one visit: its number is `v`, its visitor's `s`. Visits are numbered in the order of their starts, as a collector stores them. */
const visits = (options: GenerateOptions, first: number, last: number): string => {
  const { month } = options
  const { count, visitors } = countsOf(options)
  return `SELECT v, s, '${month}'::timestamptz + (v + ${part("v", 1)}) / ${count} * ('${month}'::timestamptz + interval '1 month' - interval '40 minutes' - '${month}'::timestamptz) AS start,
    1 + least(floor(-ln(1 - ${part("v", 2)} * 0.9999) * ${EVENTS_PER_VISIT - 1 + 0.47})::int, 60) AS length
  FROM (SELECT v, floor(${part("v", 3)} * ${visitors})::bigint AS s FROM generate_series(${first}::bigint, ${last}::bigint) AS v) AS numbered`
}

const events = (options: GenerateOptions, first: number, last: number): string => `
WITH visit AS (${visits(options, first, last)}), row AS (
  SELECT v, s, e, v * 64 + e AS n, start + e * interval '35 seconds' AS at, ${part("v * 64 + e", 4)} AS kind
  FROM visit, generate_series(0, length - 1) AS e
), event AS (
  INSERT INTO product_analytics_event (created_at, event_id, site_id, session_id, visit_id, event_type, event_name, hostname, url_path,
    page_title, referrer_domain, utm_source, utm_medium, utm_campaign, gclid, lcp, inp, cls, revenue, currency)
  SELECT at, ${uuid7("at", "n::text")}, '${options.site}', ${uuid("s::text", 5)}, ${uuid("v::text", 6)},
    CASE WHEN kind < 0.8 OR e = 0 THEN 1 WHEN kind < 0.93 THEN 2 ELSE 5 END,
    CASE WHEN e > 0 AND kind >= 0.8 AND kind < 0.93 THEN ${pick(NAMES, "n", 7)} END,
    'www.example.com', '/' || CASE WHEN ${part("n", 8)} < 0.2 THEN '' ELSE 'products/' || floor(power(${part("n", 9)}, 3) * 4000)::int END,
    'Page ' || floor(power(${part("n", 9)}, 3) * 4000)::int,
    CASE WHEN e = 0 THEN ${pick(REFERRERS, "v", 10)} END, CASE WHEN e = 0 THEN ${pick(SOURCES, "v", 11)} END,
    CASE WHEN e = 0 AND ${pick(SOURCES, "v", 11)} IS NOT NULL THEN ${pick(["email", "cpc", "social"], "v", 12)} END,
    CASE WHEN e = 0 AND ${pick(SOURCES, "v", 11)} IS NOT NULL THEN ${pick(["spring", "launch", "brand"], "v", 13)} END,
    CASE WHEN e = 0 AND ${part("v", 14)} < 0.03 THEN 'g' || v END,
    CASE WHEN e > 0 AND kind >= 0.93 THEN round((500 + ${part("n", 15)} * 3000)::numeric, 1) END,
    CASE WHEN e > 0 AND kind >= 0.93 THEN round((20 + ${part("n", 16)} * 300)::numeric, 1) END,
    CASE WHEN e > 0 AND kind >= 0.93 THEN round((${part("n", 17)} * 0.3)::numeric, 4) END,
    CASE WHEN e > 0 AND kind >= 0.8 AND kind < 0.93 AND ${pick(NAMES, "n", 7)} = 'purchase' THEN round((5 + ${part("n", 18)} * 200)::numeric, 2) END,
    CASE WHEN e > 0 AND kind >= 0.8 AND kind < 0.93 AND ${pick(NAMES, "n", 7)} = 'purchase' THEN 'EUR' END
  FROM row ORDER BY at
  RETURNING created_at, event_id, session_id, event_type, event_name
), property AS (
  INSERT INTO product_analytics_event_data (created_at, event_id, site_id, session_id, data_type, event_name, data_key, string_value, number_value)
  SELECT created_at, event_id, '${options.site}', session_id, type, event_name, key, string, number FROM event,
    LATERAL (VALUES
      ('plan', 1, (ARRAY['free', 'plus', 'team'])[1 + (hashtextextended(event_id::text, 1) & 1)::int + (hashtextextended(event_id::text, 2) & 1)::int], NULL::numeric),
      ('seats', 2, ((hashtextextended(event_id::text, 3) & 31) + 1)::text, ((hashtextextended(event_id::text, 3) & 31) + 1)::numeric)
    ) AS property (key, type, string, number)
  WHERE event_type = 2
) SELECT count(*)::float8 AS count FROM event`

const sessions = ({ month, site }: GenerateOptions, first: number, last: number): string => `
INSERT INTO product_analytics_session (session_id, site_id, browser, os, device, screen, language, country, region, city, created_at, updated_at)
SELECT ${uuid("s::text", 5)}, '${site}', ${pick(BROWSERS, "s", 20)}, ${pick(SYSTEMS, "s", 21)}, ${pick(DEVICES, "s", 22)}, '1920x1080',
  ${pick(["en-US", "de-DE", "fr-FR", "ja-JP"], "s", 23)}, ${pick(COUNTRIES, "s", 24)}, NULL, NULL, '${month}', '${month}'
FROM generate_series(${first}::bigint, ${last}::bigint) AS s`

/** How to reach a database, also one that has only a socket in a folder, as the embedded one. */
const connectionOf = (databaseUrl: string) => {
  const url = new URL(databaseUrl)
  const folder = url.searchParams.get("host")
  if (folder === null) return { url: databaseUrl }
  return {
    adapter: "postgres" as const,
    path: `${folder}/.s.PGSQL.${url.port || "5432"}`,
    username: url.username,
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1)
  }
}

/** Fills a migrated database with about so many events of one site in one month. The same options always make the same rows. */
export const generate = async (options: GenerateOptions): Promise<number> => {
  const { count, visitors } = countsOf(options)
  await using sql = new SQL({ ...connectionOf(options.databaseUrl), max: 2 })
  await sql.unsafe(`SELECT product_analytics_ensure_month('product_analytics_event', '${options.month}'),
    product_analytics_ensure_month('product_analytics_event_data', '${options.month}')`)
  for (let first = 0; first < visitors; first += VISITS_PER_STATEMENT) {
    await sql.unsafe(sessions(options, first, Math.min(first + VISITS_PER_STATEMENT, visitors) - 1))
  }
  let total = 0
  let next = 0
  const work = async () => {
    while (next < count) {
      const first = next
      next += VISITS_PER_STATEMENT
      const [row] = await sql.unsafe(events(options, first, Math.min(next, count) - 1))
      total += row.count
      options.onProgress?.(Math.min(next, count) / count)
    }
  }
  await Promise.all([work(), work()])
  // A visitor begins with their first event.
  await sql.unsafe(`UPDATE product_analytics_session AS session SET created_at = first.at FROM
    (SELECT session_id, min(created_at) AS at FROM product_analytics_event WHERE site_id = '${options.site}' GROUP BY session_id) AS first
    WHERE first.session_id = session.session_id`)
  // Otherwise, autovacuum reads all of it while the benchmark asks.
  await sql.unsafe("VACUUM (ANALYZE) product_analytics_event, product_analytics_event_data, product_analytics_session")
  return total
}
