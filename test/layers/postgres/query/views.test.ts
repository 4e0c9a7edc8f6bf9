import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Effect, type Scope } from "effect"
import type { DatabaseClient } from "../../../../layers/postgres/client/makeClient.ts"
import { sqlCode } from "../../../../layers/postgres/client/sqlErrors.ts"
import { DataType, EventType, type Property } from "../../../../src/domain/Event.ts"
import { EventId, VisitId } from "../../../../src/domain/ids.ts"
import type { Storage } from "../../../../src/ports/Storage.ts"
import { SITE } from "../../../support/collect/collect.ts"
import { event, identity, saveAll, session, text } from "../../../support/collect/records.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { emptiedDatabase, openStorage } from "../../../support/postgres/pgStorage.ts"
import { openClient } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

interface World {
  readonly sql: DatabaseClient
  readonly storage: Storage["Service"]
}

const withStorage = (body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
  run(
    Effect.gen(function* () {
      const url = yield* emptiedDatabase
      yield* body({ sql: yield* openClient(url), storage: yield* openStorage(url) })
    })
  )

/** The columns of the query contract, section 1.1, with Postgres' names of their base types. */
const COLUMNS: Readonly<Record<string, Readonly<Record<string, ReadonlyArray<string>>>>> = {
  v_pa_sites: {
    uuid: ["id", "uuid"],
    text: ["name", "allowed_domains", "timezone", "week_start", "currency"],
    boolean: ["archived"],
    timestamptz: ["created_at", "updated_at"]
  },
  v_pa_sessions: {
    uuid: ["id", "session_uuid", "site_id"],
    text: [
      "distinct_id",
      "browser",
      "os",
      "device",
      "screen",
      "language",
      "country",
      "subdivision1",
      "region",
      "city",
      "first_referrer_domain",
      "first_utm_source",
      "first_utm_medium",
      "first_utm_campaign",
      "first_path"
    ],
    timestamptz: ["created_at", "updated_at", "last_seen_at"]
  },
  v_pa_events: {
    uuid: ["id", "site_id", "session_id", "visit_id"],
    int: ["event_type"],
    text: [
      "event_name",
      "url_path",
      "url_query",
      "referrer_path",
      "referrer_query",
      "referrer_domain",
      "page_title",
      "utm_source",
      "utm_medium",
      "utm_campaign",
      "utm_content",
      "utm_term",
      "gclid",
      "fbclid",
      "msclkid",
      "ttclid",
      "li_fat_id",
      "twclid",
      "hostname",
      "tag",
      "channel",
      "currency"
    ],
    decimal: ["lcp", "inp", "fcp", "ttfb", "cls", "revenue"],
    boolean: ["is_entry", "is_exit"],
    timestamptz: ["created_at"]
  },
  v_pa_event_data: {
    uuid: ["id", "event_id", "site_id", "session_id"],
    text: ["data_key", "string_value"],
    decimal: ["number_value"],
    int: ["data_type"],
    timestamptz: ["date_value", "created_at"]
  },
  v_pa_session_data: {
    uuid: ["id", "session_id", "site_id"],
    text: ["data_key", "string_value", "distinct_id"],
    decimal: ["number_value"],
    int: ["data_type"],
    timestamptz: ["date_value", "created_at"]
  },
  v_pa_visits: {
    uuid: ["id", "site_id", "session_id"],
    text: [
      "entry_path",
      "exit_path",
      "referrer_domain",
      "channel",
      "utm_source",
      "utm_medium",
      "utm_campaign",
      "utm_content",
      "utm_term",
      "country",
      "device",
      "browser",
      "os"
    ],
    boolean: ["is_bounce"],
    int: ["pageviews", "events", "duration_s"],
    timestamptz: ["started_at", "ended_at"]
  },
  v_pa_user_flows: {
    uuid: ["site_id"],
    text: ["source", "target"],
    int: ["step", "value"],
    timestamptz: ["day"]
  }
}

const BASE_TYPES: Readonly<Record<string, string>> = {
  uuid: "uuid",
  text: "text",
  "character varying": "text",
  character: "text",
  boolean: "boolean",
  smallint: "int",
  integer: "int",
  bigint: "int",
  numeric: "decimal",
  "timestamp with time zone": "timestamptz"
}

const VIEWS = Object.keys(COLUMNS)

describe("views", () => {
  test("the views are those of the contract", () =>
    withStorage(({ sql }) =>
      Effect.gen(function* () {
        const found = yield* sql.unsafe<{ name: string }>(
          "SELECT table_name AS name FROM information_schema.views WHERE table_schema = current_schema()"
        )
        expect(found.map(({ name }) => name).sort()).toEqual(VIEWS.toSorted())
      })
    ))

  test.each(VIEWS)("%s has the columns and types of the contract", (view) =>
    withStorage(({ sql }) =>
      Effect.gen(function* () {
        const columns = yield* sql.unsafe<{ name: string; type: string }>(
          "SELECT column_name AS name, data_type AS type FROM information_schema.columns WHERE table_name = $1",
          [view]
        )
        const byType = Map.groupBy(columns, ({ type }) => BASE_TYPES[type] ?? type)
        const found = Object.fromEntries([...byType].map(([type, of]) => [type, of.map(({ name }) => name).sort()]))
        const expected = Object.entries(COLUMNS[view]!).map(([type, names]) => [type, names.toSorted()])
        expect(found).toEqual(Object.fromEntries(expected))
      })
    )
  )

  test("no view or table has a column for an IP address", () =>
    withStorage(({ sql }) =>
      Effect.gen(function* () {
        expect(
          yield* sql.unsafe(`SELECT table_name, column_name FROM information_schema.columns
            WHERE table_schema = current_schema() AND (data_type IN ('inet', 'cidr') OR column_name ~ '(^|_)(ip|address)(_|$)')`)
        ).toEqual([])
      })
    ))

  test("views work in a read-only transaction with a fixed search path", () =>
    withStorage(({ sql, storage }) =>
      Effect.gen(function* () {
        yield* storage.saveEvent(event({ properties: [text("plan", "Team")] }))
        yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql.unsafe("SET TRANSACTION READ ONLY")
            yield* sql.unsafe("SET LOCAL search_path = public")
            yield* sql.unsafe("SET LOCAL ROLE footfall_reader")
            for (const view of VIEWS) yield* sql.unsafe(`SELECT * FROM ${view}`)
          })
        )
      })
    ))
})

