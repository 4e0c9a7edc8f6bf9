import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { connect } from "node:net"
import { Effect } from "effect"
import { exportJWK, generateKeyPair } from "jose"
import { SiteId } from "../../src/domain/ids.ts"
import { StorageError } from "../../src/domain/StorageError.ts"
import { type CollectUnderTest, SITE, site, startCollect } from "../support/collect/collect.ts"

const OTHER = "22222222-2222-4333-8444-555555555555"

let collect: CollectUnderTest
beforeAll(async () => {
  collect = await startCollect()
})
afterAll(() => collect.stop())

const event = (payload: object = {}) => ({ type: "event", payload: { website: SITE, ...payload } })

/** Sends raw bytes to the server and returns what came back until it closed, for what `fetch` cannot send. */
const talk = (port: number, ...chunks: ReadonlyArray<string>): Promise<string> =>
  new Promise((resolve) => {
    let answer = ""
    const socket = connect(port, "127.0.0.1", () => {
      for (const chunk of chunks) socket.write(chunk)
    })
    socket.on("data", (bytes) => {
      answer += bytes
    })
    socket.on("close", () => resolve(answer))
    socket.on("error", () => resolve(answer))
  })

const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "*",
  "access-control-allow-methods": "GET, DELETE, POST, PUT",
  "access-control-max-age": "86400",
  "cache-control": "no-cache"
}

describe("CORS headers", () => {
  test.each<[string, () => Promise<Response>, number]>([
    ["a success", () => collect.post(event()), 200],
    ["a bad request", () => collect.post("{"), 400],
    ["a bot", () => collect.post(event({ userAgent: "curl/8" })), 200],
    ["a wrong method", () => fetch(`${collect.url}/api/send`), 405],
    ["a preflight", () => fetch(`${collect.url}/api/send`, { method: "OPTIONS" }), 204],
    ["a body too large", () => collect.post(event({ title: "x".repeat(2_000_000) })), 413],
    ["an unknown path", () => collect.post(event(), { path: "/api/nothing" }), 404]
  ])("the response to %s has the CORS headers", async (_, send, status) => {
    const response = await send()
    expect(response.status).toBe(status)
    for (const [name, value] of Object.entries(CORS)) expect([name, response.headers.get(name)]).toEqual([name, value])
    expect(response.headers.get("access-control-allow-credentials")).toBeNull()
    expect(response.headers.get("x-request-id")).toMatch(/^[\w.-]{1,64}$/)
  })
})

describe("methods", () => {
  test.each([
    ["/api/health", "GET, HEAD, OPTIONS"],
    ["/api/heartbeat", "GET, HEAD, OPTIONS"],
    ["/livez", "GET, HEAD"],
    ["/metrics", "GET, HEAD"],
    ["/script.js", "GET, HEAD"]
  ])("%s only answers %s, and says so with 405", async (path, allow) => {
    const call = (method: string) => fetch(collect.url + path, { method, redirect: "manual" })
    const expected = path === "/script.js" ? 302 : 200
    for (const method of ["GET", "HEAD"]) expect([method, (await call(method)).status]).toEqual([method, expected])
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      const response = await call(method)
      expect([method, response.status, response.headers.get("allow")]).toEqual([method, 405, allow])
      expect(response.headers.get("content-type")).toBe("application/problem+json")
    }
    const preflight = await call("OPTIONS")
    expect([preflight.status, preflight.headers.get("allow")]).toEqual([allow.endsWith("OPTIONS") ? 204 : 405, allow])
  })

  test.each(["GET", "PUT", "DELETE", "PATCH"])(
    "%s is rejected with 405 and a problem that says what the path supports",
    async (method) => {
      for (const path of ["/api/send", "/api/batch", "/api/ee/product-analytics/api/send"]) {
        const response = await fetch(collect.url + path, { method })
        expect(response.status).toBe(405)
        expect(response.headers.get("allow")).toBe("OPTIONS, POST")
        expect(response.headers.get("content-type")).toBe("application/problem+json")
        expect<unknown>(await response.json()).toEqual({
          type: "about:blank",
          title: "Method Not Allowed",
          status: 405,
          detail: "This path supports OPTIONS, POST.",
          instance: path,
          request_id: response.headers.get("x-request-id")
        })
      }
    }
  )
})

