import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Redacted } from "effect"
import { footfall } from "../cli/support.ts"
import { SITE } from "../support/collect/collect.ts"
import { fetchedDuckdbExtensions } from "../support/lake/duckdbExtensions.ts"
import { LakeUnderTest } from "../support/lake/LakeUnderTest.ts"
import { Client } from "../support/people/peopleServer.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import type { Footfall } from "../support/process/footfallProcess.ts"
import { childrenOf } from "../support/process/processes.ts"

setDefaultTimeout(180_000)

const extensions = await fetchedDuckdbExtensions()
const AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
const all = new AsyncDisposableStack()
let lake: LakeUnderTest
let full: Footfall
let key = ""
let admin: Client

const send = async (payload: object, type = "event") => {
  const body = JSON.stringify({ type, payload: { website: SITE, hostname: "shop.example", url: "/", ...payload } })
  return (await fetch(`${full.url}/api/send`, { method: "POST", headers: { "user-agent": AGENT }, body })).status
}

beforeAll(async () => {
  if (extensions === null) return
  const url = Redacted.value(await freshDatabase())
  lake = all.use(await LakeUnderTest.open(url))
  const environment = { DUCKDB_EXTENSION_DIRECTORY: extensions }
  full = all.use(await lake.start(environment, "full"))
  key = JSON.parse((await footfall(["keys", "create", "--json"], { ...lake.environment, ...environment })).out).key
  admin = new Client(full.url, { authorization: `Bearer ${key}` })
  expect(await send({ url: "/pricing", title: "größe" })).toBe(200)
  expect(await send({ url: "/" })).toBe(200)
  expect(await send({ name: "order", data: { plan: "pro", seats: 3, revenue: 49.9, currency: "EUR" } })).toBe(200)
  expect(await send({ name: "order", data: { plan: "free", seats: "4" } })).toBe(200)
  expect(await send({ data: { tier: "gold" } }, "identify")).toBe(200)
  await lake.hasEvents(4)
})

afterAll(() => all.disposeAsync())

const duckDbOf = (parent: number): number | undefined =>
  childrenOf(parent).find((pid) =>
    Bun.spawnSync(["ps", "-o", "args=", "-p", String(pid)])
      .stdout.toString()
      .includes("duckDbChild")
  )

const events = (question: object) => ({ fql: 1, type: "query", source: "v_pa_events", ...question })
const ask = (question: object, path = "") => admin.call("POST", `/api/dataset${path}`, { body: events(question) })

