import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { StorageError } from "../../src/domain/StorageError.ts"
import { type CollectUnderTest, SITE, startCollect } from "../support/collect/collect.ts"

let collect: CollectUnderTest
beforeAll(async () => {
  collect = await startCollect()
})
afterAll(() => collect.stop())

const item = (payload: object = {}, type = "event") => ({ type, payload: { website: SITE, ...payload } })
const post = (body: unknown, on = collect) => on.post(body, { path: "/api/batch" })

describe("POST /api/batch", () => {
  test("a batch reports the outcome of each item and the first token", async () => {
    const before = collect.events.length
    const response = await post([
      item({ url: "/1" }),
      item({ url: "http://[" }),
      item({ userAgent: "curl/8" }),
      item({ url: "/2" }),
      item({ id: "u" }, "identify"),
      { type: "event", payload: { website: "22222222-2222-4333-8444-555555555555" } }
    ])
    expect(response.status).toBe(200)
    const body = await response.json()
    expect(Object.keys(body)).toEqual(["size", "processed", "errors", "details", "cache", "ignored"])
    expect(body).toMatchObject({ size: 6, processed: 4, errors: 2, ignored: 1 })
    expect(body.details).toEqual([
      {
        index: 1,
        response: {
          error: {
            message: "Bad request",
            code: "bad-request",
            status: 400,
            errors: [],
            properties: { payload: { errors: [], properties: { url: { errors: ["Invalid URL."] } } } }
          }
        }
      },
      { index: 5, response: { error: { message: "Website not found.", code: "bad-request", status: 400 } } }
    ])
    expect(body.cache).toMatch(/^eyJ/)
    expect(collect.events.slice(before).map(({ urlPath }) => urlPath)).toEqual(["/1", "/2"])
  })

  test("an empty batch succeeds with size 0", async () => {
    expect<unknown>(await (await post([])).json()).toEqual({
      size: 0,
      processed: 0,
      errors: 0,
      details: [],
      cache: null,
      ignored: 0
    })
  })

  test.each([
    ["an object", {}, { errors: ["Invalid input: expected array, received object"] }],
    ["malformed", "[", { errors: ["Invalid input: expected array, received undefined"] }],
    [
      "an array with a number",
      [item(), 5],
      { errors: [], items: [null, { errors: ["Invalid input: expected record, received number"] }] }
    ]
  ])("a batch that is %s is rejected as a whole", async (_, body, tree) => {
    const before = collect.events.length
    const response = await post(body)
    expect(response.status).toBe(400)
    expect<unknown>(await response.json()).toEqual({
      error: { message: "Bad request", code: "bad-request", status: 400, ...tree }
    })
    expect(collect.events.length).toBe(before)
  })

  test("a batch is also accepted under the prefix and gzipped, and its long response is gzipped", async () => {
    const response = await collect.post(
      Bun.gzipSync(JSON.stringify(Array.from({ length: 50 }, () => item({ url: 5 })))),
      {
        path: "/api/ee/product-analytics/api/batch",
        headers: { "content-encoding": "gzip", "accept-encoding": "gzip" }
      }
    )
    expect(response.status).toBe(200)
    expect(response.headers.get("vary")).toContain("Accept-Encoding")
    expect<unknown>(await response.json()).toMatchObject({ size: 50, errors: 50 })
  })

  test("each item of a batch has its own user agent, address and timestamp", async () => {
    const before = collect.events.length
    await post([
      item({ ip: "81.2.69.142", timestamp: 1_700_000_000 }),
      item({ ip: "2001:db8::1", userAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Gecko/20100101 Firefox/125.0" })
    ])
    const [first, second] = collect.events.slice(before)
    expect(first).toMatchObject({ createdAt: 1_700_000_000_000, session: { country: "GB" } })
    expect(second).toMatchObject({ session: { country: "SE", os: "Windows 10" } })
  })

  test("a batch with more than MAX_BATCH_ITEMS items is rejected with 413", async () => {
    const small = await startCollect({ environment: { MAX_BATCH_ITEMS: "2" } })
    expect((await post([item(), item()], small)).status).toBe(200)
    expect((await post([item(), item(), item()], small)).status).toBe(413)
    expect(small.events).toHaveLength(2)
    await small.stop()
  })

  test("a batch that is stored in part gets 200 and the errors of the other items", async () => {
    const half = await startCollect({
      onSave: (record) =>
        record.urlPath === "/down"
          ? Effect.fail(new StorageError({ reason: "Unavailable", message: "down" }))
          : Effect.void
    })
    const mixed = await post([item({ url: "/up" }), item({ url: "/down" })], half)
    expect(mixed.status).toBe(200)
    expect(await mixed.json()).toMatchObject({
      processed: 1,
      errors: 1,
      details: [{ index: 1, response: { error: { status: 503 } } }]
    })
    const none = await post([item({ url: "/down" }), item({ url: "/down" })], half)
    expect(none.status).toBe(503)
    expect(none.headers.get("retry-after")).toBe("5")
    await half.stop()
  })

  test("a batch passes each record to the storage before it builds the next one", async () => {
    const steps: Array<string> = []
    const watched = await startCollect({
      onSave: ({ urlPath }) => {
        steps.push(`built ${urlPath}`)
        return Effect.sync(() => {
          steps.push(`saved ${urlPath}`)
        })
      }
    })
    expect((await post([item({ url: "/1" }), item({ url: "/2" })], watched)).status).toBe(200)
    expect(steps).toEqual(["built /1", "saved /1", "built /2", "saved /2"])
    await watched.stop()
  })
})
