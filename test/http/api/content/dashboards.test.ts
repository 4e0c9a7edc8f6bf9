import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { OTHER_SITE, SITE } from "../../../services/fixture.ts"
import type { Admin, Json } from "../support.ts"
import { question, startContentAdmin, UNKNOWN } from "./support.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

let admin: Admin
let byCountry: Json
let byDay: Json

const post = (path: string, body: unknown) => admin.call("POST", path, { body })
const put = (path: string, body: unknown) => admin.call("PUT", path, { body })
const get = (path: string) => admin.call("GET", path)

const saved = async (path: string, values: object): Promise<Json> => {
  const { body, status } = await post(path, values)
  expect([status, body.detail, body.errors]).toEqual([200, undefined, undefined])
  return body
}

beforeAll(async () => {
  admin = await startContentAdmin()
  byCountry = await saved("/api/card", { name: "By country", dataset_query: question({ breakout: ["country"] }) })
  byDay = await saved("/api/card", {
    name: "By day",
    dataset_query: question({
      breakout: [["field", "created_at", { "temporal-unit": "day" }]],
      settings: { fill: false }
    })
  })
})
afterAll(() => admin.close())

const PARAMETERS = [
  { id: "site", name: "Site", slug: "site", type: "site", required: true, default: SITE },
  { id: "date", name: "Date", slug: "date", type: "date/all-options", default: "2026-03-28~2026-03-31" },
  { id: "country", name: "Country", slug: "country", type: "string/=" },
  { id: "path", name: "Path", slug: "path", type: "string/contains", filteringParameters: ["country"] },
  { id: "unit", name: "Unit", slug: "unit", type: "temporal-unit" },
  { id: "segment", name: "Segment", slug: "segment", type: "segment" },
  { id: "plan", name: "Plan", slug: "plan", type: "string/=" }
]
const to = (parameter_id: string, dimension: unknown) => ({ parameter_id, target: ["dimension", dimension] })
const MAPPINGS = [
  to("site", ["field", "site_id"]),
  to("date", ["field", "created_at"]),
  to("country", ["field", "country", { "source-field": "session_id" }]),
  to("path", ["field", "url_path"]),
  { parameter_id: "segment", target: ["segment"] },
  to("plan", ["prop", "plan", { event: "signup" }])
]
const at = (row: number, more: object = {}) => ({ row, col: 0, size_x: 12, size_y: 4, ...more })

const board = () =>
  saved("/api/dashboard", {
    name: "Board",
    parameters: PARAMETERS,
    dashcards: [
      at(0, { card_id: byCountry.id, parameter_mappings: MAPPINGS }),
      at(4, { card_id: byDay.id, parameter_mappings: [...MAPPINGS, to("unit", ["field", "created_at"])] })
    ]
  })

test("a dashboard is answered with its cards, tabs in order, and the defaults of what was not given", async () => {
  const dashboard = await saved("/api/dashboard", {
    name: "Tabs",
    tabs: [
      { id: -1, name: "First" },
      { id: -2, name: "Second" }
    ],
    dashcards: [
      at(0, { id: -1, card_id: byCountry.id, dashboard_tab_id: -2 }),
      at(0, { dashboard_tab_id: -1, visualization_settings: { virtual_card: { display: "heading" }, text: "Hello" } })
    ]
  })
  expect(dashboard).toMatchObject({
    auto_apply_filters: true,
    width: "fixed",
    parameters: [],
    collection_id: 1,
    revision: 1
  })
  const [first, second] = dashboard.tabs
  expect([first.name, first.position, second.name, second.position]).toEqual(["First", 0, "Second", 1])
  const [card, text] = dashboard.dashcards
  expect([card.dashboard_tab_id, card.card.name, card.dashboard_id]).toEqual([second.id, "By country", dashboard.id])
  expect([text.dashboard_tab_id, text.card_id, text.card]).toEqual([first.id, null, null])
  const changed = await put(`/api/dashboard/${dashboard.id}`, { ...dashboard, name: "Same" })
  expect(changed.body).toEqual({ ...dashboard, name: "Same", revision: 2, updated_at: changed.body.updated_at })
})

