import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { type IncomingMessage, request } from "node:http"
import { Redacted } from "effect"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

setDefaultTimeout(180_000)

const PREFIX = "/api/ee/product-analytics"

let full: Footfall
beforeAll(async () => {
  const environment = await prepareInstance(Redacted.value(await freshDatabase()))
  full = await Footfall.start({ entry: "full", environment: { ...environment, COLLECT_API_ENDPOINT: "/x/collect" } })
})
afterAll(async () => {
  await full[Symbol.asyncDispose]()
})

/** `fetch` removes doubled slashes at the start of a path; this does not. */
const send = (method: string, path: string, body = "") => {
  const { hostname, port } = new URL(full.url)
  const { promise, reject, resolve } = Promise.withResolvers<IncomingMessage>()
  const sent = request({ hostname, port, method, path, headers: { "user-agent": FIREFOX } }, resolve)
  sent.on("error", reject).end(body)
  return promise.then((response) => {
    response.resume()
    return { status: response.statusCode, headers: response.headers }
  })
}

const item = { type: "event", payload: { website: SITE, url: "/" } }

test.each([
  ["/api/send/", item],
  ["//api/send", item],
  ["/api//send//", item],
  ["/x/collect/", item],
  [`${PREFIX}/api/send/`, item],
  ["/api/batch/", [item]],
  ["//api//batch", [item]]
])("an event sent to %s is stored, like at the path without extra slashes", async (path, body) => {
  const { headers, status } = await send("POST", path, JSON.stringify(body))
  expect([status, headers["access-control-allow-origin"]]).toEqual([200, "*"])
})

test("a preflight and a wrong method are answered at a path with extra slashes", async () => {
  expect((await send("OPTIONS", "//api/send/")).status).toBe(204)
  expect((await send("GET", "//api/send/")).status).toBe(405)
})

test.each([
  "/API/EE/product-analytics/sites",
  "/api/ee/Product-Analytics/sites",
  `${PREFIX}/SITES`,
  `/${PREFIX}/sites`,
  "/api//ee/product-analytics/sites",
  "/%61pi/ee/product-analytics/sites",
  "/DOCS",
  "/OpenAPI.json",
  "/METRICS",
  "//metrics",
  "/metrics/"
])("%s, a variant of a path that a proxy may block, is 404", async (path) => {
  expect((await send("GET", path)).status).toBe(404)
})

test("the literal paths are answered", async () => {
  const statuses = [`${PREFIX}/sites`, "/docs", "/openapi.json", "/metrics"].map(
    async (path) => (await fetch(full.url + path)).status
  )
  expect(await Promise.all(statuses)).toEqual([401, 200, 200, 200])
})
