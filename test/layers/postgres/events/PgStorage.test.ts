import { describe, expect, setDefaultTimeout, test } from "bun:test"
import type { PgClient, PgTypes } from "@effect/sql-pg"
import { type Clock, Effect, Exit, Fiber, type Redacted, Scope } from "effect"
import { SqlError } from "effect/sql"
import { TestClock } from "effect/testing"
import { INSERT_EVENTS, UPSERT_IDENTITIES } from "../../../../layers/postgres/events/batch.ts"
import { type EventRecord, EventType, type IdentityRecord, type Property } from "../../../../src/domain/Event.ts"
import { SiteId, VisitId } from "../../../../src/domain/ids.ts"
import type { StorageError } from "../../../../src/domain/StorageError.ts"
import type { Storage } from "../../../../src/ports/Storage.ts"
import { run } from "../../../support/controlPlane.ts"
import { eventually, nextTurn } from "../../../support/eventually.ts"
import {
  EVENT_TABLES,
  emptiedDatabase,
  type Intercept,
  lockTables,
  openStorage,
  readStored,
  settableClock
} from "../../../support/pgStorage.ts"
import { freshDatabase, openClient } from "../../../support/postgres.ts"
import {
  event,
  events,
  identity,
  NOW,
  type Outcome,
  saveAll,
  session,
  sessionsOf,
  stored,
  text,
  untilWaiting
} from "../../../support/records.ts"

// The first test waits for the server to be made.
setDefaultTimeout(20_000)

interface World {
  readonly url: Redacted.Redacted<string>
  readonly sql: PgClient.PgClient
}

type Body = (world: World) => Effect.Effect<void, unknown, Scope.Scope>

/** A test on an empty database, with a client beside the storage's. */
const inWorld = (body: Body, database = emptiedDatabase) =>
  run(
    Effect.gen(function* () {
      const url = yield* database
      yield* body({ url, sql: yield* openClient(url) })
    })
  )

/** A test that changes more of its database than rows. */
const inOwnWorld = (body: Body) => inWorld(body, Effect.promise(freshDatabase))

/** Listens to the writer's statements: what each batch held, and how many were under way at most. */
const listen = (to = INSERT_EVENTS) => {
  const batches: Array<number> = []
  const sessions: Array<number> = []
  let running = 0
  const heard = { batches, sessions, most: 0, mostBytes: 0 }
  const rows = (parameter: unknown) => (parameter as PgTypes.Parameter).value as ReadonlyArray<EventRecord>
  const bytes = (event: EventRecord) =>
    event.properties.reduce((sum, { key, string }) => sum + key.length + string.length, 0)
  const intercept: Intercept = (statement, parameters, answer) =>
    statement === to
      ? Effect.suspend(() => {
          batches.push(rows(parameters[1]).length)
          sessions.push(rows(parameters[0]).length)
          heard.most = Math.max(heard.most, ++running)
          if (to === INSERT_EVENTS) {
            heard.mostBytes = Math.max(
              heard.mostBytes,
              rows(parameters[1]).reduce((sum, event) => sum + bytes(event), 0)
            )
          }
          return Effect.ensuring(
            answer,
            Effect.sync(() => {
              running--
            })
          )
        })
      : answer
  return { heard, intercept }
}

/** The first writes come to this end, the others to their own. */
const failFirst = (count: number, outcome: (answer: ReturnType<Intercept>) => ReturnType<Intercept>) => {
  const seen = { writes: 0 }
  const intercept: Intercept = (statement, _, answer) =>
    statement === INSERT_EVENTS || statement === UPSERT_IDENTITIES
      ? Effect.suspend(() => (++seen.writes <= count ? outcome(answer) : answer))
      : answer
  return { seen, intercept }
}

const serverError = (code: string) =>
  new SqlError.SqlError({
    reason: new SqlError.UnknownError({ cause: Object.assign(new Error(`server says ${code}`), { code }) })
  })
const connectionLost = new SqlError.SqlError({ reason: new SqlError.ConnectionError({ cause: new Error("gone") }) })

const pageviews = (count: number) => events(count, (index) => ({ createdAt: NOW - index }))