describe("v_pa_sites", () => {
  test("v_pa_sites has every site, including archived ones, with its domains as a list", () =>
    withStorage(({ sql }) =>
      Effect.gen(function* () {
        yield* sql.unsafe(`INSERT INTO product_analytics_site (id, name, domains, timezone, week_start, currency, archived_at)
          VALUES ('${SITE}', 'Shop', '{shop.example,*.shop.example}', 'Europe/Berlin', 'sunday', 'EUR', NULL),
            ('22222222-2222-4333-8444-555555555555', 'Old', '{}', 'UTC', 'monday', 'USD', now())`)
        expect(
          yield* sql.unsafe(`SELECT id, uuid, name, allowed_domains, archived, timezone, week_start, currency
            FROM v_pa_sites ORDER BY name`)
        ).toEqual([
          {
            id: "22222222-2222-4333-8444-555555555555",
            uuid: "22222222-2222-4333-8444-555555555555",
            name: "Old",
            allowed_domains: "",
            archived: true,
            timezone: "UTC",
            week_start: "monday",
            currency: "USD"
          },
          {
            id: SITE,
            uuid: SITE,
            name: "Shop",
            allowed_domains: "shop.example,*.shop.example",
            archived: false,
            timezone: "Europe/Berlin",
            week_start: "sunday",
            currency: "EUR"
          }
        ])
      })
    ))
})

