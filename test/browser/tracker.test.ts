import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { generateKeyPairSync } from "node:crypto"
import { join } from "node:path"
import { Redacted } from "effect"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { cityDatabase } from "../support/collect/mmdb.ts"
import { until } from "../support/eventually.ts"
import { notTested } from "../support/notTested.ts"
import { connect, type Database } from "../support/postgres/database.ts"
import { freshDatabase, temporaryFolder } from "../support/postgres/postgres.ts"
import { rowsHolding } from "../support/postgres/storedAddresses.ts"
import { browserPath, CHROME, launchBrowser } from "../support/process/browser.ts"
import { Footfall } from "../support/process/footfallProcess.ts"
import { ForwardingProxy } from "../support/proxy/ForwardingProxy.ts"
import { fetchStockTracker } from "./stockTracker.ts"

if (browserPath === null) notTested("The tracker in a browser: Chromium is not installed.")

/** A visitor in London, according to the test's geo database. */
const LONDON_IP = "81.2.69.142"
const SHOP = "10000000-0000-4000-8000-000000000001"
const OTHER = "10000000-0000-4000-8000-000000000002"

describe.skipIf(browserPath === null)("a page in a real browser", () => {
  let browser: Browser
  let collector: Footfall
  let proxy: ForwardingProxy
  let databaseUrl: string
  let database: Database
  let pages: Bun.Server<undefined>
  /** Attributes of the page's script tag, and the tracker that it loads. */
  let snippet: Record<string, string> = {}
  let tracker = ""
  let contexts: Array<BrowserContext> = []
  const ours = Bun.file(join(import.meta.dir, "tracker.js"))

  beforeAll(async () => {
    databaseUrl = Redacted.value(await freshDatabase())
    const geo = join(temporaryFolder(), "city.mmdb")
    await Bun.write(geo, cityDatabase())
    pages = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      routes: {
        "/script.js": () => new Response(tracker, { headers: { "content-type": "text/javascript" } }),
        "/favicon.ico": () => new Response(null, { status: 204 })
      },
      fetch: ({ url: address }) => {
        const attributes = Object.entries(snippet).map(([name, value]) => `data-${name}="${value}"`)
        return new Response(
          `<!doctype html><html lang="en"><head><title>Page ${new URL(address).pathname}</title>
<script defer src="/script.js" ${attributes.join(" ")}></script></head>
<body><div id="top"></div><h1>A shop</h1><button id="buy" data-umami-event="buy" data-umami-event-product="Boots">Buy</button></body></html>`,
          { headers: { "content-type": "text/html" } }
        )
      }
    })
    database = await connect(databaseUrl)
    await database.query(
      `INSERT INTO product_analytics_site (id, name, domains, timezone, week_start, currency) VALUES
        ($1::uuid, 'Shop', ARRAY[$3::text], 'UTC', 'monday', 'USD'), ($2::uuid, 'Other', ARRAY['other.example'], 'UTC', 'monday', 'USD')`,
      [SHOP, OTHER, `shop.example:${pages.port}`]
    )
    collector = await Footfall.start({
      environment: {
        DATABASE_URL: databaseUrl,
        GEOLITE_DB_PATH: geo,
        TRUST_PROXY: "loopback"
      }
    })
    await collector.prints(/Locations come from/)
    proxy = new ForwardingProxy({ to: collector.url, clientAddress: LONDON_IP })
    browser = await launchBrowser()
  }, 180_000)

  afterAll(async () => {
    await browser?.close()
    await proxy?.[Symbol.asyncDispose]()
    await collector?.kill()
    await database?.[Symbol.asyncDispose]()
    await pages?.stop(true)
  })

  interface Visit {
    readonly host?: string
    readonly path?: string
    readonly referrer?: string
    readonly userAgent?: string
    readonly script?: string
  }

  /** A new visitor's page with the given snippet; earlier visits, and what the proxy saw of them, are cleared. */
  const visit = async (attributes: Record<string, string>, options: Visit = {}): Promise<Page> => {
    await Promise.all(contexts.map((context) => context.close()))
    await database.query("TRUNCATE product_analytics_event, product_analytics_event_data, product_analytics_session")
    await database.query("TRUNCATE product_analytics_session_data")
    proxy.requests.length = 0
    snippet = { "website-id": SHOP, "host-url": `http://stats.example:${proxy.port}`, ...attributes }
    tracker = options.script ?? (await ours.text())
    const context = await browser.newContext({
      ...(options.userAgent !== undefined && { userAgent: options.userAgent }),
      locale: "en-GB",
      viewport: { width: 1280, height: 720 },
      screen: { width: 1920, height: 1080 }
    })
    contexts = [context]
    const page = await context.newPage()
    const { host = "shop.example", path = "/", referrer } = options
    await page.goto(`http://${host}:${pages.port}${path}`, referrer === undefined ? {} : { referer: referrer })
    return page
  }

  const answered = (count: number) =>
    until(
      () => `${count} answers: ${JSON.stringify(proxy.requests.map(({ method, body }) => [method, body]))}`,
      () => proxy.of("POST").length >= count
    )

  const events = <Row extends object>(columns: string) =>
    database.query<Row>(`SELECT ${columns} FROM product_analytics_event ORDER BY created_at, event_id`)

  const count = async (table: string): Promise<number> =>
    (await database.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`))[0]!.n

  test("pageviews, custom events, properties and a login are stored as one visit, from the forwarded address", async () => {
    const page = await visit(
      { tag: "spring" },
      {
        path: "/shoes?utm_source=news&utm_medium=email&gclid=abc#sizes",
        referrer: "https://www.search.example/find?q=shoes"
      }
    )
    await answered(1)
    await page.evaluate("history.pushState({}, '', '/shoes/boots')")
    await answered(2)
    await page.evaluate("history.replaceState({}, '', '/shoes/boots?size=42')")
    await answered(3)
    await page.evaluate(`umami.track('signup', {
      plan: 'pro', seats: 3, trial: true, since: '2026-01-02T03:04:05.000Z', tags: ['a', 'b'],
      address: { city: 'Oslo' }, revenue: 19.5, currency: 'EUR'
    })`)
    await page.evaluate("umami.track((payload) => ({ ...payload, url: '/virtual', title: 'Wholly made up' }))")
    await page.click("#buy")
    await answered(6)

    expect(
      await events(
        "url_path, url_query, event_type, event_name, tag, hostname, referrer_domain, referrer_path, page_title"
      )
    ).toEqual([
      {
        url_path: "/shoes#sizes",
        url_query: "utm_source=news&utm_medium=email&gclid=abc",
        event_type: 1,
        event_name: null,
        tag: "spring",
        hostname: "shop.example",
        referrer_domain: "search.example",
        referrer_path: "/find",
        page_title: "Page /shoes"
      },
      expect.objectContaining({ url_path: "/shoes/boots", url_query: null, event_type: 1, referrer_path: "/shoes" }),
      expect.objectContaining({ url_path: "/shoes/boots", url_query: "size=42", referrer_path: "/shoes/boots" }),
      expect.objectContaining({ event_type: 2, event_name: "signup", tag: "spring", url_path: "/shoes/boots" }),
      expect.objectContaining({ event_type: 1, url_path: "/virtual", page_title: "Wholly made up" }),
      expect.objectContaining({ event_type: 2, event_name: "buy" })
    ])
    const [first] = await events("utm_source, utm_medium, gclid")
    expect(first).toEqual({ utm_source: "news", utm_medium: "email", gclid: "abc" })
    expect(
      await database.query(
        `SELECT data_key, data_type, string_value, number_value::text AS number, date_value::text AS date
          FROM product_analytics_event_data WHERE event_name = 'signup' ORDER BY data_key`
      )
    ).toEqual([
      { data_key: "address.city", data_type: 1, string_value: "Oslo", number: null, date: null },
      { data_key: "currency", data_type: 1, string_value: "EUR", number: null, date: null },
      { data_key: "plan", data_type: 1, string_value: "pro", number: null, date: null },
      { data_key: "revenue", data_type: 2, string_value: "19.5000", number: "19.5000", date: null },
      { data_key: "seats", data_type: 2, string_value: "3.0000", number: "3.0000", date: null },
      expect.objectContaining({
        data_key: "since",
        data_type: 4,
        date: expect.stringContaining("2026-01-02 03:04:05")
      }),
      { data_key: "tags", data_type: 5, string_value: '["a","b"]', number: null, date: null },
      { data_key: "trial", data_type: 3, string_value: "true", number: null, date: null }
    ])
    expect(
      await database.query(
        "SELECT string_value FROM product_analytics_event_data WHERE event_name = 'buy' AND data_key = 'product'"
      )
    ).toEqual([{ string_value: "Boots" }])
    expect(await events("revenue::text AS revenue, currency")).toContainEqual({ revenue: "19.5000", currency: "EUR" })

    // One visitor in one visit: the token came with the first response and was sent with every later request.
    const sessions = await database.query(
      "SELECT browser, os, device, screen, language, country, region, city, distinct_id, first_path FROM product_analytics_session"
    )
    expect(sessions).toEqual([
      {
        browser: "chrome",
        os: "Linux",
        device: "laptop",
        screen: "1920x1080",
        language: "en-GB",
        country: "GB",
        region: "GB-ENG",
        city: "Boxford",
        distinct_id: null,
        first_path: "/shoes#sizes"
      }
    ])
    expect(await events("DISTINCT session_id, visit_id, 1 AS created_at, 1 AS event_id")).toHaveLength(1)
    const posts = proxy.of("POST")
    const tokens = posts.map(({ headers }) => headers.get("x-umami-cache"))
    const given = posts.map(({ answer }) => (JSON.parse(answer) as { cache: string }).cache)
    expect(tokens[0]).toBeNull()
    // A request sent at the same time as another one carried the token known then.
    for (const token of tokens.slice(1)) expect(given).toContain(token!)

    await page.evaluate("umami.identify('customer-7', { plan: 'pro', age: 41 })")
    await page.evaluate("umami.track('after-login')")
    await answered(8)
    expect(proxy.of("POST")[6]!.headers.get("x-umami-cache")).toBe("")
    expect(
      await database.query(
        `SELECT distinct_id, data_key, string_value, number_value::text AS number FROM product_analytics_session
          JOIN product_analytics_session_data USING (session_id) ORDER BY data_key`
      )
    ).toEqual([
      { distinct_id: "customer-7", data_key: "age", string_value: "41.0000", number: "41.0000" },
      { distinct_id: "customer-7", data_key: "plan", string_value: "pro", number: null }
    ])
    expect(
      await database.query(
        "SELECT distinct_id FROM product_analytics_event JOIN product_analytics_session USING (session_id) WHERE event_name = 'after-login'"
      )
    ).toEqual([{ distinct_id: "customer-7" }])

    for (const address of [LONDON_IP, "127.0.0.1"]) {
      expect(await rowsHolding(database, address)).toEqual([])
      expect(collector.output).not.toContain(address)
    }
  }, 180_000)

  test("a preflight passes once and is cached for what follows, with and without a token", async () => {
    const page = await visit({})
    await answered(1)
    for (const name of ["one", "two", "three"]) await page.evaluate(`umami.track('${name}')`)
    await answered(4)
    const [preflight, ...more] = proxy.of("OPTIONS")
    expect(more).toEqual([])
    expect(preflight).toMatchObject({ status: 204, path: "/api/send" })
    expect(preflight!.headers.get("access-control-request-headers")).toBe("content-type")
    // The second request may be sent before the page has read the first response.
    const [first, , ...later] = proxy.of("POST").map(({ headers }) => headers.has("x-umami-cache"))
    expect([first, later]).toEqual([false, [true, true]])
  })

  test("a page on a domain of no site gets no further than its preflight", async () => {
    const page = await visit({}, { host: "stranger.example" })
    await until("a preflight", () => proxy.of("OPTIONS").length > 0)
    await page.evaluate("umami.track('again')")
    expect(proxy.of("OPTIONS").length).toBeGreaterThan(0)
    expect(proxy.of("POST")).toEqual([])
    expect(await count("product_analytics_event")).toBe(0)
  })

  test("a page may not read responses for a site of another domain", async () => {
    const page = await visit({ "website-id": OTHER })
    await answered(1)
    expect(await page.evaluate("umami.track('again').then(() => umami.getSession().cache)")).toBeUndefined()
    expect(
      await page.evaluate(
        `fetch('http://stats.example:${proxy.port}/api/send', { method: 'POST', body: JSON.stringify({ type: 'event', payload: { website: '${OTHER}' } }) }).then(() => 'read', String)`
      )
    ).toContain("Failed to fetch")
  })

  test("web vitals are sent once per page, when the visitor leaves it", async () => {
    const page = await visit({ performance: "true" })
    await page.waitForFunction("performance.getEntriesByName('first-contentful-paint').length > 0")
    await page.evaluate(`new Promise((resolve) => {
      // Two frames: the first paints what was there, the second what moved it.
      requestAnimationFrame(() => {
        document.querySelector('#top').style.height = '200px'
        requestAnimationFrame(() => requestAnimationFrame(resolve))
      })
    })`)
    await page.evaluate(`document.querySelector('h1').addEventListener('pointerdown', () => {
      for (const end = performance.now() + 80; performance.now() < end;);
    })`)
    await page.click("h1")
    await page.waitForTimeout(200)
    await page.evaluate("history.pushState({}, '', '/next')")
    await answered(3)
    await page.evaluate("history.pushState({}, '', '/last')")
    await answered(4)
    const measured = await database.query<Record<string, number | string>>(
      `SELECT url_path, lcp::float8 AS lcp, fcp::float8 AS fcp, ttfb::float8 AS ttfb, inp::float8 AS inp, cls::float8 AS cls
        FROM product_analytics_event WHERE event_type = 5`
    )
    expect(measured).toEqual([
      {
        url_path: "/",
        lcp: expect.any(Number),
        fcp: expect.any(Number),
        ttfb: expect.any(Number),
        inp: expect.any(Number),
        cls: expect.any(Number)
      }
    ])
    const [figures] = measured
    for (const name of ["lcp", "fcp", "ttfb"]) expect(figures![name]).toBeGreaterThan(0)
    expect(figures!["inp"]).toBeGreaterThanOrEqual(80)
    expect(figures!["cls"]).toBeGreaterThan(0)
    expect(await events("event_type")).toHaveLength(4)
  }, 180_000)

  test("a beacon sent while the page closes needs no preflight, and its text is parsed as JSON", async () => {
    const page = await visit({ "auto-track": "false" })
    await page.evaluate(`addEventListener('pagehide', () => {
      const payload = { website: '${SHOP}', url: '/goodbye', hostname: location.hostname, title: document.title, name: 'leave' }
      navigator.sendBeacon('http://stats.example:${proxy.port}/api/send', JSON.stringify({ type: 'event', payload }))
    })`)
    await page.goto("about:blank")
    await answered(1)
    expect(proxy.of("OPTIONS")).toEqual([])
    expect(proxy.of("POST")[0]!.headers.get("content-type")).toBe("text/plain;charset=UTF-8")
    expect(await events("url_path, event_name, hostname")).toEqual([
      { url_path: "/goodbye", event_name: "leave", hostname: "shop.example" }
    ])
  })

  test("a beacon of JSON, which browsers send with credentials, is stored after its preflight", async () => {
    const page = await visit({ "auto-track": "false" })
    await page.evaluate(`(() => {
      const payload = { website: '${SHOP}', url: '/json', hostname: location.hostname, name: 'leave' }
      const body = new Blob([JSON.stringify({ type: 'event', payload })], { type: 'application/json' })
      navigator.sendBeacon('http://stats.example:${proxy.port}/api/send', body)
    })()`)
    await answered(1)
    expect(proxy.of("OPTIONS")).toHaveLength(1)
    expect(proxy.of("POST")[0]!.headers.get("content-type")).toBe("application/json")
    expect(await events("url_path, event_name")).toEqual([{ url_path: "/json", event_name: "leave" }])
  })

  test("with data-fetch-credentials, a page reads its token and sends it with the next event", async () => {
    const page = await visit({ "fetch-credentials": "include" })
    await answered(1)
    await page.click("#buy")
    await answered(2)
    expect(proxy.of("POST")[1]!.headers.get("x-umami-cache")).toBeTruthy()
    expect(await count("product_analytics_event")).toBe(2)
  })

  test("a tracker that the server asks to stop sends nothing more", async () => {
    const { publicKey } = generateKeyPairSync("ed25519")
    await using unlicensed = await Footfall.start({
      environment: {
        DATABASE_URL: databaseUrl,
        FEATURE_GATE: "token",
        LICENSE_PUBLIC_KEY: publicKey.export({ type: "spki", format: "pem" }).toString()
      }
    })
    await using before = new ForwardingProxy({ to: unlicensed.url, clientAddress: LONDON_IP })
    const page = await visit({ "host-url": `http://stats.example:${before.port}`, "auto-track": "false" })
    await page.evaluate("umami.track()")
    expect(before.of("POST")[0]!.status).toBe(402)
    await page.evaluate("umami.track('more')")
    await page.evaluate("umami.identify('customer-7')")
    expect(before.of("POST")).toHaveLength(1)
    expect(await count("product_analytics_event")).toBe(0)
  }, 180_000)

  test("with data-auto-track=false a pageview is sent only by hand", async () => {
    const page = await visit({ "auto-track": "false" })
    await page.evaluate("history.pushState({}, '', '/next')")
    await page.evaluate("umami.track('by hand')")
    expect(await events("event_name")).toEqual([{ event_name: "by hand" }])
  })

  test("a page whose host is not in data-domains sends nothing", async () => {
    const page = await visit({ domains: "www.shop.example, other.example" })
    await page.evaluate("umami.track('by hand')")
    expect(proxy.requests).toEqual([])
  })

  test("a headless browser with its own user agent is a bot: its tracker gets a response, and nothing is stored", async () => {
    await visit({}, { userAgent: CHROME.replace("Chrome/", "HeadlessChrome/") })
    await answered(1)
    expect(proxy.of("POST")[0]).toMatchObject({ status: 200, answer: '{"beep":"boop"}' })
    expect(await count("product_analytics_event")).toBe(0)
  })

  test("events of Umami's released tracker are stored as one visit", async () => {
    const stock = await fetchStockTracker()
    if ("why" in stock) {
      notTested(`Umami's own tracker: ${stock.why}`)
      return
    }
    const page = await visit({}, { script: stock.source, path: "/shoes?utm_source=news" })
    await answered(1)
    await page.evaluate("history.pushState({}, '', '/next')")
    await answered(2)
    await page.evaluate("umami.track('signup', { plan: 'pro' })")
    await answered(3)
    await page.evaluate("umami.identify({ plan: 'pro' })")
    await answered(4)
    expect(proxy.of("POST").map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(await events("url_path, event_type, event_name, utm_source, page_title")).toEqual([
      { url_path: "/shoes", event_type: 1, event_name: null, utm_source: "news", page_title: "Page /shoes" },
      expect.objectContaining({ url_path: "/next", event_type: 1 }),
      expect.objectContaining({ url_path: "/next", event_type: 2, event_name: "signup" })
    ])
    expect(await events("DISTINCT session_id, visit_id, 1 AS created_at, 1 AS event_id")).toHaveLength(1)
    expect(await database.query("SELECT data_key, string_value FROM product_analytics_session_data")).toEqual([
      { data_key: "plan", string_value: "pro" }
    ])
  }, 300_000)
})
