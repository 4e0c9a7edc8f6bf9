import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Effect, Fiber } from "effect"
import type { EventRecord, IdentityRecord } from "../../../../src/domain/Event.ts"
import { VisitId } from "../../../../src/domain/ids.ts"
import {
  event,
  events,
  identity,
  NOW,
  saveAll,
  session,
  sessionsOf,
  stored,
  text
} from "../../../support/collect/records.ts"
import { eventually } from "../../../support/eventually.ts"
import { EVENT_TABLES, lockTables, openStorage, readStored } from "../../../support/postgres/pgStorage.ts"
import {
  connectionLost,
  failFirst,
  onlyStored,
  outcomesOf,
  pageviews,
  serverError,
  startSaving,
  WAITING_PIDS,
  WAITING_WRITERS,
  watchBatches,
  withDatabase,
  withOwnDatabase
} from "../../../support/postgres/pgWriter.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

describe("a database that does not answer", () => {
  const SHORT_TIMEOUT = { STORAGE_TIMEOUT_SECONDS: "1", STORAGE_BATCH_SIZE: "10", STORAGE_IN_FLIGHT: "2" }

  test("every record fails with Unavailable at its deadline, and writing continues when the database answers again", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url, { environment: SHORT_TIMEOUT })
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* lockTables(sql, ...EVENT_TABLES)
            const startedAt = performance.now()
            const savingIdentity = yield* Effect.forkDetach(Effect.flip(storage.saveIdentity(identity(session()))), {
              startImmediately: true
            })
            expect(new Set(yield* saveAll(storage, pageviews(50)))).toEqual(new Set(["Unavailable"]))
            expect((yield* Fiber.join(savingIdentity)).reason).toBe("Unavailable")
            expect(performance.now() - startedAt).toBeWithin(950, 3_000)
            expect(yield* storage.status).toMatchObject({ pendingRecords: 0, lastSuccessAt: null })
            // Records are answered before the driver has canceled the statements.
            yield* eventually("the status reports the failure", async () => {
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

  test("hanging batches count as in flight, so that no more than STORAGE_IN_FLIGHT are in memory", () =>
    withDatabase(({ url }) =>
      Effect.gen(function* () {
        let release = () => {}
        const released = new Promise<void>((resolve) => {
          release = resolve
        })
        // Like a driver whose connection answers neither the statement nor its cancellation.
        const { intercept, seen } = failFirst(2, (answer) =>
          Effect.uninterruptible(
            Effect.andThen(
              Effect.promise(() => released),
              answer
            )
          )
        )
        const storage = yield* openStorage(url, { environment: SHORT_TIMEOUT, intercept })
        for (let wave = 0; wave < 2; wave++) {
          expect(new Set(yield* saveAll(storage, pageviews(40)))).toEqual(new Set(["Unavailable"]))
          expect(yield* storage.status).toMatchObject({ inFlight: 2, pendingRecords: 0, pendingBytes: 0 })
        }
        expect(seen.writes).toBe(2)
        release()
        yield* eventually("no batch is in flight", () =>
          Effect.runPromise(Effect.map(storage.status, ({ inFlight }) => inFlight === 0))
        )
        expect(yield* saveAll(storage, pageviews(1))).toEqual(["stored"])
      })
    ))
})

describe("failed writes", () => {
  test("a write whose backend was terminated is repeated, and nothing is stored twice", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const { watched, intercept } = watchBatches()
        const storage = yield* openStorage(url, { environment: { STORAGE_BATCH_SIZE: "10" }, intercept })
        const records = events(40, (index) => ({ createdAt: NOW - index, properties: [text("n", String(index))] }))
        const saves = yield* Effect.scoped(
          Effect.gen(function* () {
            yield* lockTables(sql, ...EVENT_TABLES)
            const saves = yield* startSaving(storage, records)
            yield* eventually("two backends wait for the lock", async () => {
              const [row] = await Effect.runPromise(sql.unsafe<{ count: number }>(WAITING_WRITERS))
              return row?.count === 2
            })
            yield* sql.unsafe(`SELECT pg_terminate_backend(pid) FROM (${WAITING_PIDS}) AS waiting`)
            yield* eventually("both batches are written again", () => watched.batches.length === 4)
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

  test("a write whose connection was lost after the commit is repeated, and nothing is stored twice", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const { intercept, seen } = failFirst(1, (answer) => Effect.andThen(answer, Effect.fail(connectionLost)))
        const storage = yield* openStorage(url, { intercept })
        const records = events(20, () => ({ properties: [text("plan", "Team")] }))
        expect(new Set(yield* saveAll(storage, records))).toEqual(onlyStored)
        expect(seen.writes).toBe(2)
        expect(yield* readStored(sql)).toEqual(stored({ events: records, sessions: sessionsOf(records) }))
      })
    ))

  test("a write that fails with a deadlock is repeated until it succeeds", () =>
    withDatabase(({ url }) =>
      Effect.gen(function* () {
        const { intercept, seen } = failFirst(3, () => Effect.fail(serverError("40P01")))
        const storage = yield* openStorage(url, { intercept })
        expect(new Set(yield* saveAll(storage, pageviews(5)))).toEqual(onlyStored)
        expect(seen.writes).toBe(4)
      })
    ))

  test("a write to a missing table fails with Unavailable at once, and succeeds when the table is back", () =>
    withOwnDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const { watched, intercept } = watchBatches()
        const storage = yield* openStorage(url, { intercept })
        yield* sql.unsafe("ALTER TABLE product_analytics_session RENAME TO elsewhere")
        const failed = yield* Effect.flip(storage.saveEvent(event()))
        expect(failed).toMatchObject({
          reason: "Unavailable",
          message: 'relation "product_analytics_session" does not exist (42P01)'
        })
        expect(watched.batches).toEqual([1])
        expect((yield* storage.status).ready).toBe(false)
        yield* sql.unsafe("ALTER TABLE elsewhere RENAME TO product_analytics_session")
        expect(yield* saveAll(storage, [event()])).toEqual(["stored"])
        expect((yield* storage.status).ready).toBe(true)
      })
    ))
})