describe.skipIf(extensions === null)("with a lake, over HTTP", () => {
  test("a question is answered by DuckDB, as of the last flush, and the same one from the cache", async () => {
    const question = {
      aggregation: [["count"], ["metric", "visitors"], ["sum", ["prop", "seats", { type: "number" }]]],
      breakout: ["v_pa_sites.name", "v_pa_visits.entry_path", ["attr", "tier"]]
    }
    const { body, status } = await ask(question)
    expect([status, body.route, body.data.rows]).toEqual([200, "lake", [["Test", "/pricing", "gold", 4, 1, 7]]])
    expect(Date.parse(body.as_of)).toBeLessThanOrEqual(Date.now())
    expect(body.cached_at).toBeUndefined()
    expect((await ask(question)).body.cached_at).toEqual(expect.any(String))
  })

  test("what the lake does not keep is refused with the reason", async () => {
    const { body, status } = await admin.call("POST", "/api/dataset", {
      body: { fql: 1, type: "query", source: "v_pa_event_data", aggregation: [["sum", "number_value"]] }
    })
    expect([status, body.code]).toEqual([400, "unsupported-on-backend"])
    expect(body.detail).toStartWith("The lake keeps the values of events' properties as text")
  })

  test("every question that ships is answered, but one that needs the types of properties", async () => {
    const cards = (await admin.call("GET", "/api/card?limit=100")).body
    expect(cards.total).toBeGreaterThan(50)
    const refused: Array<unknown> = []
    for (const { id, name } of cards.data) {
      const { body, status } = await admin.call("POST", `/api/card/${id}/query`, { body: {} })
      if (status !== 200) refused.push([name, status, body.code])
    }
    expect(refused).toEqual([["Numbers in event properties", 400, "unsupported-on-backend"]])
  })

  test("an export streams every row", async () => {
    const { body, status } = await ask(
      { fields: ["event_name", "url_path"], filter: ["=", "event_type", 2], "order-by": [["asc", "url_path"]] },
      "/csv"
    )
    expect([status, body]).toEqual([200, "Event name,URL path\r\norder,/\r\norder,/\r\n"])
  })

  test("a comparison has the other period's values, also as a file, and reads both from the lake", async () => {
    const at = (day: string) => Date.parse(`${day}T12:00:00Z`) / 1_000
    for (const [day, url] of [
      ["2026-03-28", "/"],
      ["2026-03-29", "/"],
      ["2026-03-29", "/blog"],
      ["2026-03-30", "/"],
      ["2026-03-31", "/pricing"]
    ] as const) {
      expect(await send({ url, timestamp: at(day) })).toBe(200)
    }
    await lake.hasEvents(9)
    const question = {
      filter: ["between", "created_at", "2026-03-30", "2026-03-31"],
      aggregation: [["count"], ["metric", "visits"]],
      breakout: ["url_path"],
      settings: { timezone: "UTC", compare: "previous-period" }
    }
    const { body, status } = await ask(question)
    expect([status, body.route, body.data.rows]).toEqual([
      200,
      "lake",
      [
        ["/", 1, 1],
        ["/pricing", 1, 1]
      ]
    ])
    expect(body.comparison).toEqual({
      compare: "previous-period",
      from: "2026-03-28T00:00:00+00:00",
      until: "2026-03-30T00:00:00+00:00",
      rows: [
        ["/", 2, 2],
        ["/pricing", 0, 0]
      ],
      changes: [
        [null, { difference: -1, percent: -50 }, { difference: -1, percent: -50 }],
        [null, { difference: 1, percent: null }, { difference: 1, percent: null }]
      ],
      unmatched: [["/blog", 1, 1]],
      partial_buckets: [],
      truncated: false
    })
    expect((await ask({ ...question, aggregation: [["count"]] }, "/csv")).body).toBe(
      "URL path,Count,Count (compared),Count (change),Count (change in %)\r\n/,1,2,-1,-50\r\n/pricing,1,0,1,\r\n"
    )
  })

  test("a question whose client disconnects is canceled in DuckDB, which answers the next one", async () => {
    const items = Array.from({ length: 100 }, () => ({ type: "event", payload: { website: SITE, url: "/many" } }))
    const stored = await fetch(`${full.url}/api/batch`, {
      method: "POST",
      headers: { "user-agent": AGENT },
      body: JSON.stringify(items)
    })
    expect(stored.status).toBe(200)
    await lake.hasEvents(109)
    // Each event with each, several times.
    const joins = Array.from({ length: 6 }, (_, index) => ({
      alias: `e${index}`,
      source: "v_pa_events",
      strategy: "inner-join",
      condition: ["=", "site_id", ["field", "site_id", { "join-alias": `e${index}` }]],
      fields: "none"
    }))
    const endless = (limit: number) =>
      events({
        joins,
        aggregation: [["count"]],
        breakout: joins.map(({ alias }) => ["field", "id", { "join-alias": alias }]),
        limit
      })
    const hangUp = new AbortController()
    // As many as run at a time.
    const asked = [1, 2].map((limit) =>
      fetch(`${full.url}/api/dataset`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify(endless(limit)),
        signal: hangUp.signal
      }).then(
        ({ status }) => status,
        () => "disconnected"
      )
    )
    const duckDb = duckDbOf(full.pid)
    await Bun.sleep(1_000)
    const waiting = ask({ aggregation: [["count"]], filter: ["=", "url_path", "/many"] })
    expect(await Promise.race([waiting, Bun.sleep(2_000).then(() => "waits")])).toBe("waits")
    hangUp.abort()
    const startedAt = performance.now()
    const { body, status } = await waiting
    expect([status, body.data.rows]).toEqual([200, [[100]]])
    expect(performance.now() - startedAt).toBeLessThan(10_000)
    expect(await Promise.all(asked)).toEqual(["disconnected", "disconnected"])
    // It was not killed for it.
    expect(duckDbOf(full.pid)).toBe(duckDb)
  })

  test("a site's data is not deleted, and the refusal says what to do", async () => {
    const refusal =
      "Footfall does not delete rows of a lake. Archive the site, or delete its rows of pa_events, pa_sessions and pa_session_data with an engine that can, such as Trino: see docs/lake.md."
    const { body, status } = await admin.call("POST", `/api/ee/product-analytics/sites/${SITE}/reset`)
    expect([status, body.detail]).toEqual([409, refusal])
    expect(await footfall(["sites", "reset", SITE, "--yes"], lake.environment)).toEqual({
      code: 1,
      out: "",
      err: expect.stringContaining(refusal)
    })
  })

  test("properties are fields with values, and `footfall ask` answers with and without the server", async () => {
    const { tables } = (await admin.call("GET", "/api/database/13371338/metadata")).body
    const plan = tables
      .flatMap((table: { readonly fields: ReadonlyArray<object> }) => table.fields)
      .find(({ name }: { readonly name: string }) => name === "plan")
    expect((await admin.call("GET", `/api/field/${plan.id}/values`)).body.values).toEqual([["free"], ["pro"]])
    const sentence = "count of order by plan over all time"
    const environment = { ...lake.environment, DUCKDB_EXTENSION_DIRECTORY: extensions! }
    const withKey = { ...environment, FOOTFALL_KEY: key }
    const expected = { code: 0, out: "Plan,Count\r\nfree,1\r\npro,1\n", err: "" }
    expect(await footfall(["ask", sentence, "--url", full.url, "--format", "csv"], withKey)).toEqual(expected)
    full.signal("SIGTERM")
    expect(await full.ended()).toBe(0)
    expect(await footfall(["ask", sentence, "--format", "csv"], environment)).toEqual(expected)
  })

  test("with WAREHOUSE=none, questions get 503 with the code no-engine, and everything else works", async () => {
    full = all.use(await lake.start({ WAREHOUSE: "none" }, "full"))
    admin = new Client(full.url, { authorization: `Bearer ${key}` })
    const { body, status } = await ask({ aggregation: [["count"]] })
    expect([status, body.code, body.detail]).toEqual([
      503,
      "no-engine",
      "No engine answers questions, since WAREHOUSE=none. Set WAREHOUSE to duckdb or trino, and restart."
    ])
    expect((await ask({ aggregation: [["count"]] }, "/csv")).body.code).toBe("no-engine")
    const stats = await admin.call("GET", `/api/ee/product-analytics/sites/${SITE}/stats?startAt=0&endAt=1`)
    expect([stats.status, stats.body.code]).toEqual([503, "no-engine"])
    const shown = await admin.call("GET", "/api/ee/product-analytics/status")
    expect([shown.status, shown.body.warehouse.engine, shown.body.storage.ready]).toEqual([200, "none", true])
    expect((await admin.call("GET", "/api/ee/product-analytics/sites")).status).toBe(200)
    expect([await full.health(), await send({ url: "/still" })]).toEqual([200, 200])
  })
})