describe("cross-origin requests", () => {
  let shops: CollectUnderTest
  beforeAll(async () => {
    shops = await startCollect({ sites: [site(SITE, ["example.com", "*.shop.test"]), site(OTHER, ["other.test"])] })
  })
  afterAll(() => shops.stop())

  test.each([
    ["https://example.com", true],
    ["http://www.example.com", true],
    ["https://eu.shop.test", true],
    ["https://evil-example.com", false],
    ["https://example.com.evil.test", false],
    ["https://other.test", false],
    ["null", false]
  ])("a page on %s may read the site's responses: %p", async (origin, allowed) => {
    const response = await shops.post(event(), { headers: { origin } })
    expect(response.headers.get("access-control-allow-origin")).toBe(allowed ? origin : null)
    expect(response.headers.get("access-control-allow-credentials")).toBe(allowed ? "true" : null)
    expect(response.headers.get("vary")).toBe("Origin")
  })

  test.each([
    ["https://example.com", true],
    ["https://other.test", true],
    ["https://evil.test", false]
  ])("a preflight from %s is allowed by any of the sites: %p", async (origin, allowed) => {
    const response = await fetch(`${shops.url}/api/send`, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-umami-cache,x-custom"
      }
    })
    expect(response.status).toBe(204)
    expect(response.headers.get("access-control-allow-origin")).toBe(allowed ? origin : null)
    expect(response.headers.get("access-control-allow-credentials")).toBe(allowed ? "true" : null)
    expect(response.headers.get("access-control-allow-headers")).toBe(
      "*, content-type, x-umami-cache, x-umami-website-id, x-umami-hostname, x-custom"
    )
    expect(response.headers.get("access-control-max-age")).toBe("86400")
    expect(response.headers.get("allow")).toBe("OPTIONS, POST")
  })

  test.each<[string, Record<string, string>, number]>([
    ["from one of them", { origin: "https://example.com" }, 200],
    ["from another site's domain", { origin: "https://other.test" }, 403],
    ["from a domain of no site", { origin: "https://evil.test" }, 403],
    ["from one of them according to its Referer", { referer: "https://www.example.com/page?x=1" }, 200],
    ["from another domain according to its Referer", { referer: "https://evil.test/example.com" }, 403],
    ["from one of them whatever its Referer", { origin: "https://example.com", referer: "https://evil.test/" }, 200],
    ["from a server, which sends neither", {}, 200],
    ["from a sandboxed frame", { origin: "null" }, 200],
    ["from a sandboxed frame on another domain", { origin: "null", referer: "https://evil.test/" }, 403]
  ])("an event of a site with domains that comes %s gets %j: %d", async (_, headers, status) => {
    const before = shops.events.length
    const response = await shops.post(event(), { headers })
    expect(response.status).toBe(status)
    expect(shops.events.length).toBe(before + (status === 200 ? 1 : 0))
    const batch = await shops.post([event()], { path: "/api/batch", headers })
    expect<unknown>(await batch.json()).toMatchObject({ errors: status === 200 ? 0 : 1 })
    if (status === 200) return
    expect<unknown>(await response.json()).toEqual({
      error: { message: "This page's domain is not among the website's domains.", code: "forbidden", status: 403 }
    })
    expect(shops.rejections.recent(SITE, 1)).toMatchObject([
      { reason: "ForeignOrigin", detail: "the page's domain is not among the site's domains" }
    ])
  })

  test("with ENFORCE_DOMAINS=off, an event from any domain is stored", async () => {
    const lenient = await startCollect({
      sites: [site(SITE, ["example.com"])],
      environment: { ENFORCE_DOMAINS: "off" }
    })
    expect((await lenient.post(event(), { headers: { origin: "https://evil.test" } })).status).toBe(200)
    await lenient.stop()
  })

  test("a site without domains answers with the page's own origin and allows credentials", async () => {
    for (let i = 0; i < 2; i++) {
      const response = await collect.post(event(), { headers: { origin: "https://a.example" } })
      expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([200, "https://a.example"])
      expect(response.headers.get("access-control-allow-credentials")).toBe("true")
      expect(response.headers.get("vary")).toBe("Origin")
    }
  })

  test("CORS_MAX_AGE sets how long browsers cache a preflight", async () => {
    const other = await startCollect({ environment: { CORS_MAX_AGE: "60" } })
    const response = await fetch(`${other.url}/api/send`, { method: "OPTIONS" })
    expect(response.headers.get("access-control-max-age")).toBe("60")
    await other.stop()
  })
})