describe("records that cannot be stored", () => {
  test("an invalid record is found by halving its batch: the other 63 of 64 are stored with 12 more statements", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const { watched, intercept } = watchBatches()
        const storage = yield* openStorage(url, { intercept })
        const good = pageviews(63)
        const outcomes = yield* saveAll(storage, good.toSpliced(20, 0, event({ tag: "x".repeat(51) })))
        expect(outcomes.flatMap((outcome, index) => (outcome === "stored" ? [] : [[index, outcome]]))).toEqual([
          [20, "Refused"]
        ])
        // The invalid record is in the first half, then in the second, first, second, first and first.
        expect(watched.batches).toEqual([64, 32, 16, 16, 8, 4, 4, 2, 1, 1, 2, 8, 32])
        expect(yield* readStored(sql)).toEqual(stored({ events: good, sessions: sessionsOf(good) }))
      })
    ))

  const INVALID: ReadonlyArray<readonly [record: string, fields: Partial<EventRecord>, message: string]> = [
    ["a string that is too long", { pageTitle: "secret".repeat(84) }, "a string is too long (22001)"],
    ["a NUL", { pageTitle: "secret\0" }, "a string contains NUL or is not valid UTF-8 (22021)"],
    [
      "an invalid id",
      { visitId: VisitId.make("00000000-0000-0000-0000-000000000000").replace("0", "secret") as VisitId },
      "an id is not a UUID, or a value has the wrong type (22P02)"
    ],
    ["an amount that is too large", { revenue: 1e15, currency: "EUR" }, "a number is out of range (22003)"],
    ["a time out of range", { createdAt: 1e18 }, "a time is out of range (22008)"],
    ["no time", { createdAt: Number.NaN }, "a value is missing (23502)"],
    ["a key that is too long", { properties: [text("secret".repeat(84), "v")] }, "a string is too long (22001)"],
    ["a country of three letters", { session: session({ country: "GBR" }) }, "a string is too long (22001)"]
  ]
  test.each(INVALID)(
    "a record with %s is refused on its own, with a message that does not quote it",
    (_, fields, message) =>
      withDatabase(({ sql, url }) =>
        Effect.gen(function* () {
          const storage = yield* openStorage(url)
          const good = pageviews(2)
          const save = yield* startSaving(storage, good)
          const refused = yield* Effect.flip(storage.saveEvent(event(fields)))
          expect(refused.message).not.toContain("secret")
          expect(refused).toMatchObject({ reason: "Refused", message: `The record can't be stored: ${message}.` })
          expect(yield* outcomesOf(save)).toEqual(onlyStored)
          expect((yield* readStored(sql)).events).toEqual(stored({ events: good }).events)
        })
      )
  )

  test("an invalid identity is refused on its own", () =>
    withDatabase(({ sql, url }) =>
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
