import { describe, expect, test } from "bun:test"
import { Effect, Layer, Stream } from "effect"
import { QueryEngine, QueryError } from "../../../src/ports/QueryEngine.ts"
import { SITE } from "../../services/fixture.ts"
import { until } from "../../support/eventually.ts"
import { fillPostgres, pgWarehouse } from "../../support/postgres/pgWarehouse.ts"
import { freshDatabase, openClient } from "../../support/postgres/postgres.ts"
import { startAdmin, VIEWER } from "./support.ts"

const START = Date.UTC(2026, 2, 28)
const END = Date.UTC(2026, 3, 1) - 1
const stats = (startAt: unknown, endAt: unknown, site = SITE) => `sites/${site}/stats?startAt=${startAt}&endAt=${endAt}`

/** A warehouse that runs every query with this function. */
const engine = (run: QueryEngine["Service"]["run"]) =>
  Layer.succeed(
    QueryEngine,
    QueryEngine.of({
      dialect: "trino",
      model: "lake",
      run,
      stream: () => Stream.empty,
      asOf: Effect.succeed({ time: "2026-03-28T00:00:00.000000Z", version: "1" })
    })
  )

/** The API with the fixture's site registered. */
const start = async (options: Parameters<typeof startAdmin>[0] = {}) => {
  const admin = await startAdmin(options)
  await admin.call("POST", "sites", { body: { id: SITE, name: "Shop" } })
  return admin
}

test("a viewer gets Umami's overview of the range, including its last ms", async () => {
  const url = await freshDatabase()
  await Effect.runPromise(Effect.scoped(Effect.flatMap(openClient(url, 1), fillPostgres)))
  const admin = await start({ warehouse: pgWarehouse(url) })
  const numbers = async (startAt: number, endAt: number) => {
    const { body, status } = await admin.call("GET", stats(startAt, endAt), { key: VIEWER })
    expect(status).toBe(200)
    return body
  }
  expect(await numbers(START, END)).toEqual({ pageviews: 14, visitors: 5, visits: 10, bounces: 6, totaltime: 840 })
  // Without the last ms and its view, which was a visit of its own: one visit and one bounce less.
  expect(await numbers(START, END - 1)).toEqual({ pageviews: 13, visitors: 5, visits: 9, bounces: 5, totaltime: 840 })
  // 28 and 29 March: A's and C's visits last 120, 70 and 630 s; B's and D's are bounces.
  expect(await numbers(START, Date.UTC(2026, 2, 30) - 1)).toEqual({
    pageviews: 8,
    visitors: 4,
    visits: 5,
    bounces: 2,
    totaltime: 820
  })
  const { body: direct } = await admin.call("GET", `${stats(START, END)}&channel=direct`, { key: VIEWER })
  expect(direct).toMatchObject({ pageviews: 14, visitors: 5 })
  const { body: llm } = await admin.call("GET", `${stats(START, END)}&channel=llm`, { key: VIEWER })
  expect(llm).toMatchObject({ pageviews: 0, visitors: 0 })
  expect((await admin.call("GET", `${stats(START, END)}&channel=ads`, { key: VIEWER })).status).toBe(400)
  expect(await numbers(END + 1, END + 86_400_000)).toEqual({
    pageviews: 0,
    visitors: 0,
    visits: 0,
    bounces: 0,
    totaltime: 0
  })
  const { body } = await admin.call("GET", "status", { key: VIEWER })
  expect(body.warehouse).toEqual({ engine: "postgres", ready: true, why: null })
  await admin.close()
}, 180_000)

test("an unknown site responds with 404, and an invalid range with 422 and a pointer", async () => {
  const admin = await start()
  expect((await admin.call("GET", stats(START, END, "9999"))).status).toBe(404)
  expect((await admin.call("GET", stats(START, END, SITE.replace("1", "9")))).status).toBe(404)
  for (const [startAt, endAt, pointers] of [
    [END, START, ["#/endAt"]],
    [-1e15, END, ["#/startAt"]],
    [START, 1e15, ["#/endAt"]],
    [-1e15, 1e15, ["#/startAt", "#/endAt"]]
  ] as const) {
    const { body, status } = await admin.call("GET", stats(startAt, endAt))
    expect([status, body.errors.map(({ pointer }: { pointer: string }) => pointer)]).toEqual([422, [...pointers]])
  }
  await admin.close()
})

