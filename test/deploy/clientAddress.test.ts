import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePort } from "../../bench/support/server.ts"
import { footfall } from "../cli/support.ts"
import { type CollectUnderTest, SITE, startCollect } from "../support/collect/collect.ts"
import { until } from "../support/eventually.ts"
import { notTested } from "../support/notTested.ts"
import { temporaryFolder } from "../support/postgres/postgres.ts"
import { Program } from "../support/process/Program.ts"

/** An address that the tests' geo database places in Great Britain. */
const VISITOR = "81.2.69.142"
const FORGED = "2001:db8::1"
const CLOUDFLARE = "172.70.1.2"

/**
 * A server as in nginx's own documentation, in front of a collector with default settings. `X-Test-Peer` stands for the address that
 * connects to nginx, since tests only use the loopback interface.
 */
const config = (folder: string, port: number, collector: number): string => `
  daemon off; pid ${folder}/nginx.pid; error_log stderr warn;
  events {}
  http {
    access_log off;
    ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder};`).join("\n")}
    server {
      listen 127.0.0.1:${port};
      set_real_ip_from 127.0.0.1;
      real_ip_header X-Test-Peer;
      location / {
        proxy_pass http://127.0.0.1:${collector};
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      }
    }
  }`

if (Bun.which("nginx") === null) notTested("Clients' addresses behind nginx: it is not installed.")
else {
  const all = new AsyncDisposableStack()
  let collect: CollectUnderTest
  let origin: string

  beforeAll(async () => {
    collect = await startCollect({ environment: { IGNORE_IP: "192.0.2.0/24" } })
    all.defer(() => collect.stop())
    const folder = join(temporaryFolder(), "nginx")
    mkdirSync(folder, { mode: 0o777 })
    const port = freePort()
    writeFileSync(join(folder, "nginx.conf"), config(folder, port, collect.port))
    const nginx = all.use(new Program(["nginx", "-p", folder, "-e", "stderr", "-c", join(folder, "nginx.conf")]))
    // nginx's workers outlive a killed master; asked to end, it stops them too.
    all.defer(async () => {
      nginx.signal("SIGTERM")
      await nginx.ended()
    })
    origin = `http://127.0.0.1:${port}`
    await until("nginx", async () => (await fetch(`${origin}/api/health`).catch(() => null))?.status === 200)
  }, 180_000)
  afterAll(() => all.disposeAsync())

  const send = async (peer: string, headers: Record<string, string>) => {
    const before = collect.events.length
    const response = await fetch(`${origin}/api/send`, {
      method: "POST",
      // A user agent of its own for each event: each has its own session.
      headers: { "user-agent": `Mozilla/5.0 Firefox/${100 + before}`, "x-test-peer": peer, ...headers },
      body: JSON.stringify({ type: "event", payload: { website: SITE, url: "/" } })
    })
    return { status: response.status, country: collect.events[before]?.session?.country ?? null }
  }

  test("behind nginx with default settings, a visitor has their own address", async () => {
    expect(await send(VISITOR, {})).toEqual({ status: 200, country: "GB" })
  })

  test("behind a private load balancer and nginx with default settings, a visitor has their own address", async () => {
    expect(await send("10.0.3.4", { "x-forwarded-for": VISITOR })).toEqual({ status: 200, country: "GB" })
  })

  test("behind Cloudflare and nginx with default settings, a visitor has Cloudflare's address and country for them", async () => {
    const headers = { "x-forwarded-for": `${FORGED}, ${VISITOR}`, "cf-connecting-ip": VISITOR }
    expect(await send(CLOUDFLARE, headers)).toEqual({ status: 200, country: "GB" })
    expect(await send(CLOUDFLARE, { ...headers, "cf-ipcountry": "NO" })).toEqual({ status: 200, country: "NO" })
  })

  test.each([
    { "x-forwarded-for": FORGED },
    { "cf-connecting-ip": FORGED },
    { "cf-ipcountry": "NO" },
    { "cf-connecting-ip": FORGED, "cf-ipcountry": "NO", "x-forwarded-for": CLOUDFLARE },
    { "true-client-ip": FORGED, "fastly-client-ip": FORGED, forwarded: `for="[${FORGED}]"` },
    { "x-vercel-ip-country": "NO", "cloudfront-viewer-country": "NO", "eo-ipcountry": "NO" }
  ])("a visitor behind plain nginx cannot choose an address or a country with %j", async (headers) => {
    const sent = Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (value ? [[name, value]] : [])))
    expect(await send(VISITOR, sent)).toEqual({ status: 200, country: "GB" })
    expect((await send("192.0.2.7", sent)).status).toBe(403)
  })

  test("headers from a peer that is not trusted are counted, and doctor explains what to do", async () => {
    const untrusting = await startCollect({ environment: { TRUST_PROXY: "203.0.113.0/24" } })
    for (let i = 0; i < 2; i++) {
      const body = { type: "event", payload: { website: SITE, url: "/" } }
      expect((await untrusting.post(body, { headers: { "x-forwarded-for": VISITOR } })).status).toBe(200)
    }
    const { out } = await footfall(["doctor", "--json", "--url", untrusting.url], {
      DATABASE_URL: "postgres://me@127.0.0.1:1/none"
    })
    const { checks } = JSON.parse(out) as { readonly checks: ReadonlyArray<Record<string, string>> }
    // In-process collectors share one registry of metrics, so others may have counted too.
    expect(checks.filter((check) => check["about"] === "addresses")).toContainEqual({
      about: "addresses",
      state: "note",
      found: expect.stringMatching(/^requests with a client's address in a header came from a peer .* \(\d+ so far\)$/),
      hint: expect.stringContaining("add its address to TRUST_PROXY")
    })
    await untrusting.stop()
  }, 180_000)
}
