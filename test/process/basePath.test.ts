import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { Redacted } from "effect"
import { footfall } from "../cli/support.ts"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase, temporaryFolder } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

setDefaultTimeout(180_000)

const PREFIX = "/api/ee/product-analytics"

let full: Footfall
let environment: Readonly<Record<string, string>>
let root: string
beforeAll(async () => {
  const script = join(temporaryFolder(), "tracker.js")
  await Bun.write(script, "fetch('/api/send')")
  environment = {
    ...(await prepareInstance(Redacted.value(await freshDatabase()))),
    BASE_PATH: "/stats",
    TRACKER_SCRIPT_FILE: script,
    COLLECT_API_ENDPOINT: "/collect",
    METRICS_TOKEN: "a token of sixteen or more"
  }
  full = await Footfall.start({ entry: "full", environment })
  root = new URL(full.url).origin
})
afterAll(async () => {
  await full[Symbol.asyncDispose]()
})

const post = (path: string, body: unknown) =>
  fetch(root + path, { method: "POST", headers: { "user-agent": FIREFOX }, body: JSON.stringify(body) })
const item = { type: "event", payload: { website: SITE, url: "/" } }

test.each([
  ["/api/send", item],
  ["//api/send/", item],
  ["/collect", item],
  [`${PREFIX}/api/send`, item],
  ["/api/batch", [item]]
])("with BASE_PATH=/stats, an event is stored at /stats%s, and not at the same path without it", async (path, body) => {
  expect((await post(`/stats${path}`, body)).status).toBe(200)
  expect((await post(path, body)).status).toBe(404)
})

test.each([
  ["/api/health", 200],
  ["/api/heartbeat", 200],
  ["/livez", 200],
  ["/metrics", 401],
  ["/script.js", 200],
  ["/openapi.json", 200],
  ["/docs", 200],
  [`${PREFIX}/sites`, 401]
])("with BASE_PATH=/stats, GET /stats%s gets %d, and 404 without it", async (path, status) => {
  expect((await fetch(`${root}/stats${path}`)).status).toBe(status)
  expect((await fetch(root + path)).status).toBe(404)
  expect((await fetch(`${root}/statsx${path}`)).status).toBe(404)
})

test("with BASE_PATH, variants of the admin API's and the metrics' paths are 404", async () => {
  for (const path of [`/STATS${PREFIX}/sites`, `/stats/${PREFIX}/sites`, `/stats${PREFIX.toUpperCase()}/sites`]) {
    expect([path, (await fetch(root + path)).status]).toEqual([path, 404])
  }
  expect((await fetch(`${root}/stats//metrics`)).status).toBe(404)
})

test("with BASE_PATH, the root redirects to the documentation, whose requests go below the base path", async () => {
  const response = await fetch(`${root}/stats/`, { redirect: "manual" })
  expect([response.status, response.headers.get("location")]).toEqual([302, "/stats/docs"])
  const document: unknown = await (await fetch(`${root}/stats/openapi.json`)).json()
  expect(document).toMatchObject({ servers: [{ url: "/stats" }] })
})

test("with BASE_PATH, commands and the admin API work, and snippets load the tracker from below it", async () => {
  const PORT = new URL(root).port
  const run = (args: ReadonlyArray<string>) => footfall(args, { ...environment, PORT })
  const key = JSON.parse((await run(["keys", "create", "--name", "test", "--json"])).out).key
  const { code, out } = await run(["status", "--key", key])
  expect([code, out.includes(`${root}/stats`.replace("127.0.0.1", "localhost"))]).toEqual([0, true])
  const created = await fetch(`${root}/stats${PREFIX}/sites`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "Shop" })
  })
  expect(created.status).toBe(200)
  const site: unknown = await created.json()
  expect(site).toMatchObject({ tracking_snippet: expect.stringContaining('/stats/script.js"') })
  const { out: shown } = await run(["sites", "create", "--name", "Other", "--json"])
  expect(JSON.parse(shown).tracking_snippet).toContain(`data-host-url="http://localhost:${PORT}/stats"`)
})
