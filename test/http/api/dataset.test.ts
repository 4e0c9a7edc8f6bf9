import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DuckDBInstance } from "@duckdb/node-api"
import { Context, Effect, Exit, Layer, type Redacted, Scope, Stream } from "effect"
import { unzipSync } from "fflate"
import { SiteId } from "../../../src/domain/ids.ts"
import { SITE_DEFAULTS, Site } from "../../../src/domain/Site.ts"
import { QueryEngine, QueryError } from "../../../src/ports/QueryEngine.ts"
import { QuestionEngines } from "../../../src/ports/QuestionEngines.ts"
import { OTHER_SITE, SITE } from "../../services/fixture.ts"
import * as MemorySites from "../../support/memory/MemorySites.ts"
import { pgWarehouse } from "../../support/postgres/pgWarehouse.ts"
import { freshDatabase } from "../../support/postgres/postgres.ts"
import { childrenOf } from "../../support/process/processes.ts"
import { fillWithEvents } from "../../support/questions/events.ts"
import { startReplica, type TestReplica } from "../../support/replica/replica.ts"
import { ADMIN, type Admin, startAdmin, VIEWER } from "./support.ts"

type Engine = QueryEngine["Service"]

const sites = [
  [SITE, "Shop"],
  [OTHER_SITE, "Other"]
].map(
  ([id, name]) =>
    new Site({
      ...SITE_DEFAULTS,
      id: SiteId.make(id!),
      name: name!,
      archived: false,
      createdAt: new Date(0),
      updatedAt: new Date(0)
    })
)

const usable = (primary: Engine | null, fallback: Engine | null = null, why: string | null = null) =>
  Layer.succeed(QuestionEngines, QuestionEngines.of({ usable: Effect.succeed({ primary, fallback, why }) }))

const startWith = (engines: Layer.Layer<QuestionEngines>, environment: Record<string, string> = {}) =>
  startAdmin({
    engines,
    sites: MemorySites.layer(sites),
    environment: { PUBLIC_URL: "https://stats.example", ...environment }
  })

const scope = Scope.makeUnsafe()
const admins = new Map<string, Admin>()
let replica: TestReplica
let database: Redacted.Redacted<string>

beforeAll(async () => {
  const url = await freshDatabase()
  database = url
  await fillWithEvents(url)
  const postgres = await Effect.runPromise(Scope.provide(Layer.build(pgWarehouse(url)), scope))
  replica = await startReplica(url)
  await replica.sync()
  admins.set("postgres", await startWith(usable(Context.get(postgres, QueryEngine))))
  admins.set("replica", await startWith(usable(replica.engine, Context.get(postgres, QueryEngine))))
}, 180_000)

