import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { OTHER_SITE, SITE } from "../../../services/fixture.ts"
import { type Admin, type Json, startAdmin } from "../support.ts"
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

const collection = async (name: string, parent_id?: number): Promise<Json> =>
  (await post("/api/collection", { name, ...(parent_id !== undefined && { parent_id }) })).body

test("collections are listed, and shown as a tree below Product Analytics", async () => {
  const team = await collection("Team")
  const weekly = await collection("Weekly", team.id)
  expect(weekly).toMatchObject({
    parent_id: team.id,
    location: `/1/${team.id}/`,
    archived: false,
    can_write: true,
    revision: 1
  })
  const { body: all } = await get("/api/collection")
  expect(all[0]).toMatchObject({
    id: 1,
    entity_id: "pA7xR2k-QeeHWB8_58vno",
    name: "Product Analytics",
    parent_id: null
  })
  expect((await get("/api/collection/tree")).body).toEqual([
    {
      id: 1,
      name: "Product Analytics",
      can_write: true,
      children: [
        {
          id: team.id,
          name: "Team",
          can_write: true,
          children: [{ id: weekly.id, name: "Weekly", can_write: true, children: [] }]
        }
      ]
    }
  ])
})

test("the items of a collection are those directly in it, and move with a change of their collection", async () => {
  const [a, b] = [await collection("A"), await collection("B")]
  const card = (await post("/api/card", { name: "Card", dataset_query: question(), collection_id: a.id })).body
  await post("/api/segment", { name: "Segment", filter: ["=", "event_type", 1], collection_id: a.id })
  const names = async ({ id }: Json, query = "") =>
    (await get(`/api/collection/${id}/items${query}`)).body.data.map(({ model, name }: Json) => [model, name])
  expect(await names(a)).toEqual([
    ["card", "Card"],
    ["segment", "Segment"]
  ])
  expect(await names(a, "?models=segment")).toEqual([["segment", "Segment"]])
  expect((await put(`/api/card/${card.id}`, { collection_id: b.id })).body.collection_id).toBe(b.id)
  expect([await names(a), await names(b)]).toEqual([[["segment", "Segment"]], [["card", "Card"]]])
  const inA = await collection("A below", a.id)
  expect(await names(a)).toEqual([
    ["collection", "A below"],
    ["segment", "Segment"]
  ])
  const page = (await get(`/api/collection/${a.id}/items?limit=1&offset=1`)).body
  expect([page.total, page.data.map(({ name }: Json) => name)]).toEqual([2, ["Segment"]])
  expect((await get("/api/search?q=a+BELOW&limit=1")).body).toMatchObject({ total: 1, data: [{ id: inA.id }] })
  await put(`/api/collection/${b.id}`, { archived: true })
  expect(await names(b, "?archived=true")).toEqual([["card", "Card"]])
})

test("a collection is renamed, moved and restored, and a stale change is a conflict", async () => {
  const [a, b] = [await collection("C"), await collection("D")]
  const renamed = await put(`/api/collection/${a.id}`, { ...a, name: "C2", parent_id: b.id })
  expect(renamed.body).toMatchObject({ name: "C2", parent_id: b.id, revision: 2 })
  expect((await put(`/api/collection/${a.id}`, { name: "C3", revision: 1 })).status).toBe(409)
  expect((await put(`/api/collection/${b.id}`, { parent_id: a.id })).status).toBe(422)
  expect((await put(`/api/collection/${b.id}`, { archived: true })).body.archived).toBe(true)
  expect((await get("/api/collection?archived=true")).body.map(({ name }: Json) => name)).toContain("C2")
  expect((await put(`/api/collection/${b.id}`, { archived: false })).body.archived).toBe(false)
})

test("Product Analytics can't be changed, even by an administrator", async () => {
  for (const change of [{ name: "Mine" }, { archived: true }]) {
    const { body, status } = await put("/api/collection/1", change)
    expect([status, body.detail]).toEqual([403, "You don't have permissions to do that."])
  }
})

describe("a collection that does not exist", () => {
  test.each(["0", "-1", "1e3", "2147483647", "2147483648", "99999999999999", "x", UNKNOWN, "%00"])(
    "%s is answered with 404",
    async (id) => {
      expect((await get(`/api/collection/${id}`)).status).toBe(404)
      expect((await get(`/api/collection/${id}/items`)).status).toBe(404)
      expect((await put(`/api/collection/${id}`, { name: "x" })).status).toBe(404)
    }
  )
})

test.each([0, -1, 2_147_483_648])(
  "the id %d, which no collection can have, is named where something is saved in it",
  async (id) => {
    const detail = `There is no collection with the id ${id}; ids are whole numbers from 1.`
    for (const [path, body, pointer] of [
      ["/api/card", { name: "x", dataset_query: question(), collection_id: id }, "#/collection_id"],
      ["/api/dashboard", { name: "x", collection_id: id }, "#/collection_id"],
      ["/api/collection", { name: "x", parent_id: id }, "#/parent_id"]
    ] as const) {
      const answer = await post(path, body)
      expect([path, answer.status, answer.body.errors]).toEqual([path, 400, [{ pointer, detail }]])
    }
  }
)