/** Saves that the test does not wait for at once. */
const begin = (storage: Storage["Service"], records: ReadonlyArray<EventRecord>) =>
  Effect.forkDetach(saveAll(storage, records), { startImmediately: true })

const onlyStored = new Set<Outcome>(["stored"])
const outcomesOf = (fiber: Fiber.Fiber<ReadonlyArray<Outcome>>) => Effect.map(Fiber.join(fiber), (all) => new Set(all))

describe("a batch", () => {
  test("is one statement for whatever comes at the same time", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const { heard, intercept } = listen()
        const storage = yield* openStorage(url, { intercept })
        const records = pageviews(300)
        expect(new Set(yield* saveAll(storage, records))).toEqual(onlyStored)
        expect(heard.batches).toEqual([300])
        expect(yield* readStored(sql)).toEqual(stored({ events: records, sessions: sessionsOf(records) }))
      })
    ))

  test("gathers what comes while others are being written", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const { heard, intercept } = listen()
        const storage = yield* openStorage(url, { environment: { STORAGE_IN_FLIGHT: "2" }, intercept })
        const saves = yield* Effect.scoped(
          Effect.gen(function* () {
            yield* lockTables(sql, ...EVENT_TABLES)
            const first = yield* begin(storage, pageviews(1))
            yield* eventually("the first batch is under way", () => heard.batches.length === 1)
            const second = yield* begin(storage, pageviews(2))
            yield* eventually("the second batch is under way", () => heard.batches.length === 2)
            const others: Array<Fiber.Fiber<ReadonlyArray<Outcome>>> = []
            for (let turn = 0; turn < 10; turn++) others.push(yield* begin(storage, pageviews(5)))
            yield* untilWaiting(storage, 53)
            expect(yield* storage.status).toMatchObject({ inFlight: 2 })
            return [first, second, ...others]
          })
        )
        for (const save of saves) expect(yield* outcomesOf(save)).toEqual(onlyStored)
        expect(heard.batches).toEqual([1, 2, 50])
      })
    ))

  test("begins beside another one at once when 96 records wait for it, and not before the next sweep when they are fewer", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const { heard, intercept } = listen()
        const storage = yield* openStorage(url, { environment: { STORAGE_IN_FLIGHT: "3" }, intercept })
        const saves = yield* Effect.scoped(
          Effect.gen(function* () {
            yield* lockTables(sql, ...EVENT_TABLES)
            const first = yield* begin(storage, pageviews(1))
            yield* eventually("the first batch is under way", () => heard.batches.length === 1)
            const few = yield* begin(storage, pageviews(40))
            yield* Effect.promise(nextTurn)
            yield* Effect.promise(nextTurn)
            expect(heard.batches).toEqual([1])
            const more = yield* begin(storage, pageviews(56))
            yield* Effect.promise(nextTurn)
            expect(heard.batches).toEqual([1, 96])
            const last = yield* begin(storage, pageviews(3))
            const began = performance.now()
            yield* eventually("the third batch is under way", () => heard.batches.length === 3)
            expect(performance.now() - began).toBeLessThan(1_000)
            return [first, few, more, last]
          })
        )
        for (const save of saves) expect(yield* outcomesOf(save)).toEqual(onlyStored)
        expect(heard.batches).toEqual([1, 96, 3])
      })
    ))

  test("holds at most STORAGE_BATCH_SIZE records", () =>
    inWorld(({ url }) =>
      Effect.gen(function* () {
        const { heard, intercept } = listen()
        const storage = yield* openStorage(url, { environment: { STORAGE_BATCH_SIZE: "10" }, intercept })
        expect(new Set(yield* saveAll(storage, pageviews(95)))).toEqual(onlyStored)
        expect(heard.batches).toEqual([10, 10, 10, 10, 10, 10, 10, 10, 10, 5])
      })
    ))

  test("holds at most 4 MiB, however few records those are", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const { heard, intercept } = listen()
        const storage = yield* openStorage(url, { intercept })
        // Some 165 KB each.
        const records = events(60, () => ({ properties: bulk(250) }))
        expect(new Set(yield* saveAll(storage, records))).toEqual(onlyStored)
        expect(heard.batches.length).toBe(3)
        expect(heard.mostBytes).toBeWithin(3 << 20, (4 << 20) + 1)
        const [row] = yield* sql.unsafe<{ count: number }>(
          "SELECT count(*)::int AS count FROM product_analytics_event_data"
        )
        expect(row?.count).toBe(60 * 250)
      })
    ))

  test("is one of at most STORAGE_IN_FLIGHT", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const { heard, intercept } = listen()
        const environment = { STORAGE_IN_FLIGHT: "3", STORAGE_BATCH_SIZE: "10" }
        const storage = yield* openStorage(url, { environment, intercept })
        const saves = yield* Effect.scoped(
          Effect.gen(function* () {
            yield* lockTables(sql, ...EVENT_TABLES)
            const saves = yield* begin(storage, pageviews(200))
            yield* eventually("three batches are under way", () => heard.batches.length === 3)
            expect((yield* storage.status).inFlight).toBe(3)
            return saves
          })
        )
        expect(yield* outcomesOf(saves)).toEqual(onlyStored)
        expect([heard.batches.length, heard.most]).toEqual([20, 3])
      })
    ))
})

