import { describe, expect, setDefaultTimeout, test } from "bun:test"
import {
  Clock,
  Context,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Option,
  type Redacted,
  References,
  type Scope
} from "effect"
import { SqlError } from "effect/sql"
import { TestClock } from "effect/testing"
import { PARTITION_JOB_LOCK } from "../../../../layers/postgres/client/advisoryLocks.ts"
import { AppDatabase } from "../../../../layers/postgres/client/Database.ts"
import { makeJobRunner, withJobLock } from "../../../../layers/postgres/client/jobLock.ts"
import type { DatabaseClient } from "../../../../layers/postgres/client/makeClient.ts"
import { sqlCode } from "../../../../layers/postgres/client/sqlErrors.ts"
import * as PartitionJob from "../../../../layers/postgres/events/PartitionJob.ts"
import { maintainPartitions } from "../../../../layers/postgres/events/PartitionJob.ts"
import * as PgPartitions from "../../../../layers/postgres/events/PgPartitions.ts"
import type { EventRecord } from "../../../../src/domain/Event.ts"
import { Partitions } from "../../../../src/ports/Partitions.ts"
import { events, saveAll, stored, text } from "../../../support/collect/records.ts"
import { eventually } from "../../../support/eventually.ts"
import * as MemorySettings from "../../../support/memory/MemorySettings.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { holdAdvisoryLock, months, rowsByPartition } from "../../../support/postgres/partitions.ts"
import { lockTables, openStorage, readStored, settableClock } from "../../../support/postgres/pgStorage.ts"
import { freshDatabase, openClient } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

interface TestDatabase {
  readonly url: Redacted.Redacted<string>
  readonly sql: DatabaseClient
}

const TODAY = Date.parse("2031-02-15T12:00:00Z")

const withDatabase = (body: (database: TestDatabase) => Effect.Effect<void, unknown, Scope.Scope>) =>
  run(
    Effect.gen(function* () {
      const url = yield* Effect.promise(freshDatabase)
      yield* body({ url, sql: yield* openClient(url, 3) })
    })
  )

/** Runs the job once, by default on `TODAY`, and with tables for every month that has an event. */
const maintain = (sql: DatabaseClient, now = TODAY, minEvents = 1) =>
  Effect.provideService(
    makeJobRunner(sql, PARTITION_JOB_LOCK, "Partition maintenance")(maintainPartitions(sql, minEvents)),
    Clock.Clock,
    settableClock(now).clock
  )

/** Inserts evenly spaced events with two properties each. */
const insert = (sql: DatabaseClient, count: number, from: string, interval = "1 second") =>
  sql.unsafe(
    `WITH event AS (
      INSERT INTO product_analytics_event (created_at, event_id, site_id, session_id, visit_id, event_type, url_path)
      SELECT $2::text::timestamptz + n * $3::text::interval, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
        gen_random_uuid(), 1, '/' || n
      FROM generate_series(0, $1::int - 1) AS n
      RETURNING *
    )
    INSERT INTO product_analytics_event_data (created_at, event_id, site_id, session_id, data_type, data_key, string_value)
    SELECT created_at, event_id, site_id, session_id, 1, key, url_path FROM event, unnest(ARRAY['a', 'b']) AS key`,
    [count, from, interval]
  )

/** A hash of every row of both tables, in whatever partition. */
const fingerprint = (sql: DatabaseClient) =>
  sql.unsafe(`SELECT
    (SELECT md5(string_agg(e::text, ' ' ORDER BY event_id)) FROM product_analytics_event AS e) AS events,
    (SELECT md5(string_agg(d::text, ' ' ORDER BY event_id, data_key)) FROM product_analytics_event_data AS d) AS properties`)

/** The indexes of a table, without names. */
const indexes = (sql: DatabaseClient, table: string) =>
  Effect.map(
    sql.unsafe<{ definition: string }>(
      `SELECT substring(pg_get_indexdef(indexrelid) FROM 'USING .*') AS definition
      FROM pg_index WHERE indrelid = $1::text::regclass AND indisvalid ORDER BY 1`,
      [table]
    ),
    (rows) => rows.map(({ definition }) => definition)
  )

test("the job creates the partitions of this month and the next three, across the end of the year", () =>
  withDatabase(({ sql }) =>
    Effect.gen(function* () {
      yield* maintain(sql, Date.parse("2031-11-30T23:59:59Z"))
      expect(yield* months(sql)).toEqual(["2031_11", "2031_12", "2032_01", "2032_02"])
    })
  ))

