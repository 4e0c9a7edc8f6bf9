import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Effect, Exit, Fiber, Scope } from "effect"
import { UPSERT_IDENTITIES } from "../../../../layers/postgres/events/batch.ts"
import {
  event,
  events,
  identity,
  type Outcome,
  saveAll,
  session,
  sessionsOf,
  stored,
  text,
  untilWaiting
} from "../../../support/collect/records.ts"
import { allowing, eventually, nextTurn } from "../../../support/eventually.ts"
import { EVENT_TABLES, lockTables, openStorage, readStored } from "../../../support/postgres/pgStorage.ts"
import {
  bulk,
  onlyStored,
  outcomesOf,
  pageviews,
  startSaving,
  watchBatches,
  withDatabase
} from "../../../support/postgres/pgWriter.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

describe("batches", () => {
  test("records saved at the same time are one statement", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const { watched, intercept } = watchBatches()
        const storage = yield* openStorage(url, { intercept })
        const records = pageviews(300)
        expect(new Set(yield* saveAll(storage, records))).toEqual(onlyStored)
        expect(watched.batches).toEqual([300])
        expect(yield* readStored(sql)).toEqual(stored({ events: records, sessions: sessionsOf(records) }))
      })
    ))

  test("records that come one after the other gather for 4 ms after each batch", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const { watched, intercept } = watchBatches()
        const storage = yield* openStorage(url, { environment: { STORAGE_IN_FLIGHT: "4" }, intercept })
        const records = pageviews(100)
        const begun = performance.now()
        const saves: Array<Fiber.Fiber<ReadonlyArray<Outcome>>> = []
        for (const record of records) {
          saves.push(yield* startSaving(storage, [record]))
          yield* Effect.sleep(1)
        }
        for (const save of saves) expect(yield* Fiber.join(save)).toEqual(["stored"])
        // Each batch but the first comes at least 4 ms after the one before. Timers may be a little early, and a sweep starts one, too.
        const most = 2 + (performance.now() - begun) / 3
        expect(watched.batches.length).toBeLessThan(most)
        expect(yield* readStored(sql)).toEqual(stored({ events: records, sessions: sessionsOf(records) }))
      })
    ))

  test("a record that comes on its own does not wait for others", () =>
    withDatabase(({ url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url)
        const save = yield* startSaving(storage, pageviews(1))
        yield* Effect.promise(nextTurn)
        expect(yield* storage.status).toMatchObject({ inFlight: 1 })
        expect(yield* Fiber.join(save)).toEqual(["stored"])
      })
    ))

  test("records gather in one batch while STORAGE_IN_FLIGHT batches are being written", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const { watched, intercept } = watchBatches()
        const storage = yield* openStorage(url, { environment: { STORAGE_IN_FLIGHT: "2" }, intercept })
        const saves = yield* Effect.scoped(
          Effect.gen(function* () {
            yield* lockTables(sql, ...EVENT_TABLES)
            const first = yield* startSaving(storage, pageviews(1))
            yield* eventually("the first batch is in flight", () => watched.batches.length === 1)
            const second = yield* startSaving(storage, pageviews(2))
            yield* eventually("the second batch is in flight", () => watched.batches.length === 2)
            const others: Array<Fiber.Fiber<ReadonlyArray<Outcome>>> = []
            for (let turn = 0; turn < 10; turn++) others.push(yield* startSaving(storage, pageviews(5)))
            yield* untilWaiting(storage, 53)
            expect(yield* storage.status).toMatchObject({ inFlight: 2 })
            return [first, second, ...others]
          })
        )
        for (const save of saves) expect(yield* outcomesOf(save)).toEqual(onlyStored)
        expect(watched.batches).toEqual([1, 2, 50])
      })
    ))

  test("while a batch is being written, the next one starts at once with 96 records, and otherwise at the next sweep", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const { watched, intercept } = watchBatches()
        const storage = yield* openStorage(url, { environment: { STORAGE_IN_FLIGHT: "3" }, intercept })
        const saves = yield* Effect.scoped(
          Effect.gen(function* () {
            yield* lockTables(sql, ...EVENT_TABLES)
            const first = yield* startSaving(storage, pageviews(1))
            yield* eventually("the first batch is in flight", () => watched.batches.length === 1)
            const few = yield* startSaving(storage, pageviews(40))
            yield* Effect.promise(nextTurn)
            yield* Effect.promise(nextTurn)
            expect(watched.batches).toEqual([1])
            const more = yield* startSaving(storage, pageviews(56))
            yield* Effect.promise(nextTurn)
            expect(watched.batches).toEqual([1, 96])
            const last = yield* startSaving(storage, pageviews(3))
            const startedAt = performance.now()
            yield* eventually("the third batch is in flight", () => watched.batches.length === 3)
            expect(performance.now() - startedAt).toBeLessThan(allowing(1_000))
            return [first, few, more, last]
          })
        )
        for (const save of saves) expect(yield* outcomesOf(save)).toEqual(onlyStored)
        expect(watched.batches).toEqual([1, 96, 3])
      })
    ))

  test("a batch has at most STORAGE_BATCH_SIZE records", () =>
    withDatabase(({ url }) =>
      Effect.gen(function* () {
        const { watched, intercept } = watchBatches()
        const storage = yield* openStorage(url, { environment: { STORAGE_BATCH_SIZE: "10" }, intercept })
        expect(new Set(yield* saveAll(storage, pageviews(95)))).toEqual(onlyStored)
        expect(watched.batches).toEqual([10, 10, 10, 10, 10, 10, 10, 10, 10, 5])
      })
    ))

  test("a batch has at most 4 MiB, however few its records", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const { watched, intercept } = watchBatches()
        const storage = yield* openStorage(url, { intercept })
        // About 165 KB each.
        const records = events(60, () => ({ properties: bulk(250) }))
        expect(new Set(yield* saveAll(storage, records))).toEqual(onlyStored)
        expect(watched.batches.length).toBe(3)
        expect(watched.mostBytes).toBeWithin(3 << 20, (4 << 20) + 1)
        const [row] = yield* sql.unsafe<{ count: number }>(
          "SELECT count(*)::int AS count FROM product_analytics_event_data"
        )
        expect(row?.count).toBe(60 * 250)
      })
    ))

  test("at most STORAGE_IN_FLIGHT batches are written at the same time", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const { watched, intercept } = watchBatches()
        const environment = { STORAGE_IN_FLIGHT: "3", STORAGE_BATCH_SIZE: "10" }
        const storage = yield* openStorage(url, { environment, intercept })
        const saves = yield* Effect.scoped(
          Effect.gen(function* () {
            yield* lockTables(sql, ...EVENT_TABLES)
            const saves = yield* startSaving(storage, pageviews(200))
            yield* eventually("three batches are in flight", () => watched.batches.length === 3)
            expect((yield* storage.status).inFlight).toBe(3)
            return saves
          })
        )
        expect(yield* outcomesOf(saves)).toEqual(onlyStored)
        expect([watched.batches.length, watched.mostInFlight]).toEqual([20, 3])
      })
    ))
})