test("identities are written one batch after the other, in the order in which they came", () =>
  inWorld(({ sql, url }) =>
    Effect.gen(function* () {
      const { heard, intercept } = listen(UPSERT_IDENTITIES)
      const environment = { STORAGE_IN_FLIGHT: "4", STORAGE_BATCH_SIZE: "10" }
      const storage = yield* openStorage(url, { environment, intercept })
      const visitor = session()
      yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => identity(visitor, [text("step", String(index))])),
        (record) => storage.saveIdentity(record),
        { concurrency: "unbounded" }
      )
      expect([heard.batches.length, heard.most]).toEqual([10, 1])
      expect((yield* readStored(sql)).attributes).toEqual([{ ...text("step", "99"), sessionId: visitor.id }])
    })
  ))

describe("a session", () => {
  test("that is stored is not sent again", () =>
    inWorld(({ url }) =>
      Effect.gen(function* () {
        const { heard, intercept } = listen()
        const storage = yield* openStorage(url, { intercept })
        const [seen, identified] = [session(), session()]
        yield* storage.saveEvent(event({ session: seen }))
        yield* storage.saveIdentity(identity(identified))
        yield* saveAll(storage, [event({ session: seen }), event({ session: identified }), event()])
        expect(heard.sessions).toEqual([1, 1])
      })
    ))

  test("is sent again when the batch that brought it was not stored", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url)
        const visitor = session()
        yield* Effect.flip(storage.saveEvent(event({ session: visitor, name: "x".repeat(51) })))
        const record = event({ session: visitor })
        yield* storage.saveEvent(record)
        expect(yield* readStored(sql)).toEqual(stored({ events: [record], sessions: [visitor] }))
      })
    ))

  test("says when its distinct id came, and an attribute when it last changed", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url)
        const visitor = session({ createdAt: 1_000 })
        const known = { ...visitor, distinctId: "ann", createdAt: 2_000 }
        yield* storage.saveIdentity(identity(visitor, [text("plan", "Team"), text("role", "owner")], 1_000))
        yield* storage.saveIdentity(identity(known, [text("plan", "Team"), text("role", "guest")], 2_000))
        yield* storage.saveIdentity(identity({ ...known, createdAt: 3_000 }, [], 3_000))
        expect(
          yield* sql.unsafe(`SELECT extract(epoch FROM created_at)::int AS created, extract(epoch FROM updated_at)::int AS updated
            FROM product_analytics_session`)
        ).toEqual([{ created: 1, updated: 2 }])
        expect(
          yield* sql.unsafe(`SELECT data_key AS key, extract(epoch FROM created_at)::int AS changed
            FROM product_analytics_session_data ORDER BY data_key`)
        ).toEqual([
          { key: "plan", changed: 1 },
          { key: "role", changed: 2 }
        ])
      })
    ))
})