describe("rows of the default partition", () => {
  test("all rows of the default partition move to the partitions of their months, unchanged", () =>
    withDatabase(({ sql }) =>
      Effect.gen(function* () {
        // More rows than two copying statements move, up to both ends of a month.
        yield* insert(sql, 12_000, "2031-01-01T00:00:00Z", "223.2 seconds")
        yield* insert(sql, 3, "2031-01-31T23:59:59.999999Z", "0")
        yield* insert(sql, 5, "2031-02-01T00:00:00Z")
        yield* insert(sql, 2, "2000-01-01T00:00:00Z")
        yield* insert(sql, 4, "2032-02-10T00:00:00Z")
        const before = yield* fingerprint(sql)
        yield* maintain(sql)
        expect(yield* fingerprint(sql)).toEqual(before)
        expect(yield* rowsByPartition(sql)).toEqual({
          event_2000_01: 2,
          event_data_2000_01: 4,
          event_2031_01: 12_003,
          event_data_2031_01: 24_006,
          event_2031_02: 5,
          event_data_2031_02: 10,
          event_2032_02: 4,
          event_data_2032_02: 8
        })
        expect(yield* months(sql)).toEqual([
          "2000_01",
          "2031_01",
          "2031_02",
          "2031_03",
          "2031_04",
          "2031_05",
          "2032_02"
        ])
        for (const table of ["product_analytics_event", "product_analytics_event_data"]) {
          expect(yield* indexes(sql, `${table}_2031_01`)).toEqual(yield* indexes(sql, table))
        }
      })
    ))

  test("rows before 2000 and more than a year ahead stay in the default partition", () =>
    withDatabase(({ sql }) =>
      Effect.gen(function* () {
        for (const moment of [
          "0001-01-01T00:00:00Z",
          "1999-12-31T23:59:59Z",
          "2032-02-15T12:00:01Z",
          "9999-01-01T00:00:00Z"
        ]) {
          yield* insert(sql, 1, moment)
        }
        yield* maintain(sql)
        expect(yield* rowsByPartition(sql)).toEqual({ event_default: 4, event_data_default: 8 })
        expect(yield* months(sql)).toEqual(["2031_02", "2031_03", "2031_04", "2031_05"])
      })
    ))

  test(
    "while rows move, writers continue and readers never see a row missing or twice",
    () =>
      withDatabase(({ sql, url }) =>
        Effect.gen(function* () {
          yield* insert(sql, 11_000, "2031-01-05T00:00:00Z")
          // January is before this writer's clock, so only the job creates its partition.
          const storage = yield* openStorage(url, { clock: settableClock(TODAY).clock })
          const written: Array<EventRecord> = []
          const outcomes = new Set<string>()
          let done = false
          const writer = yield* Effect.forkChild(
            Effect.gen(function* () {
              while (!done) {
                const records = events(20, (index) => ({
                  createdAt: Date.parse("2031-01-20T00:00:00Z") + index,
                  properties: [text("plan", "Team")]
                }))
                for (const outcome of yield* saveAll(storage, records)) outcomes.add(outcome)
                written.push(...records)
              }
            })
          )
          const seen = new Set<string>()
          const EVENTS = `(SELECT count(*) || ' ' || count(DISTINCT event_id) FROM product_analytics_event
          WHERE created_at < '2031-01-06') AS events`
          const PROPERTIES = `(SELECT count(*) FROM product_analytics_event_data WHERE created_at < '2031-01-06') AS properties`
          let reads = 0
          const reader = yield* Effect.forkChild(
            Effect.gen(function* () {
              const client = yield* openClient(url, 1)
              while (!done) {
                // A query locks its tables in their order in the statement, so both orders are tested.
                const counts = reads % 2 === 0 ? [EVENTS, PROPERTIES] : [PROPERTIES, EVENTS]
                const [row] = yield* client.unsafe<{ events: string; properties: string }>(`SELECT ${counts.join()}`)
                seen.add(`${row!.events} ${row!.properties}`)
                reads++
              }
            })
          )
          yield* eventually("both are running", () => written.length > 100 && reads > 2)
          yield* maintain(sql)
          const [writtenBefore, readsBefore] = [written.length, reads]
          yield* eventually("both continue", () => written.length > writtenBefore + 100 && reads > readsBefore)
          done = true
          yield* Fiber.joinAll([writer, reader])
          expect(outcomes).toEqual(new Set(["stored"]))
          expect(seen).toEqual(new Set(["11000 11000 22000"]))
          expect(yield* rowsByPartition(sql)).toEqual({
            event_2031_01: 11_000 + written.length,
            event_data_2031_01: 22_000 + written.length
          })
          // A client that repeats its events after the move stores none twice.
          yield* saveAll(storage, written)
          const found = yield* readStored(sql)
          const ids = new Set<string>(written.map(({ id }) => id))
          expect(found.events.filter(({ id }) => ids.has(id))).toEqual([...stored({ events: written }).events])
          expect(found.events.length).toBe(11_000 + written.length)
        })
      ),
    20_000
  )

  test("the job resumes the move of one that was killed, and rows deleted since stay deleted", () =>
    withDatabase(({ sql }) =>
      Effect.gen(function* () {
        yield* insert(sql, 100, "2031-01-05T00:00:00Z")
        for (const table of ["product_analytics_event", "product_analytics_event_data"]) {
          yield* sql.unsafe(`CREATE TABLE ${table}_2031_01 (LIKE ${table} INCLUDING ALL)`)
          yield* sql.unsafe(
            `INSERT INTO ${table}_2031_01 SELECT * FROM ${table} WHERE created_at < '2031-01-05T00:01:00Z'`
          )
          yield* sql.unsafe(`DELETE FROM ${table} WHERE created_at < '2031-01-05T00:00:10Z'`)
        }
        const before = yield* fingerprint(sql)
        yield* maintain(sql)
        expect(yield* fingerprint(sql)).toEqual(before)
        expect(yield* rowsByPartition(sql)).toEqual({ event_2031_01: 90, event_data_2031_01: 180 })
      })
    ))
})