describe("a query that does not match the schema", () => {
  test.each([
    "",
    "?startAt=1",
    "?endAt=1",
    "?startAt=today&endAt=2",
    "?startAt=1.5&endAt=2",
    "?startAt=&endAt=2",
    "?startAt=NaN&endAt=2"
  ])("the query %p is rejected with 400", async (query) => {
    const admin = await start()
    const { body, status } = await admin.call("GET", `sites/${SITE}/stats${query}`)
    expect([status, body.title]).toEqual([400, "Bad Request"])
    await admin.close()
  })
})

describe("a failing warehouse", () => {
  test.each([
    ["Unavailable", 503, "Service Unavailable"],
    ["Timeout", 504, "Gateway Timeout"],
    ["TooLarge", 503, "Service Unavailable"],
    ["Invalid", 503, "Service Unavailable"]
  ] as const)(
    "the reason %s responds with %d, and the engine's message is only logged",
    async (reason, status, title) => {
      const log: Array<string> = []
      const message = "Trino can't be reached at http://trino.internal:8080: SELECT secret FROM pa_events"
      const admin = await start({ warehouse: engine(() => Effect.fail(new QueryError({ reason, message }))), log })
      const response = await admin.call("GET", stats(START, END), { headers: { "x-request-id": "abc-123" } })
      expect([response.status, response.body.title, response.headers.get("content-type")]).toEqual([
        status,
        title,
        "application/problem+json"
      ])
      expect(response.headers.get("retry-after")).toBe(status === 503 ? "2" : null)
      expect(JSON.stringify(response.body)).not.toMatch(/internal|SELECT|pa_events/)
      const logged = log.filter((line) => line.includes("trino.internal"))
      expect(logged).toHaveLength(1)
      expect(logged[0]).toContain("abc-123")

      const health = await admin.call("GET", "status")
      expect(health.body.warehouse).toEqual({ engine: "trino", ready: false, why: expect.any(String) })
      expect(JSON.stringify(health.body)).not.toMatch(/internal|SELECT|pa_events/)
      await admin.close()
    }
  )
})

test("without a usable warehouse the response says what to do", async () => {
  const message = "Set WAREHOUSE to duckdb or trino."
  const admin = await start({ warehouse: engine(() => Effect.fail(new QueryError({ reason: "Missing", message }))) })
  const { body, status } = await admin.call("GET", stats(START, END))
  expect([status, body.detail]).toEqual([503, message])
  await admin.close()
})

test("a query lifts the connection's idle timeout, which applies again after the response", async () => {
  const seconds: Array<number> = []
  const server = { requestIP: () => null, timeout: (_: Request, value: number) => void seconds.push(value) }
  const admin = await start({
    warehouse: engine(() => Effect.fail(new QueryError({ reason: "Timeout", message: "" })))
  })
  await admin.call("GET", "status", { server })
  await admin.call("GET", stats(END, START), { server })
  expect(seconds).toEqual([])
  await admin.call("GET", stats(START, END), { server })
  expect(seconds).toEqual([0, 120])
  await admin.close()
})

test("a client that disconnects interrupts its query", async () => {
  let ended = false
  let started = false
  const waiting = Effect.sync(() => {
    started = true
  }).pipe(
    Effect.andThen(Effect.never),
    Effect.onInterrupt(() =>
      Effect.sync(() => {
        ended = true
      })
    )
  )
  const admin = await start({ warehouse: engine(() => waiting) })
  await using server = Bun.serve({ port: 0, fetch: (request, listening) => admin.handler(request, listening) })
  const hangUp = new AbortController()
  const response = fetch(`http://127.0.0.1:${server.port}/api/ee/product-analytics/${stats(START, END)}`, {
    headers: { authorization: "Bearer ff_admin" },
    signal: hangUp.signal
  })
  await until("the query to start", () => started)
  hangUp.abort()
  await expect(response).rejects.toThrow()
  await until("the query to end", () => ended)
  await admin.close()
})