describe("bodies", () => {
  test("a body whose content length is over the limit gets 413 and a closed connection", async () => {
    const answer = await talk(
      collect.port,
      `POST /api/send HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n\r\n{"type"`
    )
    expect(answer).toStartWith("HTTP/1.1 413")
    expect(answer.toLowerCase()).toContain("connection: close")
  })

  test("a chunked body over the limit gets 413", async () => {
    const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`
    const answer = await talk(
      collect.port,
      "POST /api/send HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
      ...Array<string>(20).fill(chunk)
    )
    expect(answer).toStartWith("HTTP/1.1 413")
  })

  test("a chunked body below the limit is stored", async () => {
    const body = JSON.stringify(event({ url: "/chunked" }))
    const answer = await talk(
      collect.port,
      "POST /api/send HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n",
      `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    )
    expect(answer).toStartWith("HTTP/1.1 200")
    expect(collect.events.at(-1)!.urlPath).toBe("/chunked")
  })

  test("a gzipped body that decompresses beyond the limit gets 413", async () => {
    const bomb = Bun.gzipSync(Buffer.alloc(200_000_000))
    expect(bomb.byteLength).toBeLessThan(300_000)
    const response = await collect.post(bomb, { headers: { "content-encoding": "gzip" } })
    expect(response.status).toBe(413)
  })

  test("a body declared as gzip that is not gzip gets 400", async () => {
    const response = await collect.post(event(), { headers: { "content-encoding": "gzip" } })
    expect(response.status).toBe(400)
  })

  test("a body that never arrives gets 408 and a closed connection", async () => {
    const hasty = await startCollect({ environment: { BODY_TIMEOUT_SECONDS: "1" } })
    const answer = await talk(hasty.port, 'POST /api/send HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"type":')
    expect(answer).toStartWith("HTTP/1.1 408")
    expect(answer).toContain('"code":"request-timeout"')
    expect(hasty.rejections.recent(null, 1)).toMatchObject([{ reason: "BodyTimeout" }])
    await hasty.stop()
  })
})