test("a property carries its event's site, session, name and time", () =>
  inWorld(({ sql, url }) =>
    Effect.gen(function* () {
      const storage = yield* openStorage(url)
      yield* saveAll(
        storage,
        events(20, (index) => ({
          siteId: SiteId.make(`22222222-2222-4333-8444-5555555555${10 + index}`),
          createdAt: NOW - index * 86_400_000,
          type: EventType.custom,
          name: index % 2 === 0 ? `event ${index}` : null,
          properties: [text("a", "1"), text("b", "2")]
        }))
      )
      expect(
        yield* sql.unsafe(`SELECT count(*)::int AS agreeing
          FROM product_analytics_event_data AS d JOIN product_analytics_event AS e USING (event_id)
          WHERE (d.site_id, d.session_id, d.created_at) = (e.site_id, e.session_id, e.created_at)
            AND d.event_name IS NOT DISTINCT FROM e.event_name`)
      ).toEqual([{ agreeing: 40 }])
    })
  ))

describe("the queue", () => {
  test("holds STORAGE_QUEUE_BYTES, identities counted with events", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url, { environment: { STORAGE_QUEUE_BYTES: String(1 << 20) } })
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* lockTables(sql, ...EVENT_TABLES)
            yield* begin(storage, [event({ properties: bulk(500) })])
            yield* Effect.forkDetach(storage.saveIdentity(identity(session(), bulk(500))), { startImmediately: true })
            yield* untilWaiting(storage, 2)
            // The texts of both make up three quarters of it.
            expect((yield* storage.status).pendingBytes).toBeWithin(2 * 500 * 506, 720_000)
            expect(
              yield* saveAll(storage, [event({ properties: bulk(750) }), event({ properties: bulk(800) })])
            ).toEqual(["Overloaded", "Overloaded"])
            const small = yield* begin(storage, pageviews(1))
            yield* untilWaiting(storage, 3)
            expect(small.pollUnsafe()).toBeUndefined()
          })
        )
        yield* storage.flush
        expect(yield* saveAll(storage, [event({ properties: bulk(750) })])).toEqual(["stored"])
      })
    ))

  test("takes a record that is larger than all of it when nothing else waits", () =>
    inWorld(({ url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url, { environment: { STORAGE_QUEUE_BYTES: String(1 << 20) } })
        expect(yield* saveAll(storage, [event({ properties: bulk(2_000) }), event()])).toEqual(["stored", "Overloaded"])
      })
    ))
})

describe("when the store does not answer", () => {
  const IMPATIENT = { STORAGE_TIMEOUT_SECONDS: "1", STORAGE_BATCH_SIZE: "10", STORAGE_IN_FLIGHT: "2" }

  test("every record is Unavailable at its deadline, written or waiting, and all goes on when it is back", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url, { environment: IMPATIENT })
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* lockTables(sql, ...EVENT_TABLES)
            const began = performance.now()
            const identified = yield* Effect.forkDetach(Effect.flip(storage.saveIdentity(identity(session()))), {
              startImmediately: true
            })
            expect(new Set(yield* saveAll(storage, pageviews(50)))).toEqual(new Set(["Unavailable"]))
            expect((yield* Fiber.join(identified)).reason).toBe("Unavailable")
            expect(performance.now() - began).toBeWithin(950, 3_000)
            expect(yield* storage.status).toMatchObject({ pendingRecords: 0, lastSuccessAt: null })
            // Answers don't wait for the driver, which breaks the statements off meanwhile.
            yield* eventually("the store is told to fail", async () => {
              const { lastErrorAt, ready } = await Effect.runPromise(storage.status)
              return !ready && lastErrorAt !== null
            })
          })
        )
        const record = event()
        yield* storage.saveEvent(record)
        expect(yield* storage.status).toMatchObject({ ready: true, pendingRecords: 0 })
        expect((yield* readStored(sql)).events).toContainEqual(stored({ events: [record] }).events[0]!)
      })
    ))

  test("hanging batches keep their places, so that no more of them are held than STORAGE_IN_FLIGHT", () =>
    inWorld(({ url }) =>
      Effect.gen(function* () {
        let release = () => {}
        const released = new Promise<void>((resolve) => {
          release = resolve
        })
        // As a driver that waits for a connection which answers neither the statement nor its cancellation.
        const { intercept, seen } = failFirst(2, (answer) =>
          Effect.uninterruptible(
            Effect.andThen(
              Effect.promise(() => released),
              answer
            )
          )
        )
        const storage = yield* openStorage(url, { environment: IMPATIENT, intercept })
        for (let wave = 0; wave < 2; wave++) {
          expect(new Set(yield* saveAll(storage, pageviews(40)))).toEqual(new Set(["Unavailable"]))
          expect(yield* storage.status).toMatchObject({ inFlight: 2, pendingRecords: 0, pendingBytes: 0 })
        }
        expect(seen.writes).toBe(2)
        release()
        yield* eventually("the places are free", () =>
          Effect.runPromise(Effect.map(storage.status, ({ inFlight }) => inFlight === 0))
        )
        expect(yield* saveAll(storage, pageviews(1))).toEqual(["stored"])
      })
    ))
})