afterAll(async () => {
  for (const admin of admins.values()) await admin.close()
  await replica[Symbol.asyncDispose]()
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

const SHOP_IN_MARCH = ["and", ["=", "site_id", SITE], ["between", "created_at", "2026-03-28", "2026-03-31"]]
const events = (question: object) => ({ fql: 1, type: "query", source: "v_pa_events", ...question })
const VIEWS_IN_MARCH = ["and", SHOP_IN_MARCH, ["=", "event_type", 1]]
const BY_DAY = events({
  filter: VIEWS_IN_MARCH,
  aggregation: [["count"], ["metric", "visitors"]],
  breakout: [["field", "created_at", { "temporal-unit": "day" }]]
})

const replicaProcesses = (): ReadonlyArray<number> =>
  childrenOf(process.pid).filter((pid) =>
    Bun.spawnSync(["ps", "-o", "args=", "-p", String(pid)])
      .stdout.toString()
      .includes("replicaChild")
  )

/** Billions of rows: each event with each, several times. */
const ENDLESS = {
  joins: Array.from({ length: 6 }, (_, index) => ({
    alias: `e${index}`,
    source: "v_pa_events",
    strategy: "inner-join",
    condition: ["=", "site_id", ["field", "site_id", { "join-alias": `e${index}` }]],
    fields: "none"
  })),
  aggregation: [["count"]],
  breakout: Array.from({ length: 6 }, (_, index) => ["field", "id", { "join-alias": `e${index}` }])
}

const ENGINES = ["postgres", "replica"] as const

describe.each(ENGINES)("a question over HTTP, answered by %s", (route) => {
  test("returns rows, columns and up to when the data is complete", async () => {
    const { body, status } = await admins.get(route)!.call("POST", "/api/dataset", { body: BY_DAY })
    expect(status).toBe(200)
    expect(body.data.rows).toEqual([
      ["2026-03-28T00:00:00", 3, 2],
      ["2026-03-29T00:00:00", 5, 3],
      ["2026-03-30T00:00:00", 4, 3],
      ["2026-03-31T00:00:00", 2, 2]
    ])
    expect(body.data.cols.map(({ name }: { name: string }) => name)).toEqual(["created_at", "count", "visitors"])
    expect(body).toMatchObject({ route, row_count: 4, truncated: false, partial_buckets: [], warnings: [] })
    expect(Date.parse(body.as_of)).toBeGreaterThan(Date.now() - 60_000)
    expect(body.data.native_form.sql).toContain("SELECT")
  })

  test("shows the statement only to administrators", async () => {
    const { body, status } = await admins.get(route)!.call("POST", "/api/dataset", { body: BY_DAY, key: VIEWER })
    expect([status, body.data.native_form]).toEqual([200, undefined])
  })

  test("is refused with a code and a pointer to what is wrong", async () => {
    const call = (body: unknown) => admins.get(route)!.call("POST", "/api/dataset", { body })
    expect((await call(events({ filter: ["=", "url_pth", "/"] }))).body).toMatchObject({
      status: 400,
      code: "unknown-field",
      pointer: "/filter/1",
      detail: "There is no field `url_pth` in v_pa_events. Did you mean `url_path`?"
    })
    expect((await call({ type: "native", native: { query: "SELECT 1" } })).body).toMatchObject({
      status: 403,
      detail: "Native queries are not allowed on the product analytics database"
    })
    expect((await call({ fql: 1, type: "query", source: { query: { type: "native" } } })).body.status).toBe(403)
    expect((await call({ ...events({}), source: "product_analytics_key" })).body).toMatchObject({
      status: 403,
      detail:
        "Product analytics queries are only allowed on product analytics views. The views are `v_pa_sites`, `v_pa_sessions`, `v_pa_events`, `v_pa_event_data`, `v_pa_session_data`, `v_pa_visits`, `v_pa_user_flows`."
    })
    expect((await call({ ...events({}), source: "v_pa_evnts" })).body).toMatchObject({
      status: 403,
      pointer: "/source",
      detail: expect.stringContaining("Did you mean `v_pa_events`?")
    })
    expect((await call([])).body).toMatchObject({ status: 400, code: "bad-ast", pointer: "" })
    expect((await call("{")).status).toBe(400)
  })

  test("exports the same rows as CSV and JSON", async () => {
    const file = await admins.get(route)!.call("POST", "/api/dataset/csv?name=By%20day", { body: BY_DAY })
    expect(file.headers.get("content-type")).toBe("text/csv; charset=utf-8")
    expect(file.headers.get("content-disposition")).toMatch(/^attachment; filename="By day \d{4}-\d\d-\d\d\.csv"/)
    expect(file.body).toBe(
      "Created at: day,Count,Visitors\r\n2026-03-28T00:00:00,3,2\r\n2026-03-29T00:00:00,5,3\r\n2026-03-30T00:00:00,4,3\r\n2026-03-31T00:00:00,2,2\r\n"
    )
    const json = await admins.get(route)!.call("POST", "/api/dataset/json?format_rows=false", { body: BY_DAY })
    expect(json.body[1]).toEqual({ created_at: "2026-03-29T00:00:00", count: 5, visitors: 3 })
    expect(json.body).toHaveLength(4)
  })

  test("compares with another period, as a setting or as a parameter, in answers and in files", async () => {
    const call = (body: object, format = "") => admins.get(route)!.call("POST", `/api/dataset${format}`, { body })
    const filter = ["and", VIEWS_IN_MARCH, ["between", "created_at", "2026-03-30", "2026-03-31"]]
    const compare = { settings: { compare: "previous-period" } }
    const { body } = await call({ ...BY_DAY, filter, ...compare })
    expect(body.comparison.rows).toEqual([
      ["2026-03-28T00:00:00", 3, 2],
      ["2026-03-29T00:00:00", 5, 3]
    ])
    const parameters = [{ type: "compare", target: ["compare"], value: "previous-period" }]
    expect((await call({ ...BY_DAY, filter, parameters })).body.comparison).toEqual(body.comparison)
    expect((await call({ ...BY_DAY, filter })).body.comparison).toBeNull()
    expect((await call({ ...BY_DAY, filter, settings: { compare: "yesteryear" } })).body).toMatchObject({
      status: 400,
      code: "bad-ast",
      pointer: "/settings/compare"
    })
    const paths = events({
      filter,
      aggregation: [["count"]],
      breakout: ["url_path"],
      "order-by": [["asc", "url_path"]],
      limit: 1,
      settings: { ...compare.settings, other: true }
    })
    expect((await call(paths, "/csv")).body).toBe(
      "URL path,Count,Count (compared),Count (change),Count (change in %)\r\n/,2,4,-2,-50\r\nOther,4,,,\r\n"
    )
    const json = await call({ ...BY_DAY, filter, ...compare }, "/json?format_rows=false")
    expect(json.body[1]).toMatchObject({ created_at_compared: "2026-03-29T00:00:00", count_change_percent: -60 })
    for (const format of ["xlsx", "parquet"]) {
      const file = await raw(admins.get(route)!, `/api/dataset/${format}`, { ...BY_DAY, filter, ...compare })
      expect([file.status, (await file.bytes()).length > 100]).toEqual([200, true])
    }
  })

  test("exports days without events, too", async () => {
    const question = { ...BY_DAY, filter: ["and", VIEWS_IN_MARCH, ["!=", "url_path", "/blog", "/", "/pricing"]] }
    const { body } = await admins.get(route)!.call("POST", "/api/dataset/csv", { body: question })
    expect(body.split("\r\n").slice(1, 5)).toEqual([
      "2026-03-28T00:00:00,0,0",
      "2026-03-29T00:00:00,1,1",
      "2026-03-30T00:00:00,0,0",
      "2026-03-31T00:00:00,0,0"
    ])
  })

  test("exports Parquet with types that DuckDB reads", async () => {
    const question = events({
      filter: SHOP_IN_MARCH,
      fields: ["id", "created_at", "event_type", "event_name", "revenue", "is_entry"],
      "order-by": [["asc", "created_at"]]
    })
    const response = await raw(admins.get(route)!, "/api/dataset/parquet?format_rows=false", question)
    const folder = mkdtempSync(join(tmpdir(), "footfall-export-"))
    try {
      writeFileSync(join(folder, "events.parquet"), new Uint8Array(await response.arrayBuffer()))
      const connection = await (await DuckDBInstance.create()).connect()
      const reader = await connection.runAndReadAll(
        `SELECT count(*)::INTEGER, min(created_at)::VARCHAR, typeof(any_value(created_at)), typeof(any_value(event_type)), sum(revenue), typeof(any_value(is_entry)), count(event_name)::INTEGER
        FROM '${join(folder, "events.parquet")}'`
      )
      const [row] = reader.getRowsJson()
      expect(row).toEqual([
        22,
        expect.stringMatching(/^2026-03-28 22:50:00/),
        "TIMESTAMP WITH TIME ZONE",
        "BIGINT",
        149.9,
        "BOOLEAN",
        5
      ])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test("exports a workbook with typed cells, and dates in the question's zone", async () => {
    const question = { ...BY_DAY, settings: { timezone: "Europe/Berlin" } }
    const response = await raw(admins.get(route)!, "/api/dataset/xlsx", question)
    const parts = unzipSync(new Uint8Array(await response.arrayBuffer()))
    const sheet = new TextDecoder().decode(parts["xl/worksheets/sheet1.xml"])
    // 28 March 2026 is day 46109.
    expect(sheet).toContain('<row><c s="2"><v>46109</v></c><c><v>2</v></c><c><v>1</v></c></row>')
    expect(sheet).toContain('<t xml:space="preserve">Created at: day</t>')
  })
})

const raw = (admin: Admin, path: string, body: unknown, init: RequestInit = {}): Promise<Response> =>
  admin.handler(
    new Request(`http://localhost:3000${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${ADMIN}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      ...init
    })
  )

const COUNT = events({ aggregation: [["count"]] })
const ONE_ROW = { columns: [{ name: "count", type: "integer" as const }], rows: [[1]] }

/** An engine whose runs end when they are let go. */
const slowEngine = (changes: Partial<Engine> = {}) => {
  const waiting: Array<() => void> = []
  const seen = { runs: 0, running: 0, most: 0, interrupted: 0, version: "1" }
  const engine: Engine = {
    dialect: "postgres",
    model: "postgres",
    asOf: Effect.sync(() => ({ time: "2026-03-28T00:00:00.000000Z", version: seen.version })),
    stream: () => Stream.make(ONE_ROW),
    run: () =>
      Effect.callback<typeof ONE_ROW>((resume) => {
        seen.runs++
        seen.most = Math.max(seen.most, ++seen.running)
        waiting.push(() => {
          seen.running--
          resume(Effect.succeed(ONE_ROW))
        })
        return Effect.sync(() => {
          seen.running--
          seen.interrupted++
        })
      }),
    ...changes
  }
  return { engine, seen, letGo: () => waiting.splice(0).forEach((go) => void go()) }
}

const until = async (condition: () => boolean | Promise<boolean>) => {
  for (let turn = 0; !(await condition()); turn++) {
    if (turn > 2_000) throw new Error("It did not happen within 10 s.")
    await Bun.sleep(5)
  }
}

/** Different questions, so that none shares another's run. */
const countOfPath = (path: number) => events({ aggregation: [["count"]], filter: ["=", "url_path", `/${path}`] })

describe("running questions", () => {
  test("the same question at the same time runs once, and everyone gets its answer", async () => {
    const { engine, letGo, seen } = slowEngine()
    const admin = await startWith(usable(engine))
    const asked = Array.from({ length: 5 }, () => admin.call("POST", "/api/dataset", { body: COUNT }))
    await until(() => seen.runs === 1)
    await Bun.sleep(50)
    letGo()
    expect((await Promise.all(asked)).map(({ body }) => body.data.rows)).toEqual(Array(5).fill([[1]]))
    expect(seen.runs).toBe(1)
    await admin.close()
  })

  test("a client that disconnects cancels its question, unless another waits for the same", async () => {
    const { engine, letGo, seen } = slowEngine()
    const admin = await startWith(usable(engine))
    const first = new AbortController()
    const second = new AbortController()
    const ask = ({ signal }: AbortController) => raw(admin, "/api/dataset", COUNT, { signal }).catch(() => null)
    void ask(first)
    void ask(second)
    await until(() => seen.runs === 1)
    await Bun.sleep(50)
    first.abort()
    await Bun.sleep(50)
    expect(seen.interrupted).toBe(0)
    second.abort()
    await until(() => seen.interrupted === 1)
    const third = admin.call("POST", "/api/dataset", { body: COUNT })
    await until(() => seen.runs === 2)
    letGo()
    expect((await third).status).toBe(200)
    await admin.close()
  })

  test("four questions of one caller run at the same time; further ones wait for their turn, but others do not wait for them", async () => {
    const { engine, letGo, seen } = slowEngine()
    const admin = await startWith(usable(engine))
    const asked = Array.from({ length: 7 }, (_, path) =>
      admin.call("POST", "/api/dataset", { body: countOfPath(path) })
    )
    await until(() => seen.running === 4)
    await Bun.sleep(50)
    expect(seen.runs).toBe(4)
    asked.push(admin.call("POST", "/api/dataset", { body: countOfPath(8), key: VIEWER }))
    await until(() => seen.running === 5)
    letGo()
    await until(() => seen.runs === 8)
    letGo()
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(Array(8).fill(200))
    await admin.close()
  })

  test("a question that waited too long gets 503 with the code busy", async () => {
    const { engine, letGo, seen } = slowEngine()
    const admin = await startWith(usable(engine), { QUESTIONS_AT_ONCE: "1", QUESTION_QUEUE_SECONDS: "1" })
    const first = admin.call("POST", "/api/dataset", { body: countOfPath(1) })
    await until(() => seen.running === 1)
    const { body, headers, status } = await admin.call("POST", "/api/dataset", { body: countOfPath(2) })
    expect([status, body.code, headers.get("retry-after")]).toEqual([503, "busy", "2"])
    letGo()
    expect((await first).status).toBe(200)
    const third = admin.call("POST", "/api/dataset", { body: countOfPath(2) })
    await until(() => seen.running === 1)
    letGo()
    expect((await third).status).toBe(200)
    await admin.close()
  })

  test("an answer is given again while the data is the same, and says so; newer data or a request for it computes it again", async () => {
    const { engine, seen } = slowEngine({
      run: () =>
        Effect.sync(() => {
          seen.runs++
          return ONE_ROW
        })
    })
    const admin = await startWith(usable(engine), { QUESTION_CACHE_SECONDS: "0" })
    const ask = async (query = "") => (await admin.call("POST", `/api/dataset${query}`, { body: COUNT })).body
    expect((await ask()).cached_at).toBeUndefined()
    expect(Date.parse((await ask()).cached_at)).toBeGreaterThan(Date.now() - 60_000)
    expect(seen.runs).toBe(1)
    expect((await ask("?ignore_cache=true")).cached_at).toBeUndefined()
    expect(seen.runs).toBe(2)
    seen.version = "2"
    await Bun.sleep(5)
    expect((await ask()).cached_at).toBeUndefined()
    expect(seen.runs).toBe(3)
    await admin.close()
  })

  test("both answers of a comparison are given again", async () => {
    const { engine, seen } = slowEngine({
      run: () =>
        Effect.sync(() => {
          seen.runs++
          return ONE_ROW
        })
    })
    const admin = await startWith(usable(engine))
    const compared = (compare?: string) => ({
      ...COUNT,
      filter: ["between", "created_at", "2026-03-30", "2026-03-31"],
      ...(compare !== undefined && { settings: { compare } })
    })
    const ask = async (compare?: string) => {
      const { body } = await admin.call("POST", "/api/dataset", { body: compared(compare) })
      return [seen.runs, body.comparison?.rows ?? null]
    }
    expect(await ask()).toEqual([1, null])
    expect(await ask("previous-period")).toEqual([2, [[1]]])
    expect(await ask("previous-period")).toEqual([2, [[1]]])
    expect(await ask("previous-year")).toEqual([3, [[1]]])
    await admin.close()
  })

  test("while the replica is unavailable, the app database answers", async () => {
    const broken = slowEngine({
      model: "replica",
      dialect: "duckdb",
      run: () => Effect.fail(new QueryError({ reason: "Unavailable", message: "secret host 10.0.0.5" }))
    })
    const fallback = slowEngine({ run: () => Effect.succeed(ONE_ROW) })
    const admin = await startWith(usable(broken.engine, fallback.engine))
    expect((await admin.call("POST", "/api/dataset", { body: COUNT })).body).toMatchObject({ route: "postgres" })
    await admin.close()
    const single = await startWith(usable(broken.engine))
    const { body, status } = await single.call("POST", "/api/dataset", { body: COUNT })
    expect([status, body.title]).toEqual([503, "Service Unavailable"])
    expect(JSON.stringify(body)).not.toContain("10.0.0.5")
    await single.close()
  })

  test("when the replica's process dies before the first rows of an export, the app database exports", async () => {
    const died = Stream.fail(new QueryError({ reason: "Unavailable", message: "DuckDB's process ended" }))
    const broken = slowEngine({ model: "replica", dialect: "duckdb", stream: () => died })
    const answering = slowEngine()
    const limits = { QUESTIONS_AT_ONCE: "1", QUESTIONS_AT_ONCE_PER_USER: "1", QUESTION_QUEUE_SECONDS: "1" }
    const admin = await startWith(usable(broken.engine, answering.engine), limits)
    const exported = await admin.call("POST", "/api/dataset/csv", { body: COUNT })
    expect([exported.status, exported.body]).toEqual([200, "Count\r\n1\r\n"])
    await admin.close()
    const both = await startWith(usable(broken.engine, broken.engine), limits)
    expect((await both.call("POST", "/api/dataset/csv", { body: COUNT })).status).toBe(503)
    expect((await both.call("POST", "/api/dataset/csv", { body: COUNT })).body.code).toBe(undefined)
    await both.close()
  })

  test("without an engine, questions get 503 with the code no-engine and the reason", async () => {
    const admin = await startWith(usable(null, null, "Set WAREHOUSE to postgres."))
    const { body, status } = await admin.call("POST", "/api/dataset", { body: COUNT })
    expect([status, body.code, body.detail]).toEqual([503, "no-engine", "Set WAREHOUSE to postgres."])
    await admin.close()
  })

  test("a question that takes the replica too long is canceled in it and gets 504, and the next one is answered", async () => {
    const before = replicaProcesses()
    await using slow = await startReplica(database, { deadlineMs: 1_000 })
    await slow.sync()
    const own = replicaProcesses().filter((pid) => !before.includes(pid))
    const admin = await startWith(usable(slow.engine))
    // More than run at a time: the last ones would wait until the first have ended.
    const answers = await Promise.all(
      [1, 2, 3, 4].map((limit) => admin.call("POST", "/api/dataset", { body: events({ ...ENDLESS, limit }) }))
    )
    for (const { body, status } of answers) {
      expect([status, body.code]).toEqual([504, "query-timeout"])
      expect(body.detail).toBe(
        "The warehouse did not answer in time. Ask for a shorter range, or increase WAREHOUSE_TIMEOUT_SECONDS."
      )
    }
    await until(async () => {
      const { body, status } = await admin.call("POST", "/api/dataset", { body: BY_DAY })
      return status === 200 && body.row_count === 4 && body.route === "replica"
    })
    // It was not killed for it.
    expect(own).toHaveLength(1)
    expect(replicaProcesses()).toContain(own[0]!)
    await admin.close()
  })

  test("a question that takes too long gets 504 with advice", async () => {
    const late = new QueryError({ reason: "Timeout", message: "No result within 30 s." })
    const { engine } = slowEngine({ run: () => Effect.fail(late) })
    const admin = await startWith(usable(engine))
    const { body, status } = await admin.call("POST", "/api/dataset", { body: COUNT })
    expect([status, body.code]).toEqual([504, "query-timeout"])
    expect(body.detail).toContain("shorter range")
    await admin.close()
  })
})

const TEN_ROWS = { columns: [{ name: "count", type: "integer" as const }], rows: Array.from({ length: 10 }, () => [1]) }

describe("exports", () => {
  const rows = events({ fields: ["event_type"] })

  test("an export that fails at its start gets a status, and one that fails later breaks off and says so", async () => {
    const failure = Stream.fail(new QueryError({ reason: "Timeout", message: "No result" }))
    const start = slowEngine({ stream: () => failure })
    const atStart = await startWith(usable(start.engine))
    expect((await atStart.call("POST", "/api/dataset/csv", { body: rows })).status).toBe(504)
    await atStart.close()

    const later = slowEngine({ stream: () => Stream.concat(Stream.make(TEN_ROWS), failure) })
    const admin = await startWith(usable(later.engine))
    const response = await raw(admin, "/api/dataset/csv", rows)
    expect(response.status).toBe(200)
    await expect(response.text()).rejects.toThrow()
    const id = response.headers.get("x-export-id")!
    expect((await admin.call("GET", `/api/export/${id}`)).body).toMatchObject({ state: "failed", rows: 10 })
    expect((await admin.call("GET", `/api/export/${id}`, { key: VIEWER })).status).toBe(404)
    await admin.close()
  })

  test("an export reports its progress, and is canceled when its client disconnects", async () => {
    let isClosed = false
    const { engine } = slowEngine({
      stream: () =>
        Stream.concat(Stream.make(TEN_ROWS), Stream.never).pipe(
          Stream.ensuring(
            Effect.sync(() => {
              isClosed = true
            })
          )
        )
    })
    const admin = await startWith(usable(engine), { QUESTIONS_AT_ONCE: "1", QUESTION_QUEUE_SECONDS: "1" })
    const response = await raw(admin, "/api/dataset/csv", rows)
    const reader = response.body!.getReader()
    await reader.read()
    await reader.read()
    const id = response.headers.get("x-export-id")!
    expect((await admin.call("GET", `/api/export/${id}`)).body).toMatchObject({
      state: "running",
      rows: 10,
      ended_at: null
    })
    await reader.cancel()
    await until(() => isClosed)
    expect((await admin.call("GET", `/api/export/${id}`)).body.state).toBe("failed")
    const next = await raw(admin, "/api/dataset/csv", rows)
    expect(next.status).toBe(200)
    await next.body!.cancel()
    await admin.close()
  })

  test("readers who are slow hold two exports at most, and neither questions nor the exports of others", async () => {
    let started = 0
    const { engine } = slowEngine({
      run: () => Effect.succeed(ONE_ROW),
      stream: () => {
        started++
        return Stream.concat(Stream.make(TEN_ROWS), Stream.never)
      }
    })
    const admin = await startWith(usable(engine), { QUESTIONS_AT_ONCE: "1", QUESTION_QUEUE_SECONDS: "1" })
    const open = [await raw(admin, "/api/dataset/csv", rows), await raw(admin, "/api/dataset/csv", rows)]
    expect((await admin.call("POST", "/api/dataset/csv", { body: rows })).body.code).toBe("busy")
    expect((await admin.call("POST", "/api/dataset", { body: COUNT })).status).toBe(200)
    const asViewer = { headers: { authorization: `Bearer ${VIEWER}`, "content-type": "application/json" } }
    open.push(await raw(admin, "/api/dataset/csv", rows, asViewer))
    expect(open.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(started).toBe(3)
    for (const { body } of open) await body!.cancel()
    await admin.close()
  })

  test("text that a spreadsheet would run is guarded in a formatted CSV only", async () => {
    const { engine } = slowEngine({
      stream: () =>
        Stream.make({
          columns: [{ name: "event_name", type: "text" as const }],
          rows: [["=1+1"], ['a "b", c'], [null]]
        })
    })
    const admin = await startWith(usable(engine))
    const body = events({ fields: ["event_name"] })
    expect((await admin.call("POST", "/api/dataset/csv", { body })).body).toBe(
      `Event name\r\n'=1+1\r\n"a ""b"", c"\r\n\r\n`
    )
    expect((await admin.call("POST", "/api/dataset/csv?format_rows=false", { body })).body).toBe(
      `event_name\r\n=1+1\r\n"a ""b"", c"\r\n\r\n`
    )
    await admin.close()
  })
})

test("formulas and sentences are read and printed, and a mistake is located", async () => {
  const admin = await startWith(usable(null))
  const call = async (path: string, body: unknown) => (await admin.call("POST", path, { body })).body
  const text = 'CountIf([Event name] = "signup") / Count'
  const { clause } = await call("/api/formula/parse", { text })
  expect(clause).toEqual(["/", ["count-where", ["=", ["field", "event_name"], "signup"]], ["count"]])
  expect(await call("/api/formula/print", { clause })).toEqual({ text })
  expect(await call("/api/formula/print", { clause: { x: 1 } })).toEqual({ text: null })
  expect(await call("/api/formula/parse", { text: "Count +\n Conut" })).toMatchObject({
    status: 422,
    detail: "Line 2, column 2: There is no function Conut. Did you mean Count?"
  })
  const unknown = await call("/api/formula/parse", { text, source: "v_pa_evnts" })
  expect(unknown).toMatchObject({ status: 422, errors: [{ pointer: "#/source" }] })
  expect(unknown.detail).toStartWith(
    "`v_pa_evnts` is not a view. Did you mean `v_pa_events`? The views are `v_pa_sites`,"
  )
  const sentence = "count of signup by plan over last 30 days"
  const { question } = await call("/api/sentence/parse", { text: sentence })
  expect(await call("/api/sentence/print", { question })).toEqual({ text: sentence })
  expect(await call("/api/sentence/parse", { text: "visitors bi day" })).toMatchObject({ status: 422 })
  await admin.close()
})