describe("runs of the job", () => {
  test("a second run changes nothing", () =>
    withDatabase(({ sql }) =>
      Effect.gen(function* () {
        yield* insert(sql, 50, "2031-01-05T00:00:00Z")
        yield* maintain(sql)
        const state = Effect.all([fingerprint(sql), rowsByPartition(sql), months(sql)])
        const before = yield* state
        yield* maintain(sql)
        yield* maintain(sql)
        expect(yield* state).toEqual(before)
      })
    ))

  test("a run does nothing while another process has the job lock", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* holdAdvisoryLock(sql, PARTITION_JOB_LOCK)
            yield* maintain(yield* openClient(url))
            expect(yield* months(sql)).toEqual([])
          })
        )
        yield* maintain(yield* openClient(url))
        expect((yield* months(sql)).length).toBe(4)
      })
    ))

  test("runs in several processes at the same time move each month once", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        yield* insert(sql, 3_000, "2031-01-05T00:00:00Z")
        yield* insert(sql, 3_000, "2031-02-05T00:00:00Z")
        const before = yield* fingerprint(sql)
        const moves: Array<string> = []
        const clients = yield* Effect.all([1, 2, 3].map(() => openClient(url)))
        const recording = clients.map(
          (client) =>
            new Proxy(client, {
              get: (target, name) =>
                name === "unsafe"
                  ? (statement: string, parameters: ReadonlyArray<unknown>) => {
                      const partition = /^CREATE TABLE IF NOT EXISTS (\S+)/.exec(statement)?.[1]
                      if (partition !== undefined) moves.push(partition)
                      return target.unsafe(statement, parameters)
                    }
                  : Reflect.get(target, name, target)
            })
        )
        yield* Effect.all(
          recording.map((client) => maintain(client)),
          { concurrency: "unbounded" }
        )
        expect(moves).toEqual([
          "product_analytics_event_2031_01",
          "product_analytics_event_2031_02",
          "product_analytics_event_data_2031_01",
          "product_analytics_event_data_2031_02"
        ])
        expect(yield* fingerprint(sql)).toEqual(before)
      })
    ))

  test("a run that is interrupted or cannot get its locks changes nothing and releases the job lock", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        yield* insert(sql, 50, "2031-01-05T00:00:00Z")
        const before = yield* fingerprint(sql)
        // Both stay connected, so a lock that was not released would block the other.
        const [client, other] = yield* Effect.all([openClient(url), openClient(url)])
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* lockTables(sql, "product_analytics_event_default")
            const interrupted = yield* Effect.forkChild(maintain(client), { startImmediately: true })
            yield* eventually("the run waits for the lock", async () => {
              const waiting =
                "SELECT FROM pg_locks WHERE NOT granted AND relation = 'product_analytics_event_default'::regclass"
              return (await Effect.runPromise(sql.unsafe(waiting))).length > 0
            })
            yield* Fiber.interrupt(interrupted)
            const error = yield* Effect.flip(maintain(client))
            expect(sqlCode(error)).toBe("55P03")
          })
        )
        expect(yield* fingerprint(sql)).toEqual(before)
        yield* maintain(other)
        expect(yield* fingerprint(sql)).toEqual(before)
        expect(yield* rowsByPartition(sql)).toEqual({ event_2031_01: 50, event_data_2031_01: 100 })
        yield* insert(sql, 1, "2030-12-01T00:00:00Z")
        yield* maintain(client)
        expect((yield* rowsByPartition(sql))["event_2030_12"]).toBe(1)
      })
    ))
})