describe("a write that fails", () => {
  test("for the death of its backends is tried again, and nothing is stored twice", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const { heard, intercept } = listen()
        const storage = yield* openStorage(url, { environment: { STORAGE_BATCH_SIZE: "10" }, intercept })
        const records = events(40, (index) => ({ createdAt: NOW - index, properties: [text("n", String(index))] }))
        const saves = yield* Effect.scoped(
          Effect.gen(function* () {
            yield* lockTables(sql, ...EVENT_TABLES)
            const saves = yield* begin(storage, records)
            yield* eventually("two backends wait for the lock", async () => {
              const [row] = await Effect.runPromise(sql.unsafe<{ count: number }>(WAITING_WRITERS))
              return row?.count === 2
            })
            yield* sql.unsafe(`SELECT pg_terminate_backend(pid) FROM (${WAITING_PIDS}) AS waiting`)
            yield* eventually("both batches are tried again", () => heard.batches.length === 4)
            return saves
          })
        )
        expect(yield* outcomesOf(saves)).toEqual(onlyStored)
        expect(yield* readStored(sql)).toEqual(stored({ events: records, sessions: sessionsOf(records) }))
        const status = yield* storage.status
        expect(status.ready).toBe(true)
        expect(status.lastError).not.toBeNull()
      })
    ))

  test("after it was committed, for a lost connection, is tried again and stored once", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const { intercept, seen } = failFirst(1, (answer) => Effect.andThen(answer, Effect.fail(connectionLost)))
        const storage = yield* openStorage(url, { intercept })
        const records = events(20, () => ({ properties: [text("plan", "Team")] }))
        expect(new Set(yield* saveAll(storage, records))).toEqual(onlyStored)
        expect(seen.writes).toBe(2)
        expect(yield* readStored(sql)).toEqual(stored({ events: records, sessions: sessionsOf(records) }))
      })
    ))

  test("for a passing reason is tried again until it works", () =>
    inWorld(({ url }) =>
      Effect.gen(function* () {
        const { intercept, seen } = failFirst(3, () => Effect.fail(serverError("40P01")))
        const storage = yield* openStorage(url, { intercept })
        expect(new Set(yield* saveAll(storage, pageviews(5)))).toEqual(onlyStored)
        expect(seen.writes).toBe(4)
      })
    ))

  test("for a table that is not there is Unavailable at once, and works again when it is", () =>
    inOwnWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const { heard, intercept } = listen()
        const storage = yield* openStorage(url, { intercept })
        yield* sql.unsafe("ALTER TABLE product_analytics_session RENAME TO elsewhere")
        const failed = yield* Effect.flip(storage.saveEvent(event()))
        expect(failed).toMatchObject({
          reason: "Unavailable",
          message: 'relation "product_analytics_session" does not exist (42P01)'
        })
        expect(heard.batches).toEqual([1])
        expect((yield* storage.status).ready).toBe(false)
        yield* sql.unsafe("ALTER TABLE elsewhere RENAME TO product_analytics_session")
        expect(yield* saveAll(storage, [event()])).toEqual(["stored"])
        expect((yield* storage.status).ready).toBe(true)
      })
    ))
})

