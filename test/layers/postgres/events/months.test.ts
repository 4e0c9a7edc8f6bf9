import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Effect, Fiber, type Redacted, type Scope } from "effect"
import { PARTITION_LOCK } from "../../../../layers/postgres/client/advisoryLocks.ts"
import type { DatabaseClient } from "../../../../layers/postgres/client/makeClient.ts"
import { ensureMonth, monthStart } from "../../../../layers/postgres/events/months.ts"
import { event, events, saveAll, text } from "../../../support/collect/records.ts"
import { eventually } from "../../../support/eventually.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { holdAdvisoryLock, months, rowsByPartition } from "../../../support/postgres/partitions.ts"
import { openStorage, settableClock } from "../../../support/postgres/pgStorage.ts"
import { freshDatabase, openClient } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const at = (time: string): number => Date.parse(time)

const viewAt = (time: string) => event({ createdAt: at(time), properties: [text("plan", "Team")] })

test.each([
  ["2026-01-31T23:59:59.999Z", 0, "2026-01-01T00:00:00.000Z"],
  ["2026-02-01T00:00:00.000Z", 0, "2026-02-01T00:00:00.000Z"],
  ["2026-01-31T12:00:00.000Z", 1, "2026-02-01T00:00:00.000Z"],
  ["2026-12-31T23:59:59.999Z", 1, "2027-01-01T00:00:00.000Z"],
  ["2026-03-15T00:00:00.000Z", 11, "2027-02-01T00:00:00.000Z"]
])("monthStart of %s, %d months ahead, is %s", (moment, ahead, expected) => {
  expect(new Date(monthStart(at(moment), ahead)).toISOString()).toBe(expected)
})

