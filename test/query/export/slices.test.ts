import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Effect, Layer, Redacted, Result, Stream } from "effect"
import { generate } from "../../../bench/questions/generate.ts"
import { SiteId } from "../../../src/domain/ids.ts"
import { SITE_DEFAULTS, Site } from "../../../src/domain/Site.ts"
import { type QueryChunk, QueryEngine, QueryError } from "../../../src/ports/QueryEngine.ts"
import { QuestionEngines } from "../../../src/ports/QuestionEngines.ts"
import { type CompiledQuestion, compileQuestion, ENGINES } from "../../../src/query/compile.ts"
import { readSlices, SLICE_ROWS, slicedList } from "../../../src/query/export/slices.ts"
import type { QuestionContext } from "../../../src/query/plan/context.ts"
import { ADMIN, startAdmin } from "../../http/api/support.ts"
import { until } from "../../support/eventually.ts"
import * as MemorySites from "../../support/memory/MemorySites.ts"
import { freshDatabase, openClient } from "../../support/postgres/postgres.ts"
import { questionContext } from "../../support/questions/context.ts"
import { questionSite } from "../../support/questions/site.ts"
import { startReplica, type TestReplica } from "../../support/replica/replica.ts"

setDefaultTimeout(120_000)

const SITE = "5f0c1d1e-2b3a-4c5d-8e6f-7a8b9c0d1e2f"
const MONTH = "2026-03-01"
/** Spread over the month. */
const SPREAD = 30_000
/** In one hour: most of them in one minute of it, most of these in one second, and most of these in one microsecond. */
const BUSY = { hour: 3_000, minute: 2_000, second: 5_000, microsecond: 42_000 }
const BUSY_ROWS = Object.values(BUSY).reduce((sum, one) => sum + one)

/** Events of visitors of the month, with a property, in an order that their ids do not have. */
const insertBusyHour = `WITH numbered AS (
  SELECT n, timestamptz '2026-03-10 14:00:00Z' + CASE
    WHEN n < ${BUSY.hour} THEN n * interval '1.1 seconds'
    WHEN n < ${BUSY.hour + BUSY.minute} THEN interval '20 minutes' + (n - ${BUSY.hour}) * interval '0.029 seconds'
    WHEN n < ${BUSY.hour + BUSY.minute + BUSY.second} THEN interval '1230 seconds' + (n % 1000) * interval '0.001 seconds'
    ELSE interval '1230.123456 seconds' END AS at,
    md5(n || ' busy')::uuid AS id, md5('5 ' || (n % 1000))::uuid AS session
  FROM generate_series(0, ${BUSY_ROWS - 1}) AS n
), event AS (
  INSERT INTO product_analytics_event (created_at, event_id, site_id, session_id, visit_id, event_type, event_name, url_path)
  SELECT at, id, '${SITE}', session, session, 2, 'busy', '/' || n FROM numbered
)
INSERT INTO product_analytics_event_data (created_at, event_id, site_id, session_id, data_type, event_name, data_key, string_value)
SELECT at, id, '${SITE}', session, 1, 'busy', 'plan', 'plan ' || n % 7 FROM numbered WHERE n % 5 <> 0`

const CONTEXT: QuestionContext = questionContext({
  sites: [questionSite({ id: SITE, name: "Busy" })],
  propertyType: () => "text"
})
const ALL_ROWS = { bare: 1_000_000, grouped: 1_000_000 }

const list = (question: object) => ({ fql: 1, type: "query", source: "v_pa_events", ...question })
const compiledFor = (question: object, engine = ENGINES.replica): CompiledQuestion =>
  Result.getOrThrow(compileQuestion(CONTEXT, list(question), engine, ALL_ROWS))

let replica: TestReplica

beforeAll(async () => {
  const url = await freshDatabase()
  await generate({ databaseUrl: Redacted.value(url), site: SITE, events: SPREAD, month: MONTH })
  await Effect.runPromise(Effect.scoped(Effect.flatMap(openClient(url, 1), (sql) => sql.unsafe(insertBusyHour))))
  replica = await startReplica(url)
  await replica.sync()
}, 180_000)

afterAll(async () => {
  await replica[Symbol.asyncDispose]()
})

const rowsOf = async (chunks: Stream.Stream<QueryChunk, unknown>): Promise<ReadonlyArray<string>> =>
  (await Effect.runPromise(Stream.runCollect(chunks))).flatMap(({ rows }) => rows.map((row) => JSON.stringify(row)))

/** A question's rows from one statement and from slices, and how many rows each of the slices' statements returned. */
const bothWays = async (question: object) => {
  const { query, select, statement } = compiledFor(question)
  const sliced = slicedList(select)
  if (sliced === null) throw new Error("This list is not read in slices.")
  const sizes: Array<number> = []
  const chunks = readSlices(sliced, select.limit!, (one) =>
    Stream.suspend(() => {
      const place = one.groupBy === null ? sizes.push(0) - 1 : null
      return Stream.tap(replica.engine.stream(Result.getOrThrow(statement(one))), ({ rows }) =>
        Effect.sync(() => {
          if (place !== null) sizes[place]! += rows.length
        })
      )
    })
  )
  return { sizes, slices: await rowsOf(chunks), whole: await rowsOf(replica.engine.stream(query)) }
}

