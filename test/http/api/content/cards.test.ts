import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { SITE } from "../../../services/fixture.ts"
import type { Admin, Json } from "../support.ts"
import { question, startContentAdmin, UNKNOWN } from "./support.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

let admin: Admin
beforeAll(async () => {
  admin = await startContentAdmin()
})
afterAll(() => admin.close())

const post = (path: string, body: unknown) => admin.call("POST", path, { body })
const put = (path: string, body: unknown) => admin.call("PUT", path, { body })
const get = (path: string) => admin.call("GET", path)

const save = async (values: object): Promise<Json> => {
  const { body, status } = await post("/api/card", { name: "Card", dataset_query: question(), ...values })
  expect([status, body.detail]).toEqual([200, undefined])
  return body
}

const COUNTRY = {
  id: "country",
  name: "Country",
  slug: "country",
  type: "string/=",
  target: ["dimension", ["field", "country"]]
}

test("a saved question is answered with its question as it was sent, its place, revision and creator", async () => {
  const sent = question({ filter: ["=", "country", "DE"], limit: 10 })
  const card = await save({ name: "  Views  ", dataset_query: sent, description: "All views", display: "line" })
  expect(card).toEqual({
    id: card.id,
    entity_id: card.id,
    name: "Views",
    description: "All views",
    collection_id: 1,
    archived: false,
    shipped: false,
    revision: 1,
    creator_id: expect.any(String),
    creator: { common_name: expect.any(String) },
    created_at: expect.stringMatching(/Z$/),
    updated_at: card.created_at,
    can_write: true,
    type: "question",
    query_type: "query",
    database_id: 13371338,
    dataset_query: sent,
    display: "line",
    visualization_settings: {},
    parameters: []
  })
  expect((await get(`/api/card/${card.id.toUpperCase()}`)).body).toEqual(card)
})

test("a response can be edited and sent back, and a stale one is a conflict that loses nothing", async () => {
  const card = await save({})
  const first = await put(`/api/card/${card.id}`, { ...card, name: "Mine" })
  expect([first.status, first.body.name, first.body.revision]).toEqual([200, "Mine", 2])
  const second = await put(`/api/card/${card.id}`, { ...card, name: "Theirs" })
  expect([second.status, second.body.detail]).toEqual([
    409,
    '"Mine" was changed in the meantime: its revision is 2, not 1. Read it again.'
  ])
  expect((await get(`/api/card/${card.id}`)).body.name).toBe("Mine")
})

describe("a question that can't be asked is not saved, and a pointer leads to what is wrong", () => {
  test.each<[string, object, number, string, string]>([
    ["an unknown field", { filter: ["=", "url_pth", "/"] }, 400, "unknown-field", "/dataset_query/filter/1"],
    ["a wrong type", { filter: ["<", "url_path", 3] }, 400, "type-mismatch", "/dataset_query/filter/1"],
    ["an unknown key", { filters: [] }, 400, "bad-ast", "/dataset_query/filters"],
    ["an unknown question", { source: { card: UNKNOWN } }, 400, "not-found", "/dataset_query/source/card"],
    ["an unknown segment", { filter: ["segment", UNKNOWN] }, 400, "not-found", "/dataset_query/filter/1"],
    ["SQL", { native: { query: "SELECT 1" } }, 403, "forbidden", "/dataset_query"],
    ["another table", { source: "product_analytics_user" }, 403, "forbidden", "/dataset_query/source"]
  ])("%s", async (_, parts, status, code, pointer) => {
    for (const response of [
      await post("/api/card", { name: "x", dataset_query: question(parts) }),
      await put(`/api/card/${(await save({})).id}`, { dataset_query: question(parts) })
    ]) {
      expect([response.status, response.body.code, response.body.pointer]).toEqual([status, code, pointer])
    }
  })

  test("a parameter that applies to nothing in the question", async () => {
    const wrong = { ...COUNTRY, id: "x", slug: "x", target: ["dimension", ["field", "contry"]] }
    const { body, status } = await post("/api/card", {
      name: "x",
      dataset_query: question(),
      parameters: [COUNTRY, wrong]
    })
    expect([status, body.code, body.pointer]).toEqual([400, "unknown-field", "/parameters/1/target"])
    expect(body.detail).toContain("Did you mean `country`?")
  })
})

test("the error for a display that does not exist lists those that do", async () => {
  const { body } = await post("/api/card", { name: "x", dataset_query: question(), display: "lines" })
  expect(body.detail).toBe(
    "Invalid body: `display` must be one of `table`, `line`, `area`, `bar`, `row`, `combo`, `pie`, `scatter`, `heatmap`, `map`, `sankey`, `funnel`, `waterfall`, `scalar`, `smartscalar`, `gauge`, `progress`, `pivot`, `object`."
  )
})