describe("a dashboard that does not fit together is rejected with a pointer to what is wrong", () => {
  const text = { visualization_settings: { virtual_card: { display: "text" }, text: "x" } }
  test.each<[string, object, ReadonlyArray<string>]>([
    ["an unknown question", { dashcards: [at(0, { card_id: UNKNOWN })] }, ["#/dashcards/0/card_id"]],
    ["a card whose id is not a UUID", { dashcards: [at(0, { card_id: "1" })] }, ["#/dashcards/0/card_id"]],
    ["a card right of the grid", { dashcards: [at(0, { ...text, col: 20 })] }, ["#/dashcards/0/size_x"]],
    ["a card outside of it", { dashcards: [at(-1, { ...text, col: 24 })] }, ["#/dashcards/0/row", "#/dashcards/0/col"]],
    ["a card over another", { dashcards: [at(0, text), at(3, { ...text, col: 11 })] }, ["#/dashcards/1/row"]],
    ["neither a card nor a string", { dashcards: [at(0)] }, ["#/dashcards/0/visualization_settings"]],
    [
      "an unknown tab",
      { dashcards: [at(0, { ...text, dashboard_tab_id: UNKNOWN })] },
      ["#/dashcards/0/dashboard_tab_id"]
    ],
    [
      "a card without a tab",
      { tabs: [{ id: -1, name: "A" }], dashcards: [at(0, text)] },
      ["#/dashcards/0/dashboard_tab_id"]
    ],
    [
      "an unknown parameter",
      { dashcards: [at(0, { ...text, parameter_mappings: [to("x", "country")] })] },
      ["#/dashcards/0/parameter_mappings"]
    ],
    [
      "two cards with one id",
      { dashcards: [at(0, { ...text, id: UNKNOWN }), at(4, { ...text, id: UNKNOWN })] },
      ["#/dashcards/1/id"]
    ],
    [
      "too many cards",
      { dashcards: Array.from({ length: 101 }, (_, row) => ({ ...at(row * 4), ...text })) },
      ["#/dashcards"]
    ]
  ])("%s", async (_, parts, pointers) => {
    const { body, status } = await post("/api/dashboard", { name: "x", ...parts })
    expect([status, body.errors?.map(({ pointer }: Json) => pointer)]).toEqual([400, [...pointers]])
  })

  test("a parameter that a question can't have", async () => {
    const wrong = [to("site", ["field", "site_id"]), to("country", ["field", "lcp"])]
    const { body, status } = await post("/api/dashboard", {
      name: "x",
      parameters: PARAMETERS,
      dashcards: [at(0, { card_id: byCountry.id, parameter_mappings: wrong })]
    })
    expect([status, body.code, body.pointer]).toEqual([
      400,
      "type-mismatch",
      "/dashcards/0/parameter_mappings/1/target"
    ])
    expect(body.detail).toContain('The parameter "Country" can\'t apply there:')
  })
})

test("of two people who change a dashboard at the same time, one is refused, whether or not both send the revision", async () => {
  const { id, revision } = await board()
  const outcomes = await Promise.all(
    ["A", "B", "C", "D"].map((name) => put(`/api/dashboard/${id}`, { name, dashcards: [], revision }))
  )
  expect(outcomes.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409])
  expect((await get(`/api/dashboard/${id}`)).body.revision).toBe(2)
})

const ask = async (dashboard: Json, index: number, parameters: object = {}): Promise<Json> => {
  const { id, card_id: card } = dashboard.dashcards[index]
  const { body, status } = await post(`/api/dashboard/${dashboard.id}/dashcard/${id}/card/${card}/query`, {
    parameters: Object.entries(parameters).map(([name, value]) => ({ id: name, value }))
  })
  return status === 200 ? body.data.rows : [status, body.code ?? body.detail]
}

test("a question on a dashboard is asked with the dashboard's parameters, through foreign keys and for properties, too", async () => {
  const dashboard = await board()
  const { id: segment } = await saved("/api/segment", { name: "Signups", filter: ["=", "event_name", "signup"] })
  expect(await ask(dashboard, 0)).toEqual([
    ["DE", 7],
    ["FR", 4],
    ["US", 8],
    [null, 3]
  ])
  expect(await ask(dashboard, 0, { country: ["DE", "FR"] })).toEqual([
    ["DE", 7],
    ["FR", 4]
  ])
  expect(await ask(dashboard, 0, { site: OTHER_SITE })).toEqual([[null, 1]])
  expect(await ask(dashboard, 0, { site: null, country: "FR" })).toEqual([["FR", 4]])
  expect(await ask(dashboard, 0, { date: "2026-04-01" })).toEqual([["FR", 1]])
  expect(await ask(dashboard, 0, { path: "pric", segment })).toEqual([
    ["DE", 1],
    ["US", 1]
  ])
  expect(await ask(dashboard, 0, { plan: "pro" })).toEqual([
    ["DE", 1],
    ["US", 1]
  ])
  expect(await ask(dashboard, 0, { segment: UNKNOWN })).toEqual([404, "not-found"])
  expect(await ask(dashboard, 0, { nothing: 1 })).toEqual([400, "bad-ast"])
  expect((await ask(dashboard, 1)).length).toBe(4)
  expect(await ask(dashboard, 1, { unit: "month" })).toEqual([["2026-03-01T00:00:00", 22]])
})

