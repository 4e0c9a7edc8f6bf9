import { Effect } from "effect"
import { EVENTS, OTHER_SITE, SITE } from "../../services/fixture.ts"
import { fillPostgres } from "../postgres/pgWarehouse.ts"
import { openClient } from "../postgres/postgres.ts"
import { questionSite } from "./site.ts"

const eventAt = (time: string): string => EVENTS.find((event) => event.time.startsWith(`2026-${time}`))!.event

/** Amounts, a paid source, and properties of the fixture's custom events. */
const EXTRA = `
UPDATE product_analytics_event SET revenue = 49.9, currency = 'EUR' WHERE event_id = '${eventAt("03-29T01:40:00")}';
UPDATE product_analytics_event SET revenue = 100, currency = 'EUR' WHERE event_id = '${eventAt("03-30T10:20:00")}';
UPDATE product_analytics_event SET revenue = 20, currency = 'USD' WHERE event_id = '${eventAt("04-01T00:00:00")}';
UPDATE product_analytics_event SET referrer_domain = 'google.com', hostname = 'www.example.com', utm_source = 'google', utm_medium = 'cpc', utm_campaign = 'spring' WHERE event_id = '${eventAt("03-28T22:50:00")}';
UPDATE product_analytics_event SET referrer_domain = 't.co', hostname = 'www.example.com' WHERE event_id = '${eventAt("03-29T00:30:00")}';
UPDATE product_analytics_event SET referrer_domain = 'www.example.com', hostname = 'www.example.com' WHERE event_id = '${eventAt("03-30T10:00:00")}';
INSERT INTO product_analytics_event_data (created_at, event_id, site_id, session_id, data_type, event_name, data_key, string_value, number_value)
SELECT created_at, event_id, site_id, session_id, type, event_name, key, string, number FROM product_analytics_event
JOIN (VALUES
  ('${eventAt("03-28T22:53:00")}'::uuid, 'plan', 1, 'pro', NULL::numeric), ('${eventAt("03-28T22:53:00")}', 'seats', 2, '3.0000', 3), ('${eventAt("03-28T22:53:00")}', 'trial', 3, 'true', NULL),
  ('${eventAt("03-29T22:31:00")}', 'plan', 1, 'free', NULL), ('${eventAt("03-29T22:31:00")}', 'seats', 2, '1.0000', 1), ('${eventAt("03-29T22:31:00")}', 'trial', 3, 'false', NULL),
  ('${eventAt("03-30T10:05:00")}', 'plan', 1, 'pro', NULL), ('${eventAt("03-30T10:05:00")}', 'seats', 1, '5', NULL)
) AS property (event, key, type, string, number) ON event = event_id;
`

/** The sites of the events below, as a question sees them. */
export const QUESTION_SITES = [
  questionSite({ id: SITE, name: "Shop" }),
  questionSite({ id: OTHER_SITE, name: "Other" })
]

/** Writes the events of the contract's fixture into a fresh database, with amounts, sources and properties. */
export const fillWithEvents = (url: Parameters<typeof openClient>[0]): Promise<void> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(openClient(url, 1), (sql) =>
        Effect.andThen(
          fillPostgres(sql),
          Effect.forEach(
            EXTRA.split(";\n").filter((one) => one.trim() !== ""),
            (one) => sql.unsafe(one),
            { discard: true }
          )
        )
      )
    )
  )
