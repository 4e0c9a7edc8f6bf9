import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Redacted } from "effect"
import { footfall } from "../cli/support.ts"
import { SITE } from "../support/collect/collect.ts"
import { fetchedDuckdbExtensions } from "../support/lake/duckdbExtensions.ts"
import { LakeUnderTest } from "../support/lake/LakeUnderTest.ts"
import { Client } from "../support/people/peopleServer.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import type { Footfall } from "../support/process/footfallProcess.ts"

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