describe("a record that can't be stored", () => {
  test("is found by halving its batch: of 64 records the 63 others are stored with 12 more statements", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const { heard, intercept } = listen()
        const storage = yield* openStorage(url, { intercept })
        const good = pageviews(63)
        const outcomes = yield* saveAll(storage, good.toSpliced(20, 0, event({ tag: "x".repeat(51) })))
        expect(outcomes.flatMap((outcome, index) => (outcome === "stored" ? [] : [[index, outcome]]))).toEqual([
          [20, "Refused"]
        ])
        // The poison is in the first half, then the second, the first, the second, the first and the first.
        expect(heard.batches).toEqual([64, 32, 16, 16, 8, 4, 4, 2, 1, 1, 2, 8, 32])
        expect(yield* readStored(sql)).toEqual(stored({ events: good, sessions: sessionsOf(good) }))
      })
    ))

  const POISONS: ReadonlyArray<readonly [what: string, fields: Partial<EventRecord>, message: string]> = [
    ["a text that is too long", { pageTitle: "secret".repeat(84) }, "a string is too long (22001)"],
    ["a NUL", { pageTitle: "secret\0" }, "a string contains NUL or is not valid UTF-8 (22021)"],
    [
      "an id that is none",
      { visitId: VisitId.make("00000000-0000-0000-0000-000000000000").replace("0", "secret") as VisitId },
      "an id is not a UUID, or a value has the wrong type (22P02)"
    ],
    ["an amount that is too large", { revenue: 1e15, currency: "EUR" }, "a number is out of range (22003)"],
    ["a time that no calendar has", { createdAt: 1e18 }, "a time is out of range (22008)"],
    ["no time", { createdAt: Number.NaN }, "a value is missing (23502)"],
    ["a key that is too long", { properties: [text("secret".repeat(84), "v")] }, "a string is too long (22001)"],
    ["a country of three letters", { session: session({ country: "GBR" }) }, "a string is too long (22001)"]
  ]
  test.each(POISONS)("for %s is refused alone, and told in words of our own", (_, fields, message) =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url)
        const good = pageviews(2)
        const save = yield* begin(storage, good)
        const refused = yield* Effect.flip(storage.saveEvent(event(fields)))
        expect(refused).toMatchObject({ reason: "Refused", message: `The record can't be stored: ${message}.` })
        expect(yield* outcomesOf(save)).toEqual(onlyStored)
        expect((yield* readStored(sql)).events).toEqual(stored({ events: good }).events)
      })
    )
  )

  test("among identities is refused alone too", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url)
        const save = (record: IdentityRecord) =>
          Effect.match(storage.saveIdentity(record), { onSuccess: () => "stored", onFailure: ({ reason }) => reason })
        const visitors = Array.from({ length: 6 }, (_, index) =>
          identity(session(), [text("plan", index === 4 ? "x".repeat(501) : "Team")])
        )
        expect(yield* Effect.all(visitors.map(save), { concurrency: "unbounded" })).toEqual([
          "stored",
          "stored",
          "stored",
          "stored",
          "Refused",
          "stored"
        ])
        expect((yield* readStored(sql)).sessions.length).toBe(5)
      })
    ))
})