const JOINED = { strategy: "inner-join", fields: ["country", "device"] }

describe("a long list in slices of time", () => {
  test.each<[name: string, question: object, rows: number, slices: number]>([
    ["all columns, newest first", {}, 30_000 + BUSY_ROWS, 4],
    ["the oldest first", { fields: ["id", "created_at"], "order-by": [["asc", "created_at"]] }, 30_000 + BUSY_ROWS, 4],
    ["a limit inside of a slice", { fields: ["id", "created_at"], limit: 25_000 }, 25_000, 2],
    [
      "a limit inside of the busiest microsecond",
      { fields: ["id", "created_at", "url_path"], filter: ["=", "event_name", "busy"], limit: 30_000 },
      30_000,
      2
    ],
    [
      "a range whose ends cut visits",
      {
        fields: ["created_at", "channel", "is_entry", "is_exit"],
        filter: ["between", "created_at", "2026-03-04", "2026-03-12"]
      },
      SLICE_ROWS,
      3
    ],
    [
      "columns and conditions of properties and attributes",
      { fields: ["id", ["prop", "plan"], ["attr", "role"]], filter: ["!=", ["prop", "plan"], "plan 3"] },
      SLICE_ROWS,
      3
    ],
    [
      "fields of the visitor and the visit",
      { fields: ["id", "country", "session_id", ["field", "entry_path", { "source-field": "visit_id" }]] },
      30_000 + BUSY_ROWS,
      4
    ],
    [
      "a join that leaves rows out",
      {
        fields: ["id", ["field", "country", { "join-alias": "v" }]],
        joins: [
          {
            alias: "v",
            source: "v_pa_sessions",
            condition: ["=", ["field", "session_id"], ["field", "id", { "join-alias": "v" }]],
            ...JOINED
          }
        ],
        filter: ["=", ["field", "country", { "join-alias": "v" }], "US", "DE"]
      },
      SLICE_ROWS,
      2
    ],
    [
      "visitors who did something",
      { fields: ["id", "created_at"], filter: ["did", ["=", "event_name", "purchase"]] },
      5_000,
      1
    ],
    ["event properties", { source: "v_pa_event_data", "order-by": [["asc", "created_at"]] }, 35_000, 3]
  ])("has the same rows in the same order: %s", async (_, question, rows, slices) => {
    const { sizes, slices: read, whole } = await bothWays(question)
    expect(read.length).toBe(whole.length)
    expect(read.findIndex((row, index) => row !== whole[index])).toBe(-1)
    expect(whole.length).toBeGreaterThanOrEqual(rows * 0.9)
    expect(sizes.length).toBeGreaterThanOrEqual(slices)
    // Nothing divides a microsecond.
    expect(sizes.filter((size) => size > 2 * SLICE_ROWS).length).toBeLessThanOrEqual(1)
  })

  test("a result without rows is one chunk without rows, with its columns", async () => {
    const { select, statement } = compiledFor({ fields: ["id"], filter: ["=", "url_path", "/nowhere"] })
    const chunks = readSlices(slicedList(select)!, select.limit!, (one) =>
      replica.engine.stream(Result.getOrThrow(statement(one)))
    )
    const [chunk, ...others] = await Effect.runPromise(Stream.runCollect(chunks))
    expect([chunk!.columns.map(({ name }) => name), chunk!.rows, others]).toEqual([["c0"], [], []])
  })

  test("rows that arrive or go while the slices are read are in one of them or in none, and all others are there once", async () => {
    const at = (hour: number) => `2026-03-10T${String(hour).padStart(2, "0")}:30:00.000000Z`
    const hours = [0, 1, 2, 3, 4, 5].map((hour) => ({ hour, rows: Array.from({ length: 15_000 }, () => [at(hour)]) }))
    const seen: Array<unknown> = []
    const { select } = compiledFor({ fields: ["created_at"] })
    const unit = (hour: number) => Date.parse(at(hour)) / 3_600_000
    let turn = 0
    const chunks = readSlices(slicedList(select)!, 1_000_000, (one) => {
      if (one.groupBy !== null) {
        return Stream.make({ columns: [], rows: hours.map(({ hour, rows }) => [Math.floor(unit(hour)), rows.length]) })
      }
      // After the rows were counted, the newest hour grows, the next one is emptied, and an hour before all others appears.
      if (turn++ === 0) {
        hours[5]!.rows.push([at(5)])
        hours[4]!.rows = []
        hours.push({ hour: 23, rows: [[at(23)]] })
      }
      const { from, until: end } = (
        one.from.source as { scope: { range: { from: string | null; until: string | null } } }
      ).scope.range
      const rows = hours
        .toSorted((a, b) => b.hour - a.hour)
        .flatMap((hour) => hour.rows)
        .filter(([time]) => (from === null || time! >= from) && (end === null || time! < end))
      return Stream.make({ columns: [], rows })
    })
    for (const { rows } of await Effect.runPromise(Stream.runCollect(chunks))) seen.push(...rows.map(([time]) => time))
    const counts = Object.fromEntries(
      Map.groupBy(seen, String)
        .entries()
        .map(([time, all]) => [time, all.length])
    )
    expect(counts).toEqual({
      [at(23)]: 1,
      [at(5)]: 15_001,
      [at(3)]: 15_000,
      [at(2)]: 15_000,
      [at(1)]: 15_000,
      [at(0)]: 15_000
    })
  })

  test("short lists, other orders and what each slice would compute again are read in one statement", () => {
    const isSliced = (question: object) => slicedList(compiledFor(question).select) !== null
    const visits = { alias: "v", source: "v_pa_visits", strategy: "left-join" }
    const onSession = ["=", ["field", "session_id"], ["field", "session_id", { "join-alias": "v" }]]
    expect(
      [
        {},
        { limit: SLICE_ROWS },
        { "order-by": [["asc", "url_path"]] },
        { page: { page: 2, items: 2_000 } },
        { aggregation: [["count"]], breakout: ["url_path"] },
        { source: "v_pa_visits" },
        { joins: [{ ...visits, condition: onSession }], fields: ["id"] },
        { compat: "umami", fields: ["id", ["field", "entry_path", { "source-field": "visit_id" }]] },
        { fields: ["id", "last_seen_at"] },
        { source: { query: list({}) } }
      ].map(isSliced)
    ).toEqual([true, false, false, false, false, false, false, false, false, false])
  })
})

