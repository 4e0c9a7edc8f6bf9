import { describe, expect, test } from "bun:test"
import { Effect, Redacted } from "effect"
import { exportJWK, generateKeyPair } from "jose"
import { makeApiClient } from "../../src/http/api/client.ts"
import { footfall } from "../cli/support.ts"
import { until } from "../support/eventually.ts"
import { Client } from "../support/people/peopleServer.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

const SITES = "/api/ee/product-analytics/sites"
const KEYS = "/api/ee/product-analytics/keys"
const DATABASE = 13371338
const AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"

const query = (source: unknown, more: object = {}) => ({
  fql: 1,
  type: "query",
  source,
  aggregation: [["count"]],
  ...more
})

/** What Metabase's own tests of its module assert, section 1.2 of the contract, over HTTP against a running `full`. */
describe.each(["postgres", "replica"])("the reference's assertions with WAREHOUSE=%s", (warehouse) => {
  test("hold for sites, questions, permissions and metadata", async () => {
    const DATABASE_URL = Redacted.value(await freshDatabase())
    const environment = { DATABASE_URL, WAREHOUSE: warehouse, CLIENT_IP_HEADER: "cf-connecting-ip" }
    await using full = await Footfall.start({ entry: "full", environment })
    const created = await footfall(["keys", "create", "--json"], { DATABASE_URL })
    const as = (key: string) => new Client(full.url, { authorization: `Bearer ${key}` })
    const admin = as(JSON.parse(created.out).key)
    const ask = (client: Client, question: unknown) => client.call("POST", "/api/dataset", { body: question })

    // Sites: 4 to 8.
    const site = await admin.call("POST", SITES, { body: { name: "Shop", allowed_domains: "example.com" } })
    expect(site.status).toBe(200)
    expect(site.body).toMatchObject({
      name: "Shop",
      archived: false,
      tracking_snippet: expect.stringContaining("data-website-id")
    })
    expect(site.body.id).toMatch(/^[0-9a-f-]{36}$/)
    expect((await admin.call("POST", SITES, { body: {} })).status).toBe(400)
    const other = await admin.call("POST", SITES, { body: { name: "About" } })
    expect((await admin.call("GET", SITES)).body.map(({ name }: { name: string }) => name)).toEqual(["About", "Shop"])
    for (const method of ["GET", "PUT", "DELETE"]) {
      const body = method === "PUT" ? { body: { name: "x" } } : {}
      expect([method, (await admin.call(method, `${SITES}/9999`, body)).status]).toEqual([method, 404])
    }
    expect((await admin.call("PUT", `${SITES}/${other.body.id}`, { body: { name: "Blog" } })).body.name).toBe("Blog")
    expect((await admin.call("DELETE", `${SITES}/${other.body.id}`)).body.archived).toBe(true)
    expect((await admin.call("GET", SITES)).body).toHaveLength(1)

    // Questions: 9, 10 and 13.
    const payload = { website: site.body.id, hostname: "example.com", url: "/" }
    const sent = await fetch(`${full.url}/api/send`, {
      method: "POST",
      headers: { "user-agent": AGENT },
      body: JSON.stringify({ type: "event", payload })
    })
    expect(sent.status).toBe(200)
    await until("the event is answered", async () => {
      const { body } = await ask(admin, query("v_pa_events"))
      return body.data?.rows[0][0] === 1 && body.route === warehouse
    })
    expect((await ask(admin, query("v_pa_sessions"))).body.data.rows).toEqual([[1]])
    const native = { database: DATABASE, type: "native", native: { query: "SELECT 1" } }
    const refusals = [
      [native, "Native queries are not allowed on the product analytics database"],
      [query({ query: native }), "Native queries are not allowed on the product analytics database"],
      [query("product_analytics_user"), "Product analytics queries are only allowed on product analytics views"]
    ]
    for (const [question, detail] of refusals) {
      expect((await ask(admin, question)).body).toMatchObject({
        status: 403,
        detail: expect.stringContaining(String(detail))
      })
    }

    // Someone who is no administrator: 3, 11 and 12.
    const group = (await admin.call("POST", "/api/permissions/group", { body: { name: "Analysts" } })).body
    const analyst = as((await admin.call("POST", KEYS, { body: { name: "analyst", group_id: group.id } })).body.key)
    const setLevel = async (level: string) => {
      const { revision } = (await admin.call("GET", "/api/collection/graph")).body
      const body = { revision, groups: { [group.id]: { "1": level } } }
      expect((await admin.call("PUT", "/api/collection/graph", { body })).status).toBe(200)
    }
    expect((await analyst.call("GET", SITES)).status).toBe(403)
    expect((await analyst.call("POST", SITES, { body: { name: "x" } })).status).toBe(403)
    const denied = { status: 403, detail: "You do not have access to the product analytics database" }
    expect((await ask(analyst, query("v_pa_events"))).body).toMatchObject(denied)
    // The collection comes before the kind and the shape of the question.
    expect((await ask(analyst, native)).body).toMatchObject(denied)
    await setLevel("read")
    expect((await ask(analyst, query("v_pa_events"))).body.data.rows).toEqual([[1]])
    expect((await ask(analyst, native)).body.detail).toContain("Native queries are not allowed")
    await setLevel("none")
    expect((await ask(analyst, query("v_pa_events"))).body).toMatchObject(denied)
    expect((await admin.call("PUT", "/api/permissions/graph", { body: { groups: {} } })).body).toMatchObject({
      status: 400,
      detail: "Permissions of the Product Analytics database are controlled by its collection."
    })

    // The virtual database: 14 and 15.
    const databases = (await admin.call("GET", "/api/database")).body
    expect(JSON.stringify(databases)).toContain(String(DATABASE))
    const { tables } = (await admin.call("GET", `/api/database/${DATABASE}/metadata`)).body
    const fields = (view: string): ReadonlyArray<string> =>
      tables.find(({ name }: { name: string }) => name === view).fields.map(({ name }: { name: string }) => name)
    expect(fields("v_pa_events")).toEqual(expect.arrayContaining(["created_at", "url_path", "event_name"]))
    expect(fields("v_pa_sessions")).toEqual(expect.arrayContaining(["browser", "country"]))
    for (const view of ["v_pa_sites", "v_pa_event_data", "v_pa_session_data"])
      expect(fields(view).length).toBeGreaterThan(3)
    const { body: collections } = await admin.call("GET", "/api/collection")
    const analytics = collections.filter(({ name }: { name: string }) => name === "Product Analytics")
    expect(analytics).toHaveLength(1)

    // X-rays of events and sessions, of complete days: 16.
    const daysAgo = (days: number) => Math.floor(Date.now() / 1_000) - days * 86_400
    const visits = [
      ["DE", "203.0.113.5", "/", 1],
      ["DE", "203.0.113.5", "/pricing", 1],
      ["FR", "203.0.113.6", "/", 2],
      ["FR", "203.0.113.7", "/docs", 3]
    ] as const
    for (const [country, address, url, days] of visits) {
      await fetch(`${full.url}/api/send`, {
        method: "POST",
        headers: { "user-agent": AGENT, "cf-connecting-ip": address, "cf-ipcountry": country },
        body: JSON.stringify({ type: "event", payload: { ...payload, url, timestamp: daysAgo(days) } })
      })
    }
    await until("the visits are answered", async () => {
      const { body } = await ask(admin, query("v_pa_events"))
      return body.data?.rows[0][0] === 5 && body.route === warehouse
    })
    const xrayOf = async (view: string) => {
      const { id } = tables.find(({ name }: { name: string }) => name === view)
      const { body, status } = await admin.call("GET", `/api/automagic-dashboards/table/${id}`)
      expect([view, status, body.detail]).toEqual([view, 200, undefined])
      const titles: ReadonlyArray<string> = body.dashcards.flatMap(({ card }: { card: { name: string } | null }) =>
        card === null ? [] : [card.name]
      )
      return { name: body.name, titles: titles.join("; "), inwards: JSON.stringify(body.related["zoom-in"]) }
    }
    const events = await xrayOf("v_pa_events")
    expect(events.name).toBe("A look at your Events")
    expect(events.titles).toMatch(/events over time/i)
    expect(events.titles).toMatch(/ per /)
    expect(events.inwards).toContain("FunnelFlows")
    const sessions = await xrayOf("v_pa_sessions")
    expect(sessions.titles).toMatch(/country/i)
    expect(sessions.inwards).toContain("VisitorsAndLocations")
  }, 120_000)
})