describe("a body that does not match the schema", () => {
  test.each<[string, object, ReadonlyArray<string>]>([
    ["a missing question", { dataset_query: undefined }, ["#/dataset_query"]],
    ["a blank name", { name: "   " }, ["#/name"]],
    ["a name that is too long", { name: "x".repeat(255) }, ["#/name"]],
    ["a name with a line break", { name: "a\nb" }, ["#/name"]],
    ["a misspelled key", { displays: "line" }, ["#/displays"]],
    ["a display that does not exist", { display: "lines" }, ["#/display"]],
    [
      "settings that are too large",
      { visualization_settings: { a: "x".repeat(33_000) } },
      ["#/visualization_settings"]
    ],
    ["two parameters with one slug", { parameters: [COUNTRY, { ...COUNTRY, id: "b" }] }, ["#/parameters"]],
    ["an unknown kind of parameter", { parameters: [{ ...COUNTRY, type: "string" }] }, ["#/parameters/0/type"]]
  ])("%s is rejected with 400 and a pointer", async (_, parts, pointers) => {
    const { body, status } = await post("/api/card", { name: "x", dataset_query: question(), ...parts })
    expect([status, body.errors?.map(({ pointer }: Json) => pointer)]).toEqual([400, [...pointers]])
  })
})

test("a collection that does not exist is rejected with a pointer", async () => {
  const { body, status } = await post("/api/card", { name: "x", dataset_query: question(), collection_id: 999 })
  expect([status, body.errors[0].pointer]).toEqual([422, "#/collection_id"])
})

describe("a saved question that does not exist", () => {
  test.each(["9999", UNKNOWN, "%00", "..%2f"])("%s is answered with 404", async (id) => {
    const calls = [
      get(`/api/card/${id}`),
      put(`/api/card/${id}`, { name: "x" }),
      admin.call("DELETE", `/api/card/${id}`),
      post(`/api/card/${id}/copy`, {}),
      post(`/api/card/${id}/query`, {})
    ]
    for (const { status } of await Promise.all(calls)) expect(status).toBe(404)
  })
})

test("asking a saved question applies its parameters, defaults included", async () => {
  const { id } = await save({
    dataset_query: question({ filter: ["=", "site_id", SITE] }),
    parameters: [
      COUNTRY,
      {
        id: "date",
        name: "Date",
        slug: "when",
        type: "date/range",
        default: "2026-03-28",
        target: ["dimension", ["field", "created_at"]]
      }
    ]
  })
  const rows = async (parameters: unknown) => {
    const { body, status } = await post(`/api/card/${id}/query`, { parameters })
    return status === 200 ? body.data.rows : [status, body.code, body.pointer, body.detail]
  }
  expect(await rows([])).toEqual([[4]])
  expect(await rows([{ id: "date", value: null }])).toEqual([[23]])
  expect(await rows([{ id: "when", value: "2026-03-28~2026-03-31" }])).toEqual([[22]])
  expect(
    await rows([
      { id: "country", value: ["DE", "FR"] },
      { id: "date", value: null }
    ])
  ).toEqual([[12]])
  expect(await rows([{ id: "date", value: "soon" }])).toEqual([
    400,
    "type-mismatch",
    "/parameters/0/value",
    expect.stringContaining('The parameter "Date" can\'t be "soon". Give `today`')
  ])
  expect(await rows([{ id: "city", value: "x" }])).toEqual([
    400,
    "bad-ast",
    "/parameters/0/id",
    'There is no parameter "city"; there are: `country`, `date`.'
  ])
})

test("a required site without a value is the first by name", async () => {
  const site = {
    id: "site",
    name: "Site",
    slug: "site",
    type: "site",
    required: true,
    target: ["dimension", ["field", "site_id"]]
  }
  const { id } = await save({ parameters: [site] })
  expect((await post(`/api/card/${id}/query`, {})).body.data.rows).toEqual([[1]])
  expect((await post(`/api/card/${id}/query`, { parameters: [{ id: "site", value: SITE }] })).body.data.rows).toEqual([
    [23]
  ])
})

test("a question may be built on another one, but not on itself, and the other one can't go to the trash", async () => {
  const base = await save({
    name: "Base",
    dataset_query: question({ filter: ["=", "site_id", SITE], breakout: ["country"] })
  })
  const onIt = await save({
    name: "On it",
    dataset_query: { fql: 1, type: "query", source: { card: base.id }, aggregation: [["sum", ["field", "count"]]] }
  })
  expect((await post(`/api/card/${onIt.id}/query`, {})).body.data.rows).toEqual([[23]])
  const circle = await put(`/api/card/${base.id}`, {
    dataset_query: { fql: 1, type: "query", source: { card: onIt.id }, fields: ["sum"] }
  })
  expect([circle.status, circle.body.detail]).toEqual([
    422,
    "It would be built on itself, directly or through what it refers to."
  ])
  const used = await put(`/api/card/${base.id}`, { archived: true })
  expect([used.status, used.body.detail]).toEqual([
    409,
    'Others use this question. Remove it there first: the question "On it".'
  ])
})