/** Months since 2000 with one event each, as one anonymous batch can send them. */
const STRANGE_MONTHS = 324
const insertStrangeMonths = (sql: DatabaseClient, count = 1) =>
  sql.unsafe(
    `INSERT INTO product_analytics_event (created_at, event_id, site_id, session_id, visit_id, event_type, url_path)
    SELECT '2000-01-15'::timestamptz + month * interval '1 month', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
      gen_random_uuid(), 1, '/' FROM generate_series(0, ${STRANGE_MONTHS - 1}) AS month, generate_series(1, $1::int)`,
    [count]
  )

/** How long the planner takes for a site's last 30 days, in ms. */
const planningMs = (sql: DatabaseClient) =>
  Effect.map(
    sql.unsafe<{ "QUERY PLAN": ReadonlyArray<{ readonly "Planning Time": number }> }>(
      `EXPLAIN (SUMMARY, FORMAT json) SELECT count(*) FROM v_pa_events
      WHERE site_id = '11111111-2222-4333-8444-555555555555' AND created_at >= '2031-01-16' AND created_at < '2031-02-15'`
    ),
    ([row]) => row!["QUERY PLAN"][0]!["Planning Time"]
  )

/** The shortest of many planning times in each of two databases, which take turns because others use the machine too. */
const shortestPlanningMs = Effect.fnUntraced(function* (one: DatabaseClient, other: DatabaseClient) {
  yield* Effect.forEach([one, other], (sql) => sql.unsafe("ANALYZE product_analytics_event"))
  const shortest = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] as [number, number]
  for (let run = 0; run < 100; run++) {
    shortest[0] = Math.min(shortest[0], yield* planningMs(one))
    shortest[1] = Math.min(shortest[1], yield* planningMs(other))
  }
  return shortest
})

const EXPECTED_MONTHS = ["2031_02", "2031_03", "2031_04", "2031_05"]

describe("months that clients make up", () => {
  test("a batch with an event in each of 324 months creates no tables, and planning a 30-day query takes at most 1.2 times as long", () =>
    withDatabase(({ sql: spared }) =>
      Effect.promise(() =>
        withDatabase(({ sql }) =>
          Effect.gen(function* () {
            for (const database of [spared, sql]) yield* insert(database, 500, "2031-02-01T00:00:00Z", "30 minutes")
            yield* insertStrangeMonths(sql)
            for (const database of [spared, sql]) yield* maintain(database, TODAY, 10_000)
            expect(yield* months(sql)).toEqual(EXPECTED_MONTHS)
            expect((yield* rowsByPartition(sql))["event_default"]).toBe(STRANGE_MONTHS)
            const [before, after] = yield* shortestPlanningMs(spared, sql)
            expect(after).toBeLessThanOrEqual(before * 1.2 + 0.05)
          })
        )
      )
    ))

  test("a run gives at most six of them their own tables, the fullest first, and only with enough events", () =>
    withDatabase(({ sql }) =>
      Effect.gen(function* () {
        for (let month = 1; month <= 9; month++) yield* insert(sql, 20 + month, `2020-0${month}-05T00:00:00Z`)
        yield* insert(sql, 19, "2020-10-05T00:00:00Z")
        const before = yield* fingerprint(sql)
        yield* maintain(sql, TODAY, 20)
        const fullest = ["2020_04", "2020_05", "2020_06", "2020_07", "2020_08", "2020_09"]
        expect(yield* months(sql)).toEqual([...fullest, ...EXPECTED_MONTHS])
        yield* maintain(sql, TODAY, 20)
        expect(yield* months(sql)).toEqual(["2020_01", "2020_02", "2020_03", ...fullest, ...EXPECTED_MONTHS])
        expect(yield* fingerprint(sql)).toEqual(before)
      })
    ))

  test("merging moves months with few events back, keeps the current ones and the full ones, and changes no row", () =>
    withDatabase(({ sql }) =>
      Effect.gen(function* () {
        yield* insert(sql, 5, "2031-01-05T00:00:00Z")
        yield* insert(sql, 5, "2031-02-05T00:00:00Z")
        yield* insert(sql, 5, "2003-05-05T00:00:00Z")
        yield* insert(sql, 30, "2004-06-05T00:00:00Z")
        yield* maintain(sql)
        expect(yield* months(sql)).toEqual(["2003_05", "2004_06", "2031_01", ...EXPECTED_MONTHS])
        const before = yield* fingerprint(sql)
        const services = yield* Layer.build(PgPartitions.layer.pipe(Layer.provide(Layer.succeed(AppDatabase, sql))))
        const { merge } = Context.get(services, Partitions)
        const onDay = <A, E>(effect: Effect.Effect<A, E>) =>
          Effect.provideService(effect, Clock.Clock, settableClock(TODAY).clock)
        const expected = [{ month: "2003-05", events: 5 }]
        expect(yield* onDay(merge({ maxEvents: 30, dryRun: true }))).toEqual(expected)
        expect((yield* months(sql)).length).toBe(7)
        expect(yield* onDay(merge({ maxEvents: 30, dryRun: false }))).toEqual(expected)
        expect(yield* months(sql)).toEqual(["2004_06", "2031_01", ...EXPECTED_MONTHS])
        expect(yield* onDay(merge({ maxEvents: 30, dryRun: false }))).toEqual([])
        expect(yield* fingerprint(sql)).toEqual(before)
        expect((yield* rowsByPartition(sql))["event_data_default"]).toBe(10)
      })
    ))
})

