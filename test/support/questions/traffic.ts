import { Effect } from "effect"
import { OTHER_SITE, SITE } from "../../services/fixture.ts"
import { openClient } from "../postgres/postgres.ts"

/*
 * A month of traffic of two sites, ended today, computed from the numbers of rows. On the first, visitors from Germany have phones three
 * times as often as others, and every third visitor signs up.
 */

const id = (kind: string, site: string, n: string) =>
  `(lpad(to_hex(${kind}), 8, '0') || '-0000-4000-8000-' || '${site === SITE ? "1" : "2"}' || lpad(${n}::text, 11, '0'))::uuid`

const sessions = (site: string, visitors: number) => `
INSERT INTO product_analytics_session
  (session_id, site_id, browser, os, device, language, country, region, city, created_at, updated_at)
SELECT ${id("1", site, "n")}, '${site}',
  (ARRAY['chrome','firefox','safari','edge-chromium','samsung','opera'])[1 + n % 6],
  (ARRAY['Windows 10','Mac OS','Linux'])[1 + n % 3],
  CASE WHEN n % 4 = 0 AND n % 20 < 15 OR n % 5 = 1 THEN 'mobile' ELSE 'desktop' END,
  (ARRAY['de','en-US','fr'])[1 + n % 3],
  (ARRAY['DE','US','FR','PL'])[1 + n % 4], (ARRAY['DE-BE','US-CA','FR-IDF','PL-MZ'])[1 + n % 4],
  ${site === SITE ? "(ARRAY['Berlin','San Francisco','Paris','Warsaw'])[1 + n % 4]" : "'Secret City ' || n % 5"},
  date_trunc('day', now()) - make_interval(days => 1 + n % 29) + interval '10 hours',
  now()
FROM generate_series(1, ${visitors}) AS n`

const event = (kind: number, minutes: number) =>
  `
INSERT INTO product_analytics_event
  (event_id, site_id, session_id, visit_id, event_type, event_name, url_path, referrer_domain, utm_source, utm_campaign, hostname, created_at)
SELECT KIND_ID, 'SITE', SESSION_ID, VISIT_ID, TYPE, NAME, PATH,
  CASE WHEN n % 3 = 0 THEN 'google.com' WHEN n % 3 = 1 THEN 'news.example' END,
  CASE WHEN n % 6 = 0 THEN 'newsletter' WHEN n % 6 = 3 THEN 'ads' END, CASE WHEN n % 6 = 0 THEN 'spring' WHEN n % 6 = 3 THEN 'summer' END,
  (ARRAY['www.example.com','shop.example.com'])[1 + n % 2],
  date_trunc('day', now()) - make_interval(days => 1 + n % 29) + interval '10 hours' + interval '${minutes} minutes'
FROM generate_series(1, VISITORS) AS n WHERE CONDITION`.replace("KIND_ID", `KIND_${kind}`)

interface Step {
  readonly minutes: number
  readonly type: 1 | 2
  readonly name: string
  readonly path: string
  readonly condition: string
}

const STEPS: ReadonlyArray<Step> = [
  { minutes: 0, type: 1, name: "NULL", path: "PATHS", condition: "true" },
  { minutes: 2, type: 1, name: "NULL", path: "'/pricing'", condition: "n % 2 = 0" },
  { minutes: 5, type: 2, name: "'signup'", path: "'/pricing'", condition: "n % 3 = 0" },
  { minutes: 9, type: 2, name: "'purchase'", path: "'/checkout'", condition: "n % 12 = 0" }
]

const eventsOf = (site: string, visitors: number): ReadonlyArray<string> =>
  STEPS.map(({ condition, minutes, name, path, type }, index) => {
    const paths =
      site === SITE
        ? "(ARRAY['/','/blog','/docs'])[1 + n % 3] || CASE WHEN n % 3 = 2 THEN '/' || n % 15 ELSE '' END"
        : "'/secret/' || n % 7"
    return event(index, minutes)
      .replace(`KIND_${index}`, id(String(index + 10), site, "n"))
      .replace("SITE", site)
      .replace("SESSION_ID", id("1", site, "n"))
      .replace("VISIT_ID", id("2", site, "n"))
      .replace("TYPE", String(type))
      .replace("NAME", name)
      .replace("PATH", path.replace("PATHS", paths))
      .replace("VISITORS", String(visitors))
      .replace("CONDITION", condition)
  })

const PROPERTIES = `
INSERT INTO product_analytics_event_data
  (created_at, event_id, site_id, session_id, data_type, event_name, data_key, string_value, number_value)
SELECT e.created_at, e.event_id, e.site_id, e.session_id, p.type, e.event_name, p.key, p.string, p.number
FROM product_analytics_event e CROSS JOIN LATERAL (VALUES
  ('plan', 1, CASE WHEN ascii(right(e.session_id::text, 1)) % 2 = 0 THEN 'pro' ELSE 'free' END, NULL::numeric),
  ('seats', 2, (ascii(right(e.session_id::text, 1)) % 7 + 1)::text || '.0000', (ascii(right(e.session_id::text, 1)) % 7 + 1)::numeric)
) AS p (key, type, string, number)
WHERE e.event_name = 'signup'`

/** Visitors of the first site. */
export const VISITORS = 600
export const OTHER_VISITORS = 120

/** Writes the traffic of both sites into a fresh database, with the sites. */
export const fillWithTraffic = (url: Parameters<typeof openClient>[0]): Promise<void> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(openClient(url, 1), (sql) =>
        Effect.forEach(
          [
            `INSERT INTO product_analytics_site (id, name, timezone, week_start, currency)
             VALUES ('${SITE}', 'Shop', 'UTC', 'monday', 'EUR'), ('${OTHER_SITE}', 'Secret', 'UTC', 'monday', 'EUR')`,
            sessions(SITE, VISITORS),
            sessions(OTHER_SITE, OTHER_VISITORS),
            ...eventsOf(SITE, VISITORS),
            ...eventsOf(OTHER_SITE, OTHER_VISITORS),
            PROPERTIES,
            // Plans made without statistics are slow.
            "ANALYZE"
          ],
          (one) => sql.unsafe(one),
          { discard: true }
        )
      )
    )
  )