describe.each(["segment", "cohort"])("a %s", (kind) => {
  const FILTER = ["=", "event_name", "purchase"]

  test("is saved with its condition, changed, copied and used in questions", async () => {
    const saved = (await post(`/api/${kind}`, { name: "Buyers", filter: FILTER })).body
    expect(saved).toMatchObject({ name: "Buyers", filter: FILTER, revision: 1, collection_id: 1 })
    const count = async () =>
      (
        await post(
          "/api/dataset",
          question({ filter: ["and", ["=", "site_id", SITE], [kind, saved.id.toUpperCase()]] })
        )
      ).body.data.rows[0][0]
    // Three purchases; the three buyers, A, B and E, have 7, 4 and 5 rows.
    expect(await count()).toBe(kind === "segment" ? 3 : 16)
    const changed = await put(`/api/${kind}/${saved.id}`, { ...saved, filter: ["=", "event_name", "nothing"] })
    expect([changed.status, changed.body.revision, await count()]).toEqual([200, 2, 0])
    expect((await post(`/api/${kind}/${saved.id}/copy`, { name: "Copy" })).body).toMatchObject({
      name: "Copy",
      filter: ["=", "event_name", "nothing"]
    })
    expect((await get(`/api/${kind}?limit=2`)).body.data.map(({ name }: Json) => name)).toEqual(["Buyers", "Copy"])
  })

  test("with a condition that can't be asked is refused with a pointer to it", async () => {
    const cases = [
      [["=", "url_pth", "/"], 400, "unknown-field", "/filter/1"],
      [["and", ["=", "country", 5]], 400, "type-mismatch", "/filter/1/2"],
      [["segment", UNKNOWN], 400, "not-found", "/filter/1"],
      [["eq", "country", "DE"], 400, "bad-ast", "/filter/0"]
    ] as const
    for (const [filter, status, code, pointer] of cases) {
      const response = await post(`/api/${kind}`, { name: "x", filter })
      expect([response.status, response.body.code, response.body.pointer]).toEqual([status, code, pointer])
    }
  })

  test("that a dashboard has as a default can't go to the trash", async () => {
    const saved = (await post(`/api/${kind}`, { name: "Default", filter: FILTER })).body
    const parameter = { id: "it", name: "It", slug: "it", type: kind, default: saved.id }
    const board = await post("/api/dashboard", { name: `Board of ${kind}`, parameters: [parameter] })
    expect(board.status).toBe(200)
    const { body, status } = await put(`/api/${kind}/${saved.id}`, { archived: true })
    expect([status, body.detail]).toEqual([
      409,
      `Others use this ${kind}. Remove it there first: the dashboard "Board of ${kind}".`
    ])
  })
})

describe("a note on the time axis", () => {
  test("is saved for a site or for all, listed by site and time, changed and deleted", async () => {
    const launch = (
      await post("/api/timeline-event", { name: "Launch", timestamp: "2026-03-28T12:00:00+02:00", site_id: SITE })
    ).body
    expect(launch).toMatchObject({
      name: "Launch",
      timestamp: "2026-03-28T10:00:00.000Z",
      site_id: SITE,
      time_matters: true,
      icon: "star",
      revision: 1,
      can_write: true
    })
    for (const timestamp of ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-05:00"]) {
      const refused = await post("/api/timeline-event", { name: "Never", timestamp })
      expect([refused.status, JSON.stringify(refused.body)]).toEqual([400, expect.stringContaining("year")])
    }
    await post("/api/timeline-event", { name: "Holiday", timestamp: "2026-03-29T00:00:00Z", time_matters: false })
    const names = async (query: string) =>
      (await get(`/api/timeline-event?${query}`)).body.map(({ name }: Json) => name)
    expect(await names("")).toEqual(["Launch", "Holiday"])
    expect(await names(`site=${OTHER_SITE}`)).toEqual(["Holiday"])
    expect(await names("from=2026-03-28T00:00:00Z&until=2026-03-29T00:00:00Z")).toEqual(["Launch"])
    const changed = await put(`/api/timeline-event/${launch.id}`, { ...launch, name: "Relaunch", icon: "bell" })
    expect([changed.status, changed.body.name, changed.body.revision]).toEqual([200, "Relaunch", 2])
    expect((await put(`/api/timeline-event/${launch.id}`, launch)).status).toBe(409)
    expect((await admin.call("DELETE", `/api/timeline-event/${launch.id}`)).body).toEqual({
      id: launch.id,
      deleted: true
    })
    expect((await get(`/api/timeline-event/${launch.id}`)).status).toBe(404)
  })

  test.each<[string, object, number, string]>([
    ["a time without a zone", { timestamp: "2026-03-28T12:00:00" }, 400, "#/timestamp"],
    ["a day that does not exist", { timestamp: "2026-13-40T12:00:00Z" }, 400, "#/timestamp"],
    ["an unknown icon", { icon: "dragon" }, 400, "#/icon"],
    ["a site whose id is not a UUID", { site_id: "shop" }, 422, "#/site_id"]
  ])("with %s is refused", async (_, parts, status, pointer) => {
    const response = await post("/api/timeline-event", { name: "x", timestamp: "2026-03-28T12:00:00Z", ...parts })
    expect([response.status, response.body.errors[0].pointer]).toEqual([status, pointer])
  })
})

test("while the app database is unreachable, every route answers 503 within seconds", async () => {
  const { close, call } = await startAdmin()
  for (const [method, path, body] of [
    ["GET", "/api/card", undefined],
    ["GET", `/api/dashboard/${UNKNOWN}`, undefined],
    ["POST", "/api/card", { name: "x", dataset_query: question() }],
    ["POST", "/api/collection", { name: "x" }],
    ["GET", "/api/collection", undefined],
    ["GET", "/api/search?q=x", undefined],
    ["GET", "/api/timeline-event", undefined],
    ["GET", `/api/revision?entity=card&id=${UNKNOWN}`, undefined]
  ] as const) {
    const response = await call(method, path, { body })
    expect([path, response.status, response.body.detail]).toEqual([path, 503, "The app database can't be reached."])
    expect(response.headers.get("retry-after")).not.toBeNull()
  }
  await close()
})