describe("v_pa_sessions", () => {
  test("v_pa_sessions has the time of a session's newest event, or its own time if it has none", () =>
    withStorage(({ sql, storage }) =>
      Effect.gen(function* () {
        const at = (hour: number) => Date.UTC(2026, 2, 1, hour)
        const [active, silent, early] = [9, 10, 11].map((hour) => session({ createdAt: at(hour) })) as [
          never,
          never,
          never
        ]
        yield* saveAll(storage, [
          event({ session: active, createdAt: at(9) }),
          event({ session: active, createdAt: at(12), type: EventType.custom, name: "e" }),
          event({ session: active, createdAt: at(11) }),
          // Sent with its own timestamp, before the session's.
          event({ session: early, createdAt: at(8) })
        ])
        yield* storage.saveIdentity(identity(silent))
        expect(
          yield* sql.unsafe(
            "SELECT extract(hour FROM last_seen_at)::int AS hour FROM v_pa_sessions ORDER BY created_at"
          )
        ).toEqual([{ hour: 12 }, { hour: 10 }, { hour: 8 }])
      })
    ))

  test("v_pa_sessions has a visitor's columns under the names of Umami and the contract", () =>
    withStorage(({ sql, storage }) =>
      Effect.gen(function* () {
        const visitor = session({
          distinctId: "ann",
          browser: "firefox",
          os: "Linux",
          device: "desktop",
          screen: "1920x1080",
          language: "en-GB",
          country: "GB",
          region: "GB-ENG",
          city: "London",
          firstPath: "/start",
          firstReferrerDomain: "google.com",
          firstUtmSource: "s",
          firstUtmMedium: "m",
          firstUtmCampaign: "c"
        })
        yield* storage.saveEvent(event({ session: visitor }))
        const [row] = yield* sql.unsafe("SELECT * FROM v_pa_sessions")
        expect(row).toMatchObject({
          id: visitor.id,
          session_uuid: visitor.id,
          site_id: SITE,
          distinct_id: "ann",
          browser: "firefox",
          os: "Linux",
          device: "desktop",
          screen: "1920x1080",
          language: "en-GB",
          country: "GB",
          subdivision1: "GB-ENG",
          region: "GB-ENG",
          city: "London",
          first_path: "/start",
          first_referrer_domain: "google.com",
          first_utm_source: "s",
          first_utm_medium: "m",
          first_utm_campaign: "c"
        })
      })
    ))
})