describe("hosts and request ids", () => {
  const getWith = (host: string, path: string) =>
    talk(collect.port, `GET ${path} HTTP/1.0\r\n${host}Connection: close\r\n\r\n`)

  test.each(["", "Host:\r\n", "Host: a b\r\n", "Host: [::1\r\n", "Host: a:99999\r\n"])(
    "a path that is not the collector's gets 400 without a valid host (%j)",
    async (host) => {
      const refused = await getWith(host, "/nothing")
      expect(refused).toStartWith("HTTP/1.1 400")
      expect(refused).toContain("The header `Host` is missing or is not the name of a host.")
    }
  )

  test("the collector's paths need no host, also with a trailing slash", async () => {
    for (const path of ["/api/heartbeat", "/api/heartbeat/"]) {
      expect(await getWith("", path)).toStartWith("HTTP/1.1 200")
    }
    expect(await getWith("", "/api/send/")).toStartWith("HTTP/1.1 405")
  })

  test("the request id of a client or proxy is returned", async () => {
    const response = await collect.post(event(), { headers: { "x-request-id": "abc-123" } })
    expect(response.headers.get("x-request-id")).toBe("abc-123")
  })

  test("a malformed request id is replaced", async () => {
    const response = await collect.post(event(), { headers: { "x-request-id": "a b<script>" } })
    expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe("rate limits", () => {
  test("a site over its rate limit gets 429 with Retry-After, and other sites do not", async () => {
    const limited = await startCollect({
      environment: { RATE_LIMIT_EVENTS_PER_SECOND: "0.01", RATE_LIMIT_BURST: "2" },
      sites: [site(SITE), site(OTHER)]
    })
    expect((await limited.post(event())).status).toBe(200)
    expect((await limited.post(event())).status).toBe(200)
    const response = await limited.post(event())
    expect(response.status).toBe(429)
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(80)
    expect<unknown>(await response.json()).toMatchObject({ error: { code: "too-many-requests", status: 429 } })
    expect((await limited.post(event({ website: OTHER }))).status).toBe(200)
    expect(limited.events).toHaveLength(3)
    await limited.stop()
  })

  test("a site's own rate limit takes precedence over the instance's", async () => {
    const limited = await startCollect()
    await Effect.runPromise(limited.sites.update(SiteId.make(SITE), { rateLimit: { eventsPerSecond: 0.01, burst: 1 } }))
    expect((await limited.post(event())).status).toBe(200)
    expect((await limited.post(event())).status).toBe(429)
    await limited.stop()
  })

  test("there is no rate limit by default", async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => collect.post(event())))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  })
})

describe("the license gate", () => {
  test("without a license, nothing is stored and the tracker is asked to stop", async () => {
    const { publicKey } = await generateKeyPair("EdDSA", { extractable: true })
    const unlicensed = await startCollect({
      environment: {
        FEATURE_GATE: "token",
        LICENSE_PUBLIC_KEY: JSON.stringify(await exportJWK(publicKey))
      }
    })
    for (const path of ["/api/send", "/api/batch"]) {
      const response = await unlicensed.post(path === "/api/send" ? event() : [event()], { path })
      expect(response.status).toBe(402)
      expect<unknown>(await response.json()).toMatchObject({ disabled: true, error: { status: 402 } })
      expect(response.headers.get("access-control-allow-origin")).toBe("*")
    }
    expect(unlicensed.events).toEqual([])
    await unlicensed.stop()
  })
})

describe("storage failures", () => {
  test.each([
    ["Overloaded", "1"],
    ["Unavailable", "5"]
  ] as const)("an event gets 503 with Retry-After while the storage is %s", async (reason, retryAfter) => {
    const down = await startCollect({
      onSave: () => Effect.fail(new StorageError({ reason, message: "secret inside" }))
    })
    const response = await down.post(event())
    expect(response.status).toBe(503)
    expect(response.headers.get("retry-after")).toBe(retryAfter)
    expect<unknown>(await response.text()).not.toContain("secret inside")
    await down.stop()
  })

  test("an event that the storage refuses gets 400", async () => {
    const picky = await startCollect({
      onSave: () => Effect.fail(new StorageError({ reason: "Refused", message: "The record is not acceptable." }))
    })
    const response = await picky.post(event())
    expect(response.status).toBe(400)
    expect<unknown>(await response.json()).toMatchObject({ error: { errors: ["The record is not acceptable."] } })
    await picky.stop()
  })

  test("an internal error gets 500 without internal details", async () => {
    const broken = await startCollect({ onSave: () => Effect.die(new Error("at /srv/secret/path.ts")) })
    const response = await broken.post(event())
    expect(response.status).toBe(500)
    expect<unknown>(await response.json()).toEqual({
      error: { message: "Server error", code: "server-error", status: 500 }
    })
    await broken.stop()
  })
})

describe("probes and metrics", () => {
  test("/api/health is 200 while the storage can store events, and otherwise 503 with the reason", async () => {
    expect(await (await fetch(`${collect.url}/api/health`)).json()).toEqual({ status: "ok" })
    const down = await startCollect({
      ping: Effect.fail(new StorageError({ reason: "Unavailable", message: "Postgres does not answer" }))
    })
    const response = await fetch(`${down.url}/api/health`)
    expect(response.status).toBe(503)
    expect<unknown>(await response.json()).toEqual({ status: "unavailable", reason: "Postgres does not answer" })
    expect((await fetch(`${down.url}/livez`)).status).toBe(200)
    await down.stop()
  })

  test("/api/heartbeat answers like Umami's", async () => {
    expect(await (await fetch(`${collect.url}/api/heartbeat`)).json()).toEqual({ ok: true })
  })

  test("the metrics count stored payloads, and rejected ones by reason", async () => {
    const text = await (await fetch(`${collect.url}/metrics`)).text()
    expect(text).toMatch(/^footfall_accepted_total\{type="event"\} [1-9]/m)
    expect(text).toMatch(/^footfall_rejected_total\{reason="Bot",site="11111111-2222-4333-8444-555555555555"\} [1-9]/m)
    expect(text).toMatch(/^process_resident_memory_bytes [1-9]/m)
    expect(text).toMatch(/^footfall_event_loop_lag_seconds /m)
  })

  test("/metrics requires METRICS_TOKEN if it is set", async () => {
    const guarded = await startCollect({ environment: { METRICS_TOKEN: "0123456789abcdef" } })
    const get = (authorization: string) => fetch(`${guarded.url}/metrics`, { headers: { authorization } })
    expect((await fetch(`${guarded.url}/metrics`)).status).toBe(401)
    expect((await get("Bearer wrong")).status).toBe(401)
    expect((await get("Bearer 0123456789abcdef")).status).toBe(200)
    await guarded.stop()
  })
})

describe("recent rejections", () => {
  test("rejections are kept per site with reason, page and user agent, but without IP address and query", async () => {
    const one = await startCollect()
    await one.post(event({ url: "https://ex.com/a?secret=1", data: 5, ip: "81.2.69.142" }), {
      headers: { "x-forwarded-for": "203.0.113.7" }
    })
    const [rejection] = one.rejections.recent(SITE, 10)
    expect(rejection).toMatchObject({
      reason: "InvalidPayload",
      detail: "payload.data: Invalid input: expected record, received number",
      urlPath: "/a"
    })
    expect(JSON.stringify(one.rejections.recent(SITE, 10))).not.toMatch(/81\.2|203\.0|secret/)
    await one.stop()
  })

  test("rejections of unregistered sites are kept under no site", async () => {
    const one = await startCollect()
    await one.post(event({ website: OTHER }))
    expect(one.rejections.recent(OTHER, 10)).toEqual([])
    expect(one.rejections.recent(null, 10)).toMatchObject([{ reason: "SiteNotFound" }])
    await one.stop()
  })
})

describe("graceful shutdown", () => {
  test("a stopping server fails its health check, refuses new events with 503, and answers requests in flight with connection: close", async () => {
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const slow = await startCollect({ onSave: () => Effect.promise(() => held) })
    const inFlight = slow.post(event())
    while (slow.events.length === 0 && !(await fetch(`${slow.url}/livez`)).ok) await Bun.sleep(1)
    const stopped = slow.stop()
    const probe = async () => (await fetch(`${slow.url}/api/health`, { keepalive: false })).status
    while ((await probe()) !== 503) await Bun.sleep(1)
    // New events are still taken for a moment, so that busy clients can leave.
    let refused = await slow.post("[]", { path: "/api/batch" })
    while (refused.status !== 503) refused = await slow.post("[]", { path: "/api/batch" })
    expect([refused.headers.get("retry-after"), refused.headers.get("connection")]).toEqual(["1", "close"])
    expect(await probe()).toBe(503)
    release()
    const response = await inFlight
    expect(response.status).toBe(200)
    expect(response.headers.get("connection")).toBe("close")
    await stopped
    expect(slow.events).toHaveLength(1)
    expect(await probe().catch(() => "refused")).toBe("refused")
  })
})