test("processes that meet the same new sessions at the same time store them once and never deadlock", () =>
  inWorld(({ sql, url }) =>
    Effect.gen(function* () {
      const deadlocks: Array<unknown> = []
      const intercept: Intercept = (_, __, answer) =>
        Effect.tapError(answer, (error) =>
          Effect.sync(() => {
            if (JSON.stringify(error.reason.cause).includes("40P01")) deadlocks.push(error)
          })
        )
      const environment = { STORAGE_IN_FLIGHT: "4", STORAGE_BATCH_SIZE: "50" }
      const processes = yield* Effect.all([1, 2, 3].map(() => openStorage(url, { environment, intercept })))
      for (let round = 0; round < 10; round++) {
        const visitors = Array.from({ length: 60 }, () => session({ browser: "firefox" }))
        // Every process meets them in another order, more than once, and gives some of them attributes.
        const outcomes = yield* Effect.all(
          processes.map((storage, which) => {
            const own = visitors.toSorted((a, b) => order(a.id, which) - order(b.id, which))
            const views = [...own, ...own.toReversed()].map((visitor) => event({ session: visitor }))
            const known = own.map((visitor) =>
              storage.saveIdentity(identity({ ...visitor, distinctId: "ann" }, [text("a", "1"), text("b", "2")]))
            )
            return Effect.all([saveAll(storage, views), Effect.all(known, { concurrency: "unbounded" })], {
              concurrency: "unbounded"
            })
          }),
          { concurrency: "unbounded" }
        )
        expect(new Set(outcomes.flatMap(([saved]) => saved))).toEqual(onlyStored)
        const { sessions } = yield* readStored(sql)
        expect(stored({ sessions: sessions.filter(({ id }) => visitors.some((one) => one.id === id)) })).toEqual(
          stored({ sessions: visitors.map((one) => ({ ...one, distinctId: "ann" })) })
        )
      }
      expect(deadlocks).toEqual([])
      const [row] = yield* sql.unsafe<{ events: number; sessions: number }>(
        "SELECT (SELECT count(*)::int FROM product_analytics_event) AS events, (SELECT count(*)::int FROM product_analytics_session) AS sessions"
      )
      expect(row).toEqual({ events: 10 * 3 * 120, sessions: 600 })
    })
  ))

describe("ping", () => {
  test("says that the database is read-only", () =>
    inOwnWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url)
        yield* storage.ping
        const database = "(SELECT quote_ident(current_database()))"
        const [row] = yield* sql.unsafe<{ name: string }>(`SELECT ${database} AS name`)
        yield* sql.unsafe(`ALTER DATABASE ${row!.name} SET default_transaction_read_only = on`)
        yield* sql.unsafe(CUT_WRITERS)
        // The first pings may meet the cut connections.
        yield* eventuallyFailsWith(storage.ping, { reason: "Unavailable", message: "The database is read-only." })

        const admin = yield* openClient(url, 1)
        yield* admin.unsafe("SELECT set_config('default_transaction_read_only', 'off', false)")
        yield* admin.unsafe(`ALTER DATABASE ${row!.name} RESET default_transaction_read_only`)
        yield* sql.unsafe(CUT_WRITERS)
        yield* eventually("the ping succeeds", () => Effect.runPromise(Effect.isSuccess(storage.ping)))
      })
    ))

  test("waits for no longer than two seconds", () =>
    inWorld(({ url }) =>
      Effect.gen(function* () {
        const intercept: Intercept = (statement, _, answer) =>
          statement.includes("transaction_read_only") ? Effect.never : answer
        const storage = yield* openStorage(url, { intercept })
        yield* Effect.gen(function* () {
          const ping = yield* Effect.forkChild(Effect.flip(storage.ping), { startImmediately: true })
          yield* TestClock.adjust("1999 millis")
          expect(ping.pollUnsafe()).toBeUndefined()
          yield* TestClock.adjust("1 millis")
          expect(yield* Fiber.join(ping)).toMatchObject({
            reason: "Unavailable",
            message: "The database does not answer within 2 seconds."
          })
        }).pipe(Effect.provide(TestClock.layer()))
      })
    ))

  test("fails with the last write, as only writes tell of a full disk, until the next one works", () =>
    inWorld(({ url }) =>
      Effect.gen(function* () {
        const { intercept } = failFirst(1, () => Effect.fail(serverError("42501")))
        const storage = yield* openStorage(url, { intercept })
        expect(yield* saveAll(storage, pageviews(1))).toEqual(["Unavailable"])
        expect(yield* Effect.flip(storage.ping)).toMatchObject({
          reason: "Unavailable",
          message: "server says 42501"
        })
        expect((yield* storage.status).ready).toBe(false)
        expect(yield* saveAll(storage, pageviews(1))).toEqual(["stored"])
        yield* storage.ping
        expect((yield* storage.status).ready).toBe(true)
      })
    ))

  test("trusts a store that nobody writes to again, a second after the deadline of a write that failed", () =>
    inWorld(({ url }) =>
      Effect.gen(function* () {
        const { intercept } = failFirst(1, () => Effect.fail(serverError("42501")))
        let elapsed = 0n
        const clock: Clock.Clock = { ...settableClock(NOW).clock, monotonicTimeNanosUnsafe: () => elapsed * 1_000_000n }
        const environment = { STORAGE_TIMEOUT_SECONDS: "5" }
        const storage = yield* openStorage(url, { clock, environment, intercept })
        expect(yield* saveAll(storage, pageviews(1))).toEqual(["Unavailable"])
        elapsed = 5_999n
        expect(yield* Effect.isSuccess(storage.ping)).toBe(false)
        expect((yield* storage.status).ready).toBe(false)
        elapsed = 6_000n
        yield* storage.ping
        expect((yield* storage.status).ready).toBe(true)
      })
    ))

  test("is not troubled by a record that was refused", () =>
    inWorld(({ url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url)
        expect(yield* saveAll(storage, [event({ tag: "x".repeat(51) })])).toEqual(["Refused"])
        yield* storage.ping
      })
    ))
})

