import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import fc from "fast-check"
import type { Admin, Json } from "../support.ts"
import { question, startContentAdmin } from "./support.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

let admin: Admin
let card: Json
let dashboard: Json

const PARAMETER = {
  id: "country",
  name: "Country",
  slug: "country",
  type: "string/=",
  target: ["dimension", ["field", "country"]]
}

beforeAll(async () => {
  admin = await startContentAdmin()
  const post = async (path: string, body: unknown) => (await admin.call("POST", path, { body })).body
  card = await post("/api/card", { name: "x", dataset_query: question(), parameters: [PARAMETER] })
  dashboard = await post("/api/dashboard", {
    name: "x",
    dashcards: [{ card_id: card.id, row: 0, col: 0, size_x: 4, size_y: 4 }]
  })
})
afterAll(() => admin.close())

/** Strings that break parsers, patterns and statements. */
const STRINGS = [
  "\0",
  "\ud800",
  "%",
  "_",
  "\\",
  "'; DROP TABLE x; --",
  '"',
  "$1",
  "",
  " ",
  "😀".repeat(300),
  "__proto__",
  "constructor"
]
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom<unknown>(...STRINGS, null, true, 0, -1, 1e308, 1e-7, 2 ** 53),
    fc.string(),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof(fc.constantFrom(...STRINGS), fc.constantFrom("card", "id", "source", "filter", "value")),
      tie("value"),
      {
        maxKeys: 4
      }
    )
  )
})).value

/** Puts a hostile value at one of these keys of a body that is valid otherwise. */
const broken = (valid: object) =>
  fc.tuple(fc.constantFrom(...Object.keys(valid)), json).map(([key, value]) => ({ ...valid, [key]: value }))

const noneFails = async (method: string, path: () => string, body: fc.Arbitrary<unknown>, numRuns: number) => {
  await fc.assert(
    fc.asyncProperty(body, async (sent) => {
      const { body: answer, status } = await admin.call(method, path(), { body: sent })
      // 2xx, or a problem that the caller caused.
      expect([status < 500, answer.detail]).toEqual([true, answer.detail])
    }),
    { numRuns }
  )
}

test("no value in a body makes saving fail with a server's error", async () => {
  const cardBody = {
    name: "x",
    description: "x",
    dataset_query: question(),
    display: "table",
    visualization_settings: {},
    parameters: [PARAMETER],
    collection_id: 1
  }
  await noneFails("POST", () => "/api/card", broken(cardBody), 120)
  await noneFails("PUT", () => `/api/card/${card.id}`, broken({ ...cardBody, revision: 1, archived: false }), 60)
  const dashcard = {
    row: 0,
    col: 0,
    size_x: 4,
    size_y: 4,
    card_id: card.id,
    visualization_settings: {},
    parameter_mappings: [{ parameter_id: "country", target: PARAMETER.target }]
  }
  await noneFails(
    "PUT",
    () => `/api/dashboard/${dashboard.id}`,
    broken(dashcard).map((one) => ({ parameters: [{ ...PARAMETER, target: undefined }], dashcards: [one] })),
    80
  )
  await noneFails("POST", () => "/api/segment", broken({ name: "x", filter: ["=", "country", "DE"] }), 80)
  await noneFails("POST", () => "/api/collection", broken({ name: "x", description: "x", parent_id: 1 }), 40)
  await noneFails(
    "POST",
    () => "/api/timeline-event",
    broken({ name: "x", timestamp: "2026-03-28T00:00:00Z", site_id: null, icon: "star" }),
    40
  )
})

test("no value of a parameter makes asking fail with a server's error, or returns rows that it does not filter", async () => {
  await fc.assert(
    fc.asyncProperty(json, async (value) => {
      const { body, status } = await admin.call("POST", `/api/card/${card.id}/query`, {
        body: { parameters: [{ id: "country", value }] }
      })
      expect(status).toBeLessThan(500)
      const isNothing = value === null || (Array.isArray(value) && value.length === 0)
      const hasNull = Array.isArray(value) && value.includes(null)
      if (status === 200 && !isNothing && !hasNull && value !== "US") expect(body.data.rows).toEqual([[0]])
    }),
    { numRuns: 120 }
  )
})

test("no part of an address makes a route fail with a server's error", async () => {
  for (const text of ["%00", "%ff", "..%2f..%2f", "%27%20OR%201%3D1", "%F0%9F%98%80", "x".repeat(5_000)]) {
    for (const path of [
      `/api/card/${text}`,
      `/api/dashboard/${text}/dashcard/${text}/card/${text}/query`,
      `/api/dashboard/${dashboard.id}/params/${text}/search/${text}`,
      `/api/dashboard/${dashboard.id}/params/country/values?country=${text}`,
      `/api/collection/${text}/items`,
      `/api/search?q=${text}`,
      `/api/revision?entity=card&id=${text}`,
      `/api/timeline-event?site=${text}&from=${text}`,
      `/api/public/card/${text}/query?parameters=${text}`,
      `/api/embed/dashboard/${text}`
    ]) {
      const { status } = await admin.call(path.endsWith("/query") ? "POST" : "GET", path, {
        ...(path.endsWith("/query") && { body: {} })
      })
      expect([path.slice(0, 80), status < 500]).toEqual([path.slice(0, 80), true])
    }
  }
})