test("without a license, questions and sites answer 402 to everyone", async () => {
  const DATABASE_URL = Redacted.value(await freshDatabase())
  const { publicKey } = await generateKeyPair("EdDSA", { extractable: true })
  const license = { FEATURE_GATE: "token", LICENSE_PUBLIC_KEY: JSON.stringify(await exportJWK(publicKey)) }
  await using full = await Footfall.start({
    entry: "full",
    environment: { DATABASE_URL, WAREHOUSE: "postgres", ...license }
  })
  const created = await footfall(["keys", "create", "--json"], { DATABASE_URL })
  for (const headers of [{}, { authorization: `Bearer ${JSON.parse(created.out).key}` }]) {
    const client = new Client(full.url, headers)
    expect((await client.call("POST", "/api/dataset", { body: query("v_pa_events") })).status).toBe(402)
    expect((await client.call("GET", SITES)).status).toBe(402)
    expect((await client.call("POST", SITES, { body: { name: "x" } })).status).toBe(402)
  }
}, 60_000)

test("the typed client of the API calls routes, and its failures are the API's problems", async () => {
  const DATABASE_URL = Redacted.value(await freshDatabase())
  await using full = await Footfall.start({ entry: "full", environment: { DATABASE_URL, WAREHOUSE: "postgres" } })
  const created = await footfall(["keys", "create", "--json"], { DATABASE_URL })
  const outcome = await Effect.runPromise(
    Effect.gen(function* () {
      const client = yield* makeApiClient({ url: full.url, key: Redacted.make(JSON.parse(created.out).key) })
      const site = yield* client.sites.create({ payload: { name: "Typed" } })
      const answer = yield* client.dataset.ask({ payload: query("v_pa_sites"), query: {} })
      const missing = yield* Effect.flip(client.sites.get({ params: { id: "9999" } }))
      return { name: site.name, rows: answer.data.rows, missing: missing._tag }
    })
  )
  expect(outcome).toEqual({ name: "Typed", rows: [[1]], missing: "NotFound" })
}, 60_000)