describe("closing", () => {
  test("writes what was accepted, and takes nothing more", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        const scope = Scope.makeUnsafe()
        const storage = yield* openStorage(url, { environment: { STORAGE_BATCH_SIZE: "10" } }).pipe(
          Scope.provide(scope)
        )
        const records = pageviews(55)
        const visitor = session()
        const { closing, saves } = yield* Effect.scoped(
          Effect.gen(function* () {
            yield* lockTables(sql, ...EVENT_TABLES)
            const saves = yield* begin(storage, records)
            yield* Effect.forkDetach(storage.saveIdentity(identity(visitor)), { startImmediately: true })
            yield* untilWaiting(storage, 56)
            const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void), { startImmediately: true })
            expect(closing.pollUnsafe()).toBeUndefined()
            return { closing, saves }
          })
        )
        yield* Fiber.join(closing)
        expect(yield* outcomesOf(saves)).toEqual(onlyStored)
        const found = yield* readStored(sql)
        expect(found.events).toEqual(stored({ events: records }).events)
        expect(found.sessions).toEqual(stored({ sessions: [...sessionsOf(records), visitor] }).sessions)
        expect((yield* Effect.flip(storage.saveEvent(event()))).message).toBe("The collector is stopping.")
        expect((yield* Effect.flip(storage.saveIdentity(identity(visitor)))).reason).toBe("Unavailable")
      })
    ))

  test("ends by the deadline of what was accepted, which is answered, even if the store never comes back", () =>
    inWorld(({ sql, url }) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const scope = Scope.makeUnsafe()
            const environment = { STORAGE_TIMEOUT_SECONDS: "1" }
            const storage = yield* openStorage(url, { environment }).pipe(Scope.provide(scope))
            yield* lockTables(sql, ...EVENT_TABLES)
            const saves = yield* begin(storage, pageviews(5))
            const began = performance.now()
            yield* Scope.close(scope, Exit.void)
            expect(performance.now() - began).toBeLessThan(3_000)
            expect(yield* outcomesOf(saves)).toEqual(new Set(["Unavailable"]))
          })
        )
      })
    ))
})

/** Properties of 506 characters each. */
function bulk(count: number): ReadonlyArray<Property> {
  return Array.from({ length: count }, (_, index) => text(String(index).padStart(6, "0"), "x".repeat(500)))
}

/** One of some orders of the ids, the same every time. */
function order(id: string, which: number): number {
  return Bun.hash.crc32(id, which)
}

const eventuallyFailsWith = (
  ping: Storage["Service"]["ping"],
  { message, reason }: Pick<StorageError, "reason" | "message">
): Effect.Effect<void> =>
  eventually(`the ping fails: ${message}`, async () => {
    const answer = await Effect.runPromise(Effect.result(ping))
    return answer._tag === "Failure" && answer.failure.reason === reason && answer.failure.message === message
  })

/** The backends of the storage under test; those of the tests' own clients have another name. */
const WRITERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'footfall'"
const WAITING_PIDS = `${WRITERS} AND wait_event_type = 'Lock'`
const WAITING_WRITERS = `SELECT count(*)::int AS count FROM (${WAITING_PIDS}) AS waiting`
const CUT_WRITERS = `SELECT pg_terminate_backend(pid) FROM (${WRITERS}) AS writers`
