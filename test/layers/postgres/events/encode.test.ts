import { expect, setDefaultTimeout, test } from "bun:test"
import { Effect, type Redacted, type Scope } from "effect"
import fc from "fast-check"
import type { DatabaseClient } from "../../../../layers/postgres/client/makeClient.ts"
import { DataType, type EventRecord, type Property } from "../../../../src/domain/Event.ts"
import { EventId, SiteId } from "../../../../src/domain/ids.ts"
import type { Storage } from "../../../../src/ports/Storage.ts"
import { event, identity, saveAll, session, sessionsOf, stored, text } from "../../../support/collect/records.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { emptiedDatabase, openStorage, readStored } from "../../../support/postgres/pgStorage.ts"
import { freshDatabase, openClient } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

interface World {
  readonly sql: DatabaseClient
  readonly storage: Storage["Service"]
}

/** Runs a test with a storage, and a client for its database. */
const withStorage = (
  body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>,
  database: Effect.Effect<Redacted.Redacted<string>, never, Scope.Scope> = emptiedDatabase
) =>
  run(
    Effect.gen(function* () {
      const url = yield* database
      yield* body({ sql: yield* openClient(url), storage: yield* openStorage(url) })
    })
  )

/** Strings as the pipeline makes them, without NUL and lone surrogates. Long strings are included because they are encoded differently. */
const textUpTo = (limit: number) =>
  fc
    .oneof(
      fc.string({ unit: "grapheme", maxLength: limit }),
      fc.string({ unit: fc.constantFrom("a", "Z", "0", " ", '"', "\\", "{", ",", "\n", "\t"), maxLength: limit }),
      fc.string({ unit: fc.constantFrom("ä", "\u07ff", "\u0800", "\uffff", "😀", "\u{10ffff}"), maxLength: limit >> 1 })
    )
    .map((value) => value.substring(0, limit).toWellFormed().replaceAll("\0", ""))
const maybe = (limit: number) => fc.option(textUpTo(limit))
/** A value that a decimal(19,4) represents exactly. */
const decimal = fc.option(
  fc
    .record({
      whole: fc.integer({ min: -99_999_999_999, max: 99_999_999_999 }),
      part: fc.integer({ min: 0, max: 9_999 })
    })
    .map(({ part, whole }) => Number(`${whole}.${String(part).padStart(4, "0")}`))
)
const moment = fc.oneof(
  fc.integer({ min: Date.UTC(2020), max: Date.UTC(2040) }),
  // From year 1 to JavaScript's last, which Postgres can store.
  fc.integer({ min: -62_135_596_800_000, max: 8_640_000_000_000_000 }),
  fc.constantFrom(0, -1, 946_684_799_999, 946_684_800_000, 946_684_800_001, 951_000_000_000, 8_640_000_000_000_000)
)
const uuid = fc.uuid({ version: [1, 4, 5, 7] })

const property: fc.Arbitrary<Property> = fc.record({
  key: textUpTo(60),
  type: fc.constantFrom(...Object.values(DataType)),
  string: textUpTo(200),
  number: decimal,
  date: fc.option(moment)
})
const properties = fc.uniqueArray(property, { selector: ({ key }) => key, maxLength: 4 })

const record = fc
  .record({
    createdAt: moment,
    siteId: uuid.map((id) => SiteId.make(id)),
    type: fc.constantFrom(1, 2, 3, 4, 5),
    name: maybe(50),
    tag: maybe(50),
    urlPath: textUpTo(500),
    urlQuery: maybe(500),
    hostname: maybe(100),
    pageTitle: maybe(500),
    referrerPath: maybe(100),
    referrerQuery: maybe(100),
    referrerDomain: maybe(100),
    utmSource: maybe(60),
    utmMedium: maybe(60),
    utmCampaign: maybe(60),
    utmContent: maybe(60),
    utmTerm: maybe(60),
    gclid: maybe(60),
    fbclid: maybe(60),
    msclkid: maybe(60),
    ttclid: maybe(60),
    liFatId: maybe(60),
    twclid: maybe(60),
    lcp: fc.option(fc.integer({ min: 0, max: 600_000 }).map((tenths) => tenths / 10)),
    cls: fc.option(fc.integer({ min: 0, max: 1_000_000 }).map((parts) => parts / 10_000)),
    revenue: decimal,
    currency: maybe(10),
    properties
  })
  .map((fields) =>
    event({
      ...(fields as Partial<EventRecord>),
      session: session({ createdAt: fields.createdAt, city: fields.utmTerm })
    })
  )

