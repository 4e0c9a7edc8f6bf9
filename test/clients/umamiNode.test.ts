import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test"
import { join } from "node:path"
import { Umami } from "@umami/node"
import { Redacted } from "effect"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { notTested } from "../support/notTested.ts"
import { connect, type Database, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

let collector: Footfall
let database: Database
let umami: Umami

beforeAll(async () => {
  const environment = await prepareInstance(Redacted.value(await freshDatabase()))
  database = await connect(environment.DATABASE_URL)
  collector = await Footfall.start({ environment })
}, 180_000)

beforeEach(async () => {
  umami = new Umami({ websiteId: SITE, hostUrl: collector.url })
  await database.query(
    "TRUNCATE product_analytics_event, product_analytics_event_data, product_analytics_session, product_analytics_session_data"
  )
})

afterAll(async () => {
  await database?.[Symbol.asyncDispose]()
  await collector?.kill()
})

const EVENTS = `SELECT event_type, event_name, url_path, hostname, page_title, referrer_domain, browser, os, device
  FROM product_analytics_event JOIN product_analytics_session USING (session_id) ORDER BY event_id`

test("an event with only a name is stored without a page, and the client's own user agent is not a bot", async () => {
  const response = await umami.track("signup", { plan: "pro", seats: 3, since: new Date("2026-01-02T03:04:05Z") })
  expect(response.status).toBe(200)
  expect(Object.keys((await response.json()) as object)).toEqual(["cache", "sessionId", "visitId"])
  expect(await database.query(EVENTS)).toEqual([
    {
      event_type: 2,
      event_name: "signup",
      url_path: "",
      hostname: "localhost",
      page_title: null,
      referrer_domain: null,
      browser: null,
      os: null,
      device: "desktop"
    }
  ])
  expect(
    await database.query(
      "SELECT data_key, data_type, string_value, date_value FROM product_analytics_event_data ORDER BY data_key"
    )
  ).toEqual([
    { data_key: "plan", data_type: 1, string_value: "pro", date_value: null },
    { data_key: "seats", data_type: 2, string_value: "3.0000", date_value: null },
    expect.objectContaining({ data_key: "since", data_type: 4, string_value: "2026-01-02T03:04:05.000Z" })
  ])
})

test("a pageview from @umami/node has the given fields and the visitor's own user agent", async () => {
  umami.init({ userAgent: FIREFOX })
  const response = await umami.track({
    url: "/shoes?utm_source=news",
    hostname: "shop.example",
    title: "Shoes",
    referrer: "https://www.search.example/find"
  })
  expect(response.status).toBe(200)
  expect(await database.query(EVENTS)).toEqual([
    {
      event_type: 1,
      event_name: null,
      url_path: "/shoes",
      hostname: "shop.example",
      page_title: "Shoes",
      referrer_domain: "search.example",
      browser: "firefox",
      os: "Linux",
      device: "desktop"
    }
  ])
})

test("attributes of identify are stored with the session, with the last value of each", async () => {
  await umami.track("before")
  expect((await umami.identify({ plan: "free", age: 41 })).status).toBe(200)
  expect((await umami.identify({ plan: "pro" })).status).toBe(200)
  expect(
    await database.query("SELECT data_key, string_value FROM product_analytics_session_data ORDER BY data_key")
  ).toEqual([
    { data_key: "age", string_value: "41.0000" },
    { data_key: "plan", string_value: "pro" }
  ])
  // Without tokens, one client is one session by its address and user agent.
  expect(await database.query("SELECT session_id FROM product_analytics_session")).toHaveLength(1)
})

test("a rejected event reports the reason to @umami/node", async () => {
  umami.init({ websiteId: "10000000-0000-4000-8000-00000000dead" })
  const unknown = await umami.track("signup")
  expect([unknown.status, await unknown.json()]).toEqual([
    400,
    { error: { message: "Website not found.", code: "bad-request", status: 400 } }
  ])
  umami.init({ websiteId: SITE, userAgent: "curl/8.5.0" })
  const bot = await umami.track("signup")
  expect([bot.status, await bot.json()]).toEqual([200, { beep: "boop" }])
  expect(await database.query(EVENTS)).toEqual([])
})

const node = Bun.which("node")
if (node === null) notTested("@umami/node in Node: Node is not installed.")

test.skipIf(node === null)("@umami/node works the same under Node", async () => {
  const script = `const { Umami } = require("@umami/node")
    const umami = new Umami({ websiteId: "${SITE}", hostUrl: "${collector.url}" })
    Promise.all([umami.track("from-node", { version: process.version }), umami.identify({ plan: "pro" })])
      .then((answers) => console.log(answers.map(({ status }) => status).join()))`
  const child = Bun.spawn([node!, "-e", script], {
    cwd: join(import.meta.dir, "../.."),
    stdio: ["ignore", "pipe", "inherit"]
  })
  expect([await child.stdout.text(), await child.exited]).toEqual(["200,200\n", 0])
  expect(await database.query("SELECT event_name FROM product_analytics_event")).toEqual([{ event_name: "from-node" }])
  expect(await database.query("SELECT string_value FROM product_analytics_session_data")).toEqual([
    { string_value: "pro" }
  ])
})