describe("the job lock", () => {
  test("a job that is skipped twice in a row reports who has the lock, and one that ran in between does not", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const lines: Array<string> = []
        const runJob = makeJobRunner(yield* openClient(url), PARTITION_JOB_LOCK, "Partition maintenance")
        const attempt = runJob(Effect.void).pipe(
          Effect.provide(Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])),
          Effect.provideService(References.MinimumLogLevel, "Info")
        )
        const skipped = Effect.scoped(Effect.andThen(holdAdvisoryLock(sql, PARTITION_JOB_LOCK), attempt))
        yield* skipped
        yield* attempt
        yield* skipped
        expect(lines).toEqual([])
        yield* skipped
        expect(lines).toEqual([
          expect.stringMatching(
            /^Partition maintenance was skipped 2 times in a row\. The Postgres session \d+ of "footfall-test" has had its lock since 20\d\d-/
          )
        ])
      })
    ))

  test("the lock ends with the process's connection, and a job whose lock is lost is interrupted", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const client = yield* openClient(url)
        const job = yield* Effect.forkChild(Effect.exit(withJobLock(client, PARTITION_JOB_LOCK, Effect.never)), {
          startImmediately: true
        })
        const HELD = `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = ${PARTITION_JOB_LOCK}`
        yield* eventually("the lock is held", async () => (await Effect.runPromise(sql.unsafe(HELD))).length === 1)
        yield* sql.unsafe(`SELECT pg_terminate_backend(pid) FROM (${HELD}) AS held`)
        expect(yield* withJobLock(sql, PARTITION_JOB_LOCK, Effect.succeed("ran"))).toEqual(Option.some("ran"))
        expect(Exit.isFailure(yield* Fiber.join(job))).toBe(true)
      })
    ))
})

describe("the background job", () => {
  const start = (sql: DatabaseClient) =>
    Layer.build(
      PartitionJob.layer.pipe(Layer.provide(Layer.succeed(AppDatabase, sql)), Layer.provide(MemorySettings.layer()))
    )

  test("the job runs in the background", () =>
    withDatabase(({ sql }) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(TODAY)
        yield* start(sql)
        yield* TestClock.adjust("6 seconds")
        yield* eventually("the partitions exist", async () => {
          const found = await Effect.runPromise(Effect.orDie(months(sql)))
          return found.join() === "2031_02,2031_03,2031_04,2031_05"
        })
      }).pipe(Effect.provide(TestClock.layer()))
    ))

  test("the job runs five seconds after the start and every ten minutes, give or take a tenth, even after failures", () =>
    run(
      Effect.gen(function* () {
        let runs = 0
        const unreachable = new SqlError.SqlError({
          reason: new SqlError.ConnectionError({ cause: new Error("unreachable") })
        })
        const reserve = Effect.suspend(() => {
          runs++
          return Effect.fail(unreachable)
        })
        yield* start({ reserve } as Partial<DatabaseClient> as DatabaseClient)
        const seen: Array<number> = []
        // Up to 4.4 s, 5.6 s, 543.6 s and 665.6 s: before and after the first run, then the second.
        for (const wait of ["4400 millis", "1200 millis", "538 seconds", "122 seconds"] as const) {
          yield* TestClock.adjust(wait)
          seen.push(runs)
        }
        expect(seen).toEqual([0, 1, 1, 2])
      }).pipe(Effect.provide(TestClock.layer()))
    ))
})