test("any event is stored with every value unchanged", () =>
  withStorage(({ sql, storage }) =>
    Effect.gen(function* () {
      const records = fc.sample(record, { numRuns: 1_500, seed: 20_261_124 })
      expect(new Set(yield* saveAll(storage, records))).toEqual(new Set(["stored"]))
      expect(yield* readStored(sql)).toEqual(stored({ events: records, sessions: sessionsOf(records) }))
    })
  ))

test("any attribute is stored with every value unchanged", () =>
  withStorage(({ sql, storage }) =>
    Effect.gen(function* () {
      const visitors = fc
        .sample(properties, { numRuns: 300, seed: 20_261_124 })
        .map((attributes) => identity(session(), attributes))
      for (const visitor of visitors) yield* storage.saveIdentity(visitor)
      expect(yield* readStored(sql)).toEqual(
        stored({
          sessions: visitors.map((visitor) => visitor.session),
          attributes: visitors.flatMap((visitor) =>
            visitor.properties.map((attribute) => ({ ...attribute, sessionId: visitor.session.id }))
          )
        })
      )
    })
  ))

test("upper-case ids are accepted, and a lone surrogate becomes a replacement character", () =>
  withStorage(({ sql, storage }) =>
    Effect.gen(function* () {
      const id = "0190A0B0-C0D0-7ABC-8DEF-ABCDEF123456"
      yield* storage.saveEvent(event({ id: EventId.make(id), pageTitle: "a\ud800b" }))
      expect((yield* readStored(sql)).events).toMatchObject([{ id: id.toLowerCase(), pageTitle: "a\ufffdb" }])
    })
  ))

test("a number keeps all its digits, and NaN and infinities become null", () =>
  withStorage(({ sql, storage }) =>
    Effect.gen(function* () {
      const numbers = [
        123_456_789_012.3456,
        0.00005,
        1e-7,
        999_999_999_999_999,
        -0,
        Number.NaN,
        Number.POSITIVE_INFINITY
      ]
      yield* storage.saveEvent(
        event({ properties: numbers.map((number, index) => ({ ...text(String(index), "x"), number })) })
      )
      expect(
        yield* sql.unsafe("SELECT number_value::text AS value FROM product_analytics_event_data ORDER BY data_key")
      ).toEqual(
        ["123456789012.3456", "0.0001", "0.0000", "999999999999999.0000", "0.0000", null, null].map((value) => ({
          value
        }))
      )
    })
  ))

test("writing continues when the database was restored from a dump, where the row types have other OIDs", () =>
  withStorage(
    ({ sql, storage }) =>
      Effect.gen(function* () {
        yield* saveAll(storage, [event()])
        for (const type of ["session", "session_data", "event", "event_data"]) {
          const name = `product_analytics_${type}_row`
          const [row] = yield* sql.unsafe<{ columns: string }>(
            `SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS columns
           FROM pg_attribute WHERE attrelid = (SELECT typrelid FROM pg_type WHERE oid = '${name}'::regtype)`
          )
          yield* sql.unsafe(`DROP TYPE ${name}`)
          yield* sql.unsafe(`CREATE TYPE ${name} AS (${row!.columns})`)
        }
        const records = [event({ properties: [text("plan", "Team")] }), event()]
        expect(yield* saveAll(storage, records)).toEqual(["stored", "stored"])
        const visitor = session()
        yield* storage.saveIdentity(identity(visitor, [text("role", "owner")]))
        const held = yield* readStored(sql)
        expect(held.events).toHaveLength(3)
        expect(held.attributes).toEqual([{ ...text("role", "owner"), sessionId: visitor.id }])
      }),
    Effect.promise(freshDatabase)
  ))