test("a question is asked only where the dashboard has it", async () => {
  const dashboard = await board()
  const [first] = dashboard.dashcards
  const path = (dashcard: string, card: string) =>
    `/api/dashboard/${dashboard.id}/dashcard/${dashcard}/card/${card}/query`
  for (const [dashcard, card] of [
    [first.id, byDay.id],
    [UNKNOWN, byCountry.id],
    ["x", "y"]
  ]) {
    expect((await post(path(dashcard, card), {})).status).toBe(404)
  }
  const exported = await post(`${path(first.id, byCountry.id)}/csv`, { parameters: [{ id: "country", value: "DE" }] })
  expect([exported.status, exported.body]).toEqual([200, "Country,Count\r\nDE,7\r\n"])
})

test("the values of a parameter are those of its field, limited by the parameters that it is linked to", async () => {
  const dashboard = await board()
  const values = async (path: string) => {
    const { body, status } = await get(`/api/dashboard/${dashboard.id}/params/${path}`)
    return status === 200 ? [body.has_more_values, ...body.values.flat()] : status
  }
  expect(await values("country/values")).toEqual([false, "US", "DE", "FR"])
  expect(await values("path/values")).toEqual([false, "/", "/pricing", "/blog", "/checkout", "/thanks"])
  expect(await values("path/values?country=FR")).toEqual([false, "/blog", "/pricing"])
  // The plan does not limit it, since it is not linked.
  expect(await values("path/values?country=FR&plan=pro")).toEqual([false, "/blog", "/pricing"])
  expect(await values("path/search/check")).toEqual([false, "/checkout"])
  expect(await values("path/search/100%25")).toEqual([false])
  expect(await values("plan/values")).toEqual([false, "pro", "free"])
  expect(await values("site/values")).toEqual([false, OTHER_SITE, "Other", SITE, "Shop"])
  expect(await values("site/search/SHO")).toEqual([false, SITE, "Shop"])
  // A date has none: the times of single events are more than cards show.
  expect(await values("date/values")).toEqual([false])
  expect(await values("unit/values")).toEqual([false, "minute", "hour", "day", "week", "month", "quarter", "year"])
  expect(await values("unit/search/mon")).toEqual([false, "month"])
  expect(await values("nothing/values")).toBe(404)
})

test("the values of a parameter are those of all cards, in the rows of each card's own filter", async () => {
  const filtered = (name: string, filter: unknown) =>
    saved("/api/card", { name, dataset_query: question({ breakout: ["country"], filter }) })
  const blog = await filtered("Blog", ["starts-with", "url_path", "/b"])
  const bought = await filtered("Bought", ["=", "event_name", "purchase"])
  const mappings = [to("date", ["field", "created_at"]), to("path", ["field", "url_path"])]
  const values = async (dashcards: ReadonlyArray<object>, query: string) => {
    const dashboard = await saved("/api/dashboard", { name: "Filtered", parameters: PARAMETERS, dashcards })
    return (await get(`/api/dashboard/${dashboard.id}/params/path/${query}`)).body.values.flat()
  }
  const first = at(0, { card_id: blog.id, parameter_mappings: mappings })
  const second = at(4, { card_id: bought.id, parameter_mappings: mappings })
  expect(await values([first], "values")).toEqual(["/blog"])
  expect(await values([first], "search/check")).toEqual([])
  expect(await values([first, second], "values")).toEqual(["/blog", "/checkout"])
  const open = at(8, { card_id: byCountry.id, parameter_mappings: mappings })
  expect(await values([first, second, open], "values")).toEqual(["/", "/pricing", "/blog", "/checkout", "/thanks"])
})

test("a copy shares the questions, and a deep copy has its own", async () => {
  const dashboard = await board()
  const { body: copy } = await post(`/api/dashboard/${dashboard.id}/copy`, {})
  expect([copy.name, copy.dashcards.map(({ card_id: id }: Json) => id)]).toEqual([
    "Board - Duplicate",
    [byCountry.id, byDay.id]
  ])
  const { body: deep } = await post(`/api/dashboard/${dashboard.id}/copy`, { name: "Deep", is_deep_copy: true })
  expect(deep.dashcards.map(({ card }: Json) => card.name)).toEqual(["By country", "By day"])
  expect(deep.dashcards[0].card_id).not.toBe(byCountry.id)
  expect(await ask(deep, 0, { country: "DE" })).toEqual([["DE", 7]])
})