describe("v_pa_events", () => {
  test("v_pa_events has an event with its revenue", () =>
    withStorage(({ sql, storage }) =>
      Effect.gen(function* () {
        yield* storage.saveEvent(event({ type: EventType.custom, name: "purchase", revenue: 49.9, currency: "EUR" }))
        yield* storage.saveEvent(event({ createdAt: 0 }))
        expect(
          yield* sql.unsafe(
            "SELECT event_type, event_name, revenue::text AS revenue, currency FROM v_pa_events ORDER BY created_at DESC"
          )
        ).toEqual([
          { event_type: 2, event_name: "purchase", revenue: "49.9000", currency: "EUR" },
          { event_type: 1, event_name: null, revenue: null, currency: null }
        ])
      })
    ))

  test("v_pa_events marks the first and last pageview of each visit", () =>
    withStorage(({ sql, storage }) =>
      Effect.gen(function* () {
        const visitor = session()
        const visit = (last: string) => VisitId.make(`0190a0b0-c0d0-5000-8000-${last.padStart(12, "0")}`)
        const id = (last: number) => EventId.make(`0190a0b0-c0d0-7000-9000-${String(last).padStart(12, "0")}`)
        const NOON = Date.UTC(2026, 1, 28, 23, 59, 50)
        // At the end of a month, so that visits continue in another partition.
        const eventAt = (
          urlPath: string,
          visitId: VisitId,
          second: number,
          type: EventType = EventType.pageview,
          eventId?: EventId
        ) =>
          event({
            session: visitor,
            urlPath,
            visitId,
            createdAt: NOON + second * 1_000,
            type,
            ...(eventId === undefined ? {} : { id: eventId })
          })
        yield* saveAll(storage, [
          eventAt("/a1", visit("a"), 0, EventType.custom),
          eventAt("/a2", visit("a"), 1),
          eventAt("/a3", visit("a"), 15),
          eventAt("/a4", visit("a"), 30),
          eventAt("/a5", visit("a"), 40, EventType.performance),
          eventAt("/b1", visit("b"), 20),
          // At the same time, the ids decide the order.
          eventAt("/c2", visit("c"), 5, EventType.pageview, id(2)),
          eventAt("/c1", visit("c"), 5, EventType.pageview, id(1)),
          eventAt("/d1", visit("d"), 5, EventType.custom)
        ])
        // Another visitor's view with the same visit id, which is possible for two sites with the same secret.
        yield* storage.saveEvent(event({ urlPath: "/a0", visitId: visit("a"), createdAt: NOON - 1_000 }))
        expect(yield* sql.unsafe("SELECT url_path, is_entry, is_exit FROM v_pa_events ORDER BY url_path")).toEqual([
          { url_path: "/a0", is_entry: true, is_exit: true },
          { url_path: "/a1", is_entry: false, is_exit: false },
          { url_path: "/a2", is_entry: true, is_exit: false },
          { url_path: "/a3", is_entry: false, is_exit: false },
          { url_path: "/a4", is_entry: false, is_exit: true },
          { url_path: "/a5", is_entry: false, is_exit: false },
          { url_path: "/b1", is_entry: true, is_exit: true },
          { url_path: "/c1", is_entry: true, is_exit: false },
          { url_path: "/c2", is_entry: false, is_exit: true },
          { url_path: "/d1", is_entry: false, is_exit: false }
        ])
      })
    ))
})

describe("properties and attributes", () => {
  const SEATS: Property = { key: "seats", type: DataType.number, string: "5.0000", number: 5, date: null }

  test("properties and attributes have one row per key, with an id of its own", () =>
    withStorage(({ sql, storage }) =>
      Effect.gen(function* () {
        const visitor = session({ distinctId: "ann" })
        const record = event({
          session: visitor,
          type: EventType.custom,
          name: "e",
          properties: [SEATS, text("a", "1")]
        })
        yield* storage.saveEvent(record)
        yield* storage.saveEvent(event({ properties: [SEATS] }))
        yield* storage.saveIdentity(identity(visitor, [SEATS, text("a", "1")]))
        yield* storage.saveIdentity(identity(session(), [SEATS]))
        for (const view of ["v_pa_event_data", "v_pa_session_data"]) {
          expect(
            yield* sql.unsafe(`SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids FROM ${view}`)
          ).toEqual([{ rows: 3, ids: 3 }])
        }
        expect(
          yield* sql.unsafe(
            `SELECT event_id, session_id, site_id, data_key, data_type, string_value, number_value::float8, date_value
            FROM v_pa_event_data WHERE event_id = $1 AND data_key = 'seats'`,
            [record.id]
          )
        ).toEqual([
          {
            event_id: record.id,
            session_id: visitor.id,
            site_id: SITE,
            data_key: "seats",
            data_type: 2,
            string_value: "5.0000",
            number_value: 5,
            date_value: null
          }
        ])
        expect(
          yield* sql.unsafe(
            "SELECT session_id, site_id, distinct_id, data_key, string_value FROM v_pa_session_data WHERE data_key = 'a'"
          )
        ).toEqual([{ session_id: visitor.id, site_id: SITE, distinct_id: "ann", data_key: "a", string_value: "1" }])
      })
    ))

  test("properties and attributes keep their ids when their values change", () =>
    withStorage(({ sql, storage }) =>
      Effect.gen(function* () {
        const visitor = session()
        yield* storage.saveIdentity(identity(visitor, [text("plan", "Team")]))
        const before = yield* sql.unsafe("SELECT id FROM v_pa_session_data")
        yield* storage.saveIdentity(identity(visitor, [text("plan", "Solo")]))
        expect(yield* sql.unsafe("SELECT id FROM v_pa_session_data")).toEqual(before)
      })
    ))
})

