import { afterAll, beforeEach, expect, test } from "bun:test"
import { join } from "node:path"
import type { LoadConfig, LoadResult } from "../../bench/load/config.ts"
import { allowing } from "../support/eventually.ts"

interface Seen {
  readonly client: string
  readonly userAgent: string
  readonly token: string
  readonly body: unknown
}

let seen: Array<Seen> = []
let answer: (request: Seen) => Response | Promise<Response> = () => new Response()
beforeEach(() => {
  seen = []
})
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: async (request) => {
    const one: Seen = {
      client: request.headers.get("x-forwarded-for") ?? "",
      userAgent: request.headers.get("user-agent") ?? "",
      token: request.headers.get("x-umami-cache") ?? "",
      body: await request.json()
    }
    seen.push(one)
    return answer(one)
  }
})
afterAll(() => server.stop(true))

const run = async (asked: Partial<LoadConfig>): Promise<LoadResult> => {
  const config: LoadConfig = {
    hostname: "127.0.0.1",
    port: server.port!,
    path: "/api/send",
    website: "11111111-2222-4333-8444-555555555555",
    connections: 8,
    warmUpSeconds: 0,
    seconds: 1,
    requests: null,
    ratePerSecond: null,
    batchItems: null,
    ...asked
  }
  const generator = Bun.spawn(
    [process.execPath, join(import.meta.dir, "..", "..", "bench", "load", "generator.ts"), JSON.stringify(config)],
    { stdio: ["ignore", "pipe", "inherit"] }
  )
  const [measuring, result] = (await new Response(generator.stdout).text()).split("\n")
  expect(measuring).toBe("measuring")
  return JSON.parse(result!) as LoadResult
}

test("a visitor's first event has no token, the later ones the token of the first answer", async () => {
  let tokens = 0
  answer = () => Response.json({ cache: `token-${++tokens}`, sessionId: "s", visitId: "v" })
  const result = await run({ requests: 2_000 })
  expect(result.statuses).toEqual({ "200": 2_000 })
  expect(result.lost).toBe(0)
  const visits = Map.groupBy(seen, ({ client }) => client)
  for (const events of visits.values()) {
    expect(events[0]?.token).toBe("")
    expect(new Set(events.slice(1).map(({ token }) => token)).size).toBeLessThanOrEqual(1)
    if (events.length > 1) expect(events[1]?.token).toMatch(/^token-\d+$/)
    expect(new Set(events.map(({ userAgent }) => userAgent)).size).toBe(1)
  }
  const perVisit = seen.length / visits.size
  expect(perVisit).toBeGreaterThan(3.5)
  expect(perVisit).toBeLessThan(6.5)
})

test("a fifth of the generated events have a name and three to five properties", async () => {
  answer = () => Response.json({ cache: "t" })
  await run({ requests: 3_000 })
  const named = seen.flatMap(({ body }) => {
    const { payload } = body as { payload: { name?: string; data?: object } }
    return payload.name === undefined ? [] : [Object.keys(payload.data ?? {}).length]
  })
  expect(named.length / seen.length).toBeGreaterThan(0.16)
  expect(named.length / seen.length).toBeLessThan(0.24)
  expect(named.every((properties) => properties >= 3 && properties <= 5)).toBe(true)
})

test("the generator counts responses by status and reassembles responses that arrive in pieces", async () => {
  let count = 0
  answer = () => new Response("x".repeat(100_000), { status: ++count % 4 === 0 ? 503 : 200 })
  const { statuses } = await run({ requests: 400 })
  expect(statuses["200"]! + statuses["503"]!).toBe(400)
  expect(statuses["503"]!).toBeGreaterThan(90)
})

test("with a fixed rate, requests are sent at that rate and waiting for a slow server counts as latency", async () => {
  answer = () => Response.json({ cache: "t" })
  const quick = await run({ ratePerSecond: 500, seconds: 2 })
  expect(quick.okPerSecond).toBeGreaterThan(400_000 / allowing(1_000))
  expect(quick.okPerSecond).toBeLessThan(550)
  answer = async () => {
    await Bun.sleep(100)
    return Response.json({ cache: "t" })
  }
  const slow = await run({ ratePerSecond: 500, seconds: 2 })
  expect(slow.okPerSecond).toBeLessThan(90)
  expect(slow.latency.p99).toBeGreaterThan(500)
  expect(slow.mostWaiting).toBeGreaterThan(300)
})

test("a generated batch has the requested number of items, each with its visitor's address and user agent", async () => {
  answer = () => Response.json({ size: 100 })
  const { statuses } = await run({ requests: 10, batchItems: 100, path: "/api/batch", connections: 2 })
  expect(statuses).toEqual({ "200": 10 })
  for (const { body } of seen) {
    const items = body as ReadonlyArray<{ type: string; payload: { ip: string; userAgent: string; website: string } }>
    expect(items).toHaveLength(100)
    expect(new Set(items.map(({ payload }) => payload.ip)).size).toBeLessThanOrEqual(20)
    expect(items.every(({ payload }) => payload.userAgent.startsWith("Mozilla/5.0"))).toBe(true)
  }
  expect(new Set(seen.map(({ body }) => JSON.stringify(body))).size).toBe(seen.length)
})