describe("the event writer", () => {
  interface World {
    readonly url: Redacted.Redacted<string>
    readonly sql: DatabaseClient
    readonly time: ReturnType<typeof settableClock>
  }

  /** Runs a test on its own database, with a clock that starts at the moment. */
  const inMonth = (moment: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
    run(
      Effect.gen(function* () {
        const url = yield* Effect.promise(freshDatabase)
        yield* body({ url, sql: yield* openClient(url), time: settableClock(at(moment)) })
      })
    )

  test("the writer creates the partitions of this and the next month when it starts", () =>
    inMonth("2031-12-31T23:59:59.999Z", ({ sql, time, url }) =>
      Effect.gen(function* () {
        yield* openStorage(url, { clock: time.clock })
        expect(yield* months(sql)).toEqual(["2031_12", "2032_01"])
      })
    ))

  test("the writer creates the partitions of a new month before the first record", () =>
    inMonth("2031-01-31T23:59:59.900Z", ({ sql, time, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url, { clock: time.clock })
        yield* storage.saveEvent(viewAt("2031-01-31T23:59:59.900Z"))
        time.show(at("2031-02-01T00:00:00Z"))
        yield* storage.saveEvent(viewAt("2031-02-01T00:00:00Z"))
        expect(yield* months(sql)).toEqual(["2031_01", "2031_02", "2031_03"])
        // Like a machine after a long sleep.
        time.show(at("2031-06-10T12:00:00Z"))
        yield* storage.saveEvent(viewAt("2031-06-10T12:00:00Z"))
        expect(yield* months(sql)).toEqual(["2031_01", "2031_02", "2031_03", "2031_06", "2031_07"])
        expect(yield* rowsByPartition(sql)).toEqual({
          event_2031_01: 1,
          event_data_2031_01: 1,
          event_2031_02: 1,
          event_data_2031_02: 1,
          event_2031_06: 1,
          event_data_2031_06: 1
        })
      })
    ))

  test("partitions begin at the month in UTC, whatever the database's time zone", () =>
    inMonth("2031-01-15T00:00:00Z", ({ sql, time, url }) =>
      Effect.gen(function* () {
        const [row] = yield* sql.unsafe<{ name: string }>("SELECT quote_ident(current_database()) AS name")
        yield* sql.unsafe(`ALTER DATABASE ${row!.name} SET timezone = 'Pacific/Auckland'`)
        const storage = yield* openStorage(url, { clock: time.clock })
        for (const moment of ["2031-01-01T00:00:00Z", "2031-01-31T23:59:59.999Z", "2031-02-01T00:00:00Z"]) {
          yield* storage.saveEvent(viewAt(moment))
        }
        expect(yield* rowsByPartition(sql)).toEqual({
          event_2031_01: 2,
          event_data_2031_01: 2,
          event_2031_02: 1,
          event_data_2031_02: 1
        })
      })
    ))

  test("a record outside every month is stored in the default partition", () =>
    inMonth("2031-01-15T00:00:00Z", ({ sql, time, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url, { clock: time.clock })
        const moments = [
          "0001-01-01T00:00:00Z",
          "1970-01-01T00:00:00Z",
          "2030-12-31T23:59:59.999Z",
          "9999-12-31T00:00:00Z"
        ]
        expect(yield* saveAll(storage, moments.map(viewAt))).toEqual(["stored", "stored", "stored", "stored"])
        expect(yield* rowsByPartition(sql)).toEqual({ event_default: 4, event_data_default: 4 })
      })
    ))

  test("two writers that enter a month at the same time put nothing into the default partition", () =>
    inMonth("2031-01-15T00:00:00Z", ({ sql, time, url }) =>
      Effect.gen(function* () {
        const environment = { STORAGE_IN_FLIGHT: "4", STORAGE_BATCH_SIZE: "10" }
        const writers = yield* Effect.all([1, 2].map(() => openStorage(url, { clock: time.clock, environment })))
        for (const month of ["03", "05", "07"]) {
          time.show(at(`2031-${month}-01T00:00:00Z`))
          const saved = yield* Effect.all(
            writers.map((storage) =>
              saveAll(
                storage,
                events(80, () => ({
                  createdAt: at(`2031-${month}-01T00:00:00Z`),
                  properties: [text("plan", "Team")]
                }))
              )
            ),
            { concurrency: "unbounded" }
          )
          expect(new Set(saved.flat())).toEqual(new Set(["stored"]))
        }
        expect(yield* rowsByPartition(sql)).toEqual({
          event_2031_03: 160,
          event_data_2031_03: 160,
          event_2031_05: 160,
          event_data_2031_05: 160,
          event_2031_07: 160,
          event_data_2031_07: 160
        })
      })
    ))

  test("saving a record outside every month does not block partition creation", () =>
    inMonth("2031-01-15T00:00:00Z", ({ sql, time, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url, { clock: time.clock })
        // Delays the writer between the two default partitions.
        yield* sql.unsafe(`CREATE FUNCTION delay_insert() RETURNS trigger LANGUAGE plpgsql
          AS 'BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END'`)
        yield* sql.unsafe(`CREATE TRIGGER delay_insert BEFORE INSERT ON product_analytics_event_data_default
          FOR EACH ROW EXECUTE FUNCTION delay_insert()`)
        const save = yield* Effect.forkChild(storage.saveEvent(viewAt("1999-01-01T00:00:00Z")), {
          startImmediately: true
        })
        yield* eventually("the writer is delayed", async () => {
          const delayed = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
          return (await Effect.runPromise(sql.unsafe(delayed))).length > 0
        })
        yield* ensureMonth(sql, at("2031-06-01T00:00:00Z"))
        yield* Fiber.join(save)
        const [row] = yield* sql.unsafe<{ deadlocks: number }>(
          "SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()"
        )
        expect(row?.deadlocks).toBe(0)
        expect((yield* storage.status).lastError).toBeNull()
        expect(yield* months(sql)).toContain("2031_06")
      })
    ))

  test("the writer stores records even if it cannot create a partition, and tries again a minute later", () =>
    inMonth("2031-01-15T00:00:00Z", ({ sql, time, url }) =>
      Effect.gen(function* () {
        const locker = yield* openClient(url, 1)
        const storage = yield* openStorage(url, { clock: time.clock })
        time.show(at("2031-04-01T00:00:00Z"))
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* holdAdvisoryLock(locker, PARTITION_LOCK)
            // One of a month with a partition, one of a month without.
            yield* storage.saveEvent(viewAt("2031-02-03T00:00:00Z"))
            yield* storage.saveEvent(event({ createdAt: at("2031-04-01T00:00:00Z") }))
          })
        )
        expect(yield* months(sql)).toEqual(["2031_01", "2031_02"])
        time.show(at("2031-04-01T00:00:59Z"))
        yield* storage.saveEvent(viewAt("2031-02-03T00:00:00Z"))
        expect(yield* months(sql)).toEqual(["2031_01", "2031_02"])
        time.show(at("2031-04-01T00:01:00Z"))
        yield* storage.saveEvent(viewAt("2031-04-01T00:01:00Z"))
        // April's first events are in the default partition, from which the partition job moves them.
        expect(yield* months(sql)).toEqual(["2031_01", "2031_02", "2031_05"])
        expect(yield* rowsByPartition(sql)).toEqual({
          event_2031_02: 2,
          event_data_2031_02: 2,
          event_default: 2,
          event_data_2031_04: 1
        })
      })
    ))

  test("after a record missed its deadline waiting for the partition lock, the next record does not wait for it", () =>
    inMonth("2031-01-15T00:00:00Z", ({ time, url }) =>
      Effect.gen(function* () {
        const locker = yield* openClient(url, 1)
        const environment = { STORAGE_TIMEOUT_SECONDS: "1", STORAGE_IN_FLIGHT: "1" }
        const storage = yield* openStorage(url, { clock: time.clock, environment })
        time.show(at("2031-04-01T00:00:00Z"))
        yield* holdAdvisoryLock(locker, PARTITION_LOCK)
        yield* saveAll(storage, [event()])
        expect(yield* saveAll(storage, [event()])).toEqual(["stored"])
      })
    ))
})