describe("exports of a long list over HTTP", () => {
  const sites = MemorySites.layer([
    new Site({
      ...SITE_DEFAULTS,
      id: SiteId.make(SITE),
      name: "Busy",
      archived: false,
      createdAt: new Date(0),
      updatedAt: new Date(0)
    })
  ])

  /** The replica, with the streams that are open, and what was spent before each began. `failing`: the number of the stream that fails. */
  const watched = (failing = Number.POSITIVE_INFINITY) => {
    const seen = { open: 0, spent: [] as Array<number | undefined> }
    const engine = QueryEngine.of({
      ...replica.engine,
      stream: (query, spentMs) =>
        Stream.suspend(() => {
          seen.open++
          if (seen.spent.push(spentMs) % failing === 0)
            return Stream.fail(new QueryError({ reason: "Unavailable", message: "DuckDB's process ended" }))
          return replica.engine.stream(query, spentMs)
        }).pipe(Stream.ensuring(Effect.sync(() => void seen.open--)))
    })
    const engines = Layer.succeed(
      QuestionEngines,
      QuestionEngines.of({ usable: Effect.succeed({ primary: engine, fallback: null, why: null }) })
    )
    return { seen, start: () => startAdmin({ engines, sites, environment: { QUESTION_QUEUE_SECONDS: "1" } }) }
  }

  const post = (handler: (request: Request) => Promise<Response>) =>
    handler(
      new Request("http://localhost:3000/api/dataset/csv", {
        method: "POST",
        headers: { authorization: `Bearer ${ADMIN}`, "content-type": "application/json" },
        body: JSON.stringify(list({ filter: ["between", "created_at", "2026-03-01", "2026-03-31"] }))
      })
    )

  test("the slices share the deadline, and a client that disconnects in a later one frees its place", async () => {
    const { seen, start } = watched()
    const admin = await start()
    const disconnectLater = async () => {
      const before = seen.spent.length
      const response = await post(admin.handler)
      expect(response.status).toBe(200)
      const reader = response.body!.getReader()
      while (seen.spent.length < before + 4) expect((await reader.read()).done).toBe(false)
      expect(seen.open).toBe(1)
      await reader.cancel()
      await until("the statement is canceled", async () => seen.open === 0)
      return seen.spent.slice(before)
    }
    // More often than there are places.
    for (let turn = 0; turn < 3; turn++) {
      const spent = await disconnectLater()
      expect(spent).toEqual(spent.toSorted((one, other) => one! - other!))
      expect(spent.at(-1)).toBeGreaterThan(spent[0]!)
    }
    const counted = (await (await post(admin.handler)).text()).split("\r\n").length
    expect(counted).toBeGreaterThan(SPREAD * 0.9 + BUSY_ROWS)
    await admin.close()
  })

  test("an export whose later slice fails breaks off and frees its place, and one whose count fails gets a status", async () => {
    const later = watched(4)
    const admin = await later.start()
    for (let turn = 0; turn < 3; turn++) {
      const response = await post(admin.handler)
      expect(response.status).toBe(200)
      await expect(response.text()).rejects.toThrow()
      expect([later.seen.open, later.seen.spent.length]).toEqual([0, 4 * (turn + 1)])
    }
    await admin.close()
    const atOnce = await watched(1).start()
    expect((await post(atOnce.handler)).status).toBe(503)
    await atOnce.close()
  })
})