/** The role that queries run as. */
describe("footfall_reader", () => {
  const asReader = <A, E>(sql: DatabaseClient, effect: Effect.Effect<A, E>) =>
    sql.withTransaction(Effect.andThen(Effect.orDie(sql.unsafe("SET LOCAL ROLE footfall_reader")), effect))

  test("footfall_reader may select from the views and nothing else", () =>
    withStorage(({ sql }) =>
      Effect.gen(function* () {
        const rights = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"]
        const found = yield* sql.unsafe<{ name: string; rights: string }>(
          `SELECT relname AS name, string_agg(privilege, ' ') AS rights FROM pg_class, unnest($1::text::text[]) AS privilege
          WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
            AND has_table_privilege('footfall_reader', oid, privilege)
          GROUP BY relname ORDER BY relname`,
          [`{${rights.join()}}`]
        )
        expect(found).toEqual(VIEWS.toSorted().map((name) => ({ name, rights: "SELECT" })))
        expect(
          yield* sql.unsafe(`SELECT has_schema_privilege('footfall_reader', current_schema(), 'CREATE') AS creates,
            has_database_privilege('footfall_reader', current_database(), 'CREATE') AS creates_schemas,
            rolcanlogin AS logs_in, rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication AS privileged
            FROM pg_roles WHERE rolname = 'footfall_reader'`)
        ).toEqual([{ creates: false, creates_schemas: false, logs_in: false, privileged: false }])
      })
    ))

  test("footfall_reader reads rows through the views", () =>
    withStorage(({ sql, storage }) =>
      Effect.gen(function* () {
        const visitor = session()
        yield* storage.saveEvent(
          event({ session: visitor, referrerDomain: "google.com", properties: [text("plan", "Team")] })
        )
        yield* storage.saveIdentity(identity(visitor, [text("plan", "Team")]))
        for (const view of ["v_pa_sessions", "v_pa_events", "v_pa_event_data", "v_pa_session_data"]) {
          expect((yield* asReader(sql, sql.unsafe(`SELECT * FROM ${view}`))).length).toBe(1)
        }
        expect(yield* asReader(sql, sql.unsafe("SELECT channel, is_entry FROM v_pa_events"))).toEqual([
          { channel: "organicSearch", is_entry: true }
        ])
      })
    ))

  test.each([
    "SELECT FROM product_analytics_event",
    "SELECT FROM product_analytics_event_default",
    "SELECT FROM product_analytics_session",
    "SELECT FROM product_analytics_site",
    "SELECT FROM product_analytics_setting",
    "SELECT FROM product_analytics_secret",
    "SELECT FROM product_analytics_key",
    "SELECT FROM product_analytics_migration",
    "UPDATE v_pa_sites SET name = 'mine'",
    "DELETE FROM v_pa_event_data",
    "INSERT INTO v_pa_sites (id) VALUES (gen_random_uuid())",
    "CREATE TABLE mine (id int)",
    "SELECT product_analytics_ensure_month('product_analytics_event', '2001-01-01')",
    "SELECT pg_read_file('postgresql.conf')",
    "COPY (SELECT 1) TO '/tmp/footfall'"
  ])("footfall_reader may not run %s", (statement) =>
    withStorage(({ sql }) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(asReader(sql, sql.unsafe(statement)))
        expect(sqlCode(error)).toBe("42501")
      })
    )
  )
})