test("a saved question goes to the trash, comes back, and is deleted for good only from there", async () => {
  const { id } = await save({ name: "Short-lived" })
  expect((await admin.call("DELETE", `/api/card/${id}`)).status).toBe(422)
  expect((await put(`/api/card/${id}`, { archived: true })).body.archived).toBe(true)
  const inTrash = await get("/api/card?archived=true")
  expect(inTrash.body.data.map(({ id: one }: Json) => one)).toEqual([id])
  expect((await put(`/api/card/${id}`, { archived: false })).body.archived).toBe(false)
  await put(`/api/card/${id}`, { archived: true })
  expect((await admin.call("DELETE", `/api/card/${id}`)).body).toEqual({ id, deleted: true })
  expect((await get(`/api/card/${id}`)).status).toBe(404)
})

test("a copy has its own name, place and history", async () => {
  const original = await save({ name: "Original", description: "It", parameters: [COUNTRY] })
  const { body: copy } = await post(`/api/card/${original.id}/copy`, {})
  expect(copy).toMatchObject({ name: "Original - Duplicate", description: "It", revision: 1, parameters: [COUNTRY] })
  expect(copy.id).not.toBe(original.id)
  expect((await post(`/api/card/${original.id}/copy`, { name: "Other", description: null })).body).toMatchObject({
    name: "Other",
    description: null
  })
})

test("a saved question is exported under its name, with its parameters", async () => {
  const { id } = await save({
    name: "Visits: März/2026",
    dataset_query: question({ breakout: ["country"] }),
    parameters: [COUNTRY]
  })
  const { body, headers, status } = await post(`/api/card/${id}/query/csv`, {
    parameters: [{ id: "country", value: "FR" }]
  })
  expect([status, body]).toEqual([200, "Country,Count\r\nFR,5\r\n"])
  expect(headers.get("content-disposition")).toContain("filename*=UTF-8''Visits%20%20M%C3%A4rz%202026%20")
  expect((await post(`/api/card/${id}/query/pdf`, {})).status).toBe(400)
})

test("the history says who changed what, and goes back", async () => {
  const { id } = await save({ name: "First" })
  await put(`/api/card/${id}`, { name: "Second", dataset_query: question({ limit: 5 }) })
  const history = `/api/revision?entity=card&id=${id}`
  expect(
    (await get(history)).body.map((one: Json) => [one.id, one.is_current, one.is_creation, one.description])
  ).toEqual([
    [2, true, false, 'Renamed it from "First". Changed the question.'],
    [1, false, true, "Created it."]
  ])
  const reverted = await post("/api/revision/revert", { entity: "card", id, revision_id: 1 })
  expect([reverted.status, reverted.body.name, reverted.body.revision]).toEqual([200, "First", 3])
  expect((await get(`/api/card/${id}`)).body.dataset_query).toEqual(question())
  expect((await get(history)).body[0].description).toBe("Went back to revision 1.")
  for (const revision of [77, 0, -1, 2_147_483_648]) {
    const missing = await post("/api/revision/revert", { entity: "card", id, revision_id: revision })
    expect([missing.status, missing.body.detail]).toEqual([
      404,
      `The question has no revision ${revision}; the newest 50 are kept.`
    ])
  }
  expect((await get(`/api/revision?entity=dashboard&id=${id}`)).status).toBe(404)
})

test("search finds items of every kind by part of their names, within the kinds that are asked for", async () => {
  const name = "Zebra crossing"
  await save({ name })
  await post("/api/segment", { name: `${name} segment`, filter: ["=", "event_type", 1] })
  await post("/api/dashboard", { name: `${name} board` })
  const find = async (query: string) =>
    (await get(`/api/search?${query}`)).body.data?.map((one: Json) => [one.model, one.name]) ?? "refused"
  expect(await find("q=zebra")).toEqual([
    ["card", name],
    ["dashboard", `${name} board`],
    ["segment", `${name} segment`]
  ])
  expect(await find("q=zebra&models=segment&models=cohort")).toEqual([["segment", `${name} segment`]])
  expect(await find("q=zebra&models=card&limit=1")).toEqual([["card", name]])
  expect(await find("q=%25zebra")).toEqual([])
  expect(await find("q=%00")).toEqual([])
  expect(await find("models=table")).toBe("refused")
})