test("identities are written one batch after another, in the order of their saves", () =>
  withDatabase(({ sql, url }) =>
    Effect.gen(function* () {
      const { watched, intercept } = watchBatches(UPSERT_IDENTITIES)
      const environment = { STORAGE_IN_FLIGHT: "4", STORAGE_BATCH_SIZE: "10" }
      const storage = yield* openStorage(url, { environment, intercept })
      const visitor = session()
      yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => identity(visitor, [text("step", String(index))])),
        (record) => storage.saveIdentity(record),
        { concurrency: "unbounded" }
      )
      expect([watched.batches.length, watched.mostInFlight]).toEqual([10, 1])
      expect((yield* readStored(sql)).attributes).toEqual([{ ...text("step", "99"), sessionId: visitor.id }])
    })
  ))

describe("the queue", () => {
  test("the queue has at most STORAGE_QUEUE_BYTES of events and identities together", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url, { environment: { STORAGE_QUEUE_BYTES: String(1 << 20) } })
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* lockTables(sql, ...EVENT_TABLES)
            yield* startSaving(storage, [event({ properties: bulk(500) })])
            yield* Effect.forkDetach(storage.saveIdentity(identity(session(), bulk(500))), { startImmediately: true })
            yield* untilWaiting(storage, 2)
            // The strings of both make up three quarters of it.
            expect((yield* storage.status).pendingBytes).toBeWithin(2 * 500 * 506, 720_000)
            expect(
              yield* saveAll(storage, [event({ properties: bulk(750) }), event({ properties: bulk(800) })])
            ).toEqual(["Overloaded", "Overloaded"])
            const small = yield* startSaving(storage, pageviews(1))
            yield* untilWaiting(storage, 3)
            expect(small.pollUnsafe()).toBeUndefined()
          })
        )
        yield* storage.flush
        expect(yield* saveAll(storage, [event({ properties: bulk(750) })])).toEqual(["stored"])
      })
    ))

  test("an empty queue accepts a record larger than STORAGE_QUEUE_BYTES", () =>
    withDatabase(({ url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url, { environment: { STORAGE_QUEUE_BYTES: String(1 << 20) } })
        expect(yield* saveAll(storage, [event({ properties: bulk(2_000) }), event()])).toEqual(["stored", "Overloaded"])
      })
    ))
})

describe("closing", () => {
  test("closing writes every accepted record and rejects new ones", () =>
    withDatabase(({ sql, url }) =>
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
            const saves = yield* startSaving(storage, records)
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

  test("closing ends by the deadline of the accepted records, even if the database never answers", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const scope = Scope.makeUnsafe()
            const environment = { STORAGE_TIMEOUT_SECONDS: "1" }
            const storage = yield* openStorage(url, { environment }).pipe(Scope.provide(scope))
            yield* lockTables(sql, ...EVENT_TABLES)
            const saves = yield* startSaving(storage, pageviews(5))
            const startedAt = performance.now()
            yield* Scope.close(scope, Exit.void)
            expect(performance.now() - startedAt).toBeLessThan(allowing(3_000))
            expect(yield* outcomesOf(saves)).toEqual(new Set(["Unavailable"]))
          })
        )
      })
    ))
})
