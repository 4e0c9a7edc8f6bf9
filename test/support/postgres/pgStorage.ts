import { Clock, Context, Effect, Layer, type Redacted, type Scope } from "effect"
import type { SqlError } from "effect/sql"
import { AppDatabase, DatabaseUrl, WriterDatabase } from "../../../layers/postgres/client/Database.ts"
import type { DatabaseClient } from "../../../layers/postgres/client/makeClient.ts"
import * as PgStorage from "../../../layers/postgres/events/PgStorage.ts"
import type { EventRecord, Property, SessionRecord } from "../../../src/domain/Event.ts"
import { Storage } from "../../../src/ports/Storage.ts"
import type { Environment } from "../../../src/settings/resolve.ts"
import { type Stored, stored } from "../collect/records.ts"
import * as MemorySettings from "../memory/MemorySettings.ts"
import { freshDatabase, openClient } from "./postgres.ts"

let shared: Promise<Redacted.Redacted<string>> | undefined

/**
 * A migrated database without rows, the same one every time, since creating one takes much longer than emptying it. For tests that change
 * only rows.
 */
export const emptiedDatabase = Effect.gen(function* () {
  shared ??= freshDatabase()
  const url = yield* Effect.promise(() => shared!)
  const sql = yield* openClient(url, 1)
  for (const table of [...EVENT_TABLES, "product_analytics_session_data", "product_analytics_site"]) {
    yield* sql.unsafe(`DELETE FROM ${table}`)
  }
  return url
}).pipe(Effect.scoped, Effect.orDie)

type StatementResult = Effect.Effect<ReadonlyArray<object>, SqlError.SqlError>

/** Replaces the result of a writer's statement. `run` runs the statement. */
export type Intercept = (statement: string, parameters: ReadonlyArray<unknown>, run: StatementResult) => StatementResult

export interface StorageOptions {
  readonly environment?: Environment
  readonly clock?: Clock.Clock
  readonly intercept?: Intercept
}

const intercepted = (sql: DatabaseClient, intercept: Intercept): DatabaseClient =>
  new Proxy(sql, {
    get: (target, name) =>
      name === "unsafe"
        ? (statement: string, parameters: ReadonlyArray<unknown> = []) =>
            intercept(statement, parameters, target.unsafe<object>(statement, parameters))
        : Reflect.get(target, name, target)
  })

/** The event writer of one process, with its own connections, until the scope closes. */
export const openStorage = (
  url: Redacted.Redacted<string>,
  { clock, environment = {}, intercept = (_, __, run) => run }: StorageOptions = {}
): Effect.Effect<Storage["Service"], never, Scope.Scope> => {
  const writer = Layer.effect(
    WriterDatabase,
    Effect.map(WriterDatabase, (sql) => intercepted(sql, intercept))
  ).pipe(Layer.provide(WriterDatabase.layer))
  const build = PgStorage.layer.pipe(
    Layer.provide(writer),
    Layer.provide(AppDatabase.layer),
    Layer.provide(MemorySettings.layer(environment)),
    Layer.provide(Layer.succeed(DatabaseUrl, { url, embedded: true })),
    Layer.fresh,
    Layer.build,
    Effect.map(Context.get(Storage)),
    Effect.orDie
  )
  return clock === undefined ? build : Effect.provideService(build, Clock.Clock, clock)
}

/** A clock whose wall time is set by the test. Sleeps and timeouts take real time. */
export const settableClock = (shown: number) => {
  const real = Effect.runSync(Clock.Clock)
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => shown,
    currentTimeMillis: Effect.sync(() => shown),
    currentTimeNanosUnsafe: () => BigInt(shown) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(shown) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: real.monotonicTimeNanos,
    sleep: (duration) => real.sleep(duration)
  }
  return {
    clock,
    show: (moment: number) => {
      shown = moment
    }
  }
}

/** Blocks writers of the tables, but not readers, until the scope closes. */
export const lockTables = Effect.fnUntraced(function* (sql: DatabaseClient, ...tables: ReadonlyArray<string>) {
  const connection = yield* Effect.orDie(sql.reserve)
  const run = (statement: string) => Effect.orDie(connection.execute(statement, [], undefined))
  yield* run("BEGIN")
  yield* run(`LOCK TABLE ${tables.join(", ")} IN EXCLUSIVE MODE`)
  yield* Effect.addFinalizer(() => run("ROLLBACK"))
})

export const EVENT_TABLES = ["product_analytics_event_data", "product_analytics_event", "product_analytics_session"]

const MS = (column: string) => `round(extract(epoch FROM ${column}) * 1000)::float8`

const EVENTS = `SELECT event_id AS "id", site_id AS "siteId", session_id AS "sessionId", visit_id AS "visitId",
  ${MS("created_at")} AS "createdAt", event_type AS "type", event_name AS "name", tag, hostname, url_path AS "urlPath",
  url_query AS "urlQuery", page_title AS "pageTitle", referrer_path AS "referrerPath", referrer_query AS "referrerQuery",
  referrer_domain AS "referrerDomain", utm_source AS "utmSource", utm_medium AS "utmMedium", utm_campaign AS "utmCampaign",
  utm_content AS "utmContent", utm_term AS "utmTerm", gclid, fbclid, msclkid, ttclid, li_fat_id AS "liFatId", twclid,
  lcp::float8, inp::float8, fcp::float8, ttfb::float8, cls::float8, revenue::float8, currency
FROM product_analytics_event`

const SESSIONS = `SELECT session_id AS "id", site_id AS "siteId", distinct_id AS "distinctId", browser, os, device, screen,
  language, country, region, city, ${MS("created_at")} AS "createdAt", first_path AS "firstPath",
  first_referrer_domain AS "firstReferrerDomain", first_utm_source AS "firstUtmSource", first_utm_medium AS "firstUtmMedium",
  first_utm_campaign AS "firstUtmCampaign"
FROM product_analytics_session`

const VALUES = `data_key AS "key", data_type AS "type", string_value AS "string", number_value::float8 AS "number",
  ${MS("date_value")} AS "date"`

/** Everything in the tables, as records. */
export const readStored = (sql: DatabaseClient): Effect.Effect<Stored> =>
  Effect.gen(function* () {
    const events = yield* sql.unsafe<Omit<EventRecord, "properties" | "session">>(EVENTS)
    const properties = yield* sql.unsafe<Property & { readonly owner: string }>(
      `SELECT event_id AS "owner", ${VALUES} FROM product_analytics_event_data`
    )
    const sessions = yield* sql.unsafe<SessionRecord>(SESSIONS)
    const attributes = yield* sql.unsafe<Property & { readonly sessionId: string }>(
      `SELECT session_id AS "sessionId", ${VALUES} FROM product_analytics_session_data`
    )
    const eventIds = new Set(events.map(({ id }) => id as string))
    const orphan = properties.find(({ owner }) => !eventIds.has(owner))
    if (orphan !== undefined) throw new Error(`the property ${orphan.key} has no event`)
    const propertiesByEvent = Map.groupBy(properties, ({ owner }) => owner)
    return stored({
      events: events.map((record) => ({
        ...record,
        session: null,
        properties: (propertiesByEvent.get(record.id) ?? []).map(({ owner: _, ...property }) => property)
      })),
      sessions,
      attributes
    })
  }).pipe(Effect.orDie)
