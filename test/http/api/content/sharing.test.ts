import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Redacted } from "effect"
import { SignJWT } from "jose"
import { fieldIdOf } from "../../../../src/domain/fieldId.ts"
import { OTHER_SITE, SITE } from "../../../services/fixture.ts"
import { connect } from "../../../support/postgres/database.ts"
import type { Admin, Json } from "../support.ts"
import { question, startContentAdmin, UNKNOWN } from "./support.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

let admin: Awaited<ReturnType<typeof startContentAdmin>>
let card: Json
let dashboard: Json
let secret: string

const post = (path: string, body: unknown) => admin.call("POST", path, { body })
const put = (path: string, body: unknown) => admin.call("PUT", path, { body })
/** As a visitor, who has no key. */
const visit = (path: string, on: Admin = admin) => on.call("GET", path, { key: null })

const saved = async (path: string, values: object): Promise<Json> => {
  const { body, status } = await post(path, values)
  expect([status, body.detail]).toEqual([200, undefined])
  return body
}
const given = (values: Readonly<Record<string, unknown>>) =>
  `?parameters=${encodeURIComponent(JSON.stringify(Object.entries(values).map(([id, value]) => ({ id, value }))))}`

const PARAMETERS = [
  { id: "site", name: "Site", slug: "site", type: "site", required: true },
  { id: "date", name: "Date", slug: "date", type: "date/all-options", default: "2026-03-28~2026-03-31" },
  { id: "compare", name: "Compare", slug: "compare", type: "compare" },
  { id: "country", name: "Country", slug: "country", type: "string/=" },
  { id: "path", name: "Path", slug: "path", type: "string/=" },
  { id: "segment", name: "Segment", slug: "segment", type: "segment" }
]
const TARGETS: Readonly<Record<string, unknown>> = {
  site: ["dimension", ["field", "site_id"]],
  date: ["dimension", ["field", "created_at"]],
  compare: ["compare"],
  country: ["dimension", ["field", "country"]],
  path: ["dimension", ["field", "url_path"]],
  segment: ["segment"]
}

beforeAll(async () => {
  admin = await startContentAdmin({ ENABLE_PUBLIC_SHARING: "on", ENABLE_EMBEDDING: "on" })
  card = await saved("/api/card", {
    name: "By country",
    dataset_query: question({ breakout: ["country"] }),
    parameters: PARAMETERS.map((parameter) => ({ ...parameter, target: TARGETS[parameter.id] }))
  })
  dashboard = await saved("/api/dashboard", {
    name: "Board",
    parameters: PARAMETERS,
    dashcards: [
      {
        card_id: card.id,
        row: 0,
        col: 0,
        size_x: 12,
        size_y: 4,
        parameter_mappings: PARAMETERS.map(({ id }) => ({ parameter_id: id, target: TARGETS[id] }))
      }
    ]
  })
  secret = (await post("/api/embedding/secret", undefined)).body.secret
})
afterAll(() => admin.close())

const link = async (values: object = {}): Promise<string> =>
  (await saved("/api/public-link", { entity: "card", item_id: card.id, site_id: SITE, ...values })).uuid

const rowsOf = ({ body, status }: { readonly status: number; readonly body: Json }) =>
  status === 200 ? body.data.rows : [status, body.detail]

const ALL = [
  ["DE", 7],
  ["FR", 4],
  ["US", 8],
  [null, 3]
]

const at = (row: number, card_id: string, mapped: Readonly<Record<string, unknown>>) => ({
  card_id,
  row,
  col: 0,
  size_x: 12,
  size_y: 4,
  parameter_mappings: Object.entries(mapped).map(([parameter_id, target]) => ({ parameter_id, target }))
})
const boardOf = (dashcards: ReadonlyArray<object>) =>
  saved("/api/dashboard", { name: "Own", parameters: PARAMETERS, dashcards })
const mapped = (...ids: ReadonlyArray<string>) => Object.fromEntries(ids.map((id) => [id, TARGETS[id]]))

/** What 30 and 31 March, with events from DE, FR and US, are compared with. */
const COMPARED = [
  ["DE", 6],
  ["FR", 0],
  ["US", 3]
]

describe("a public link", () => {
  test("shows a question and its answer of one site to anyone, without a word of the question", async () => {
    const uuid = await link()
    expect(uuid).toMatch(/^[0-9a-f]{32}$/)
    const shown = await visit(`/api/public/card/${uuid}`)
    expect(shown.body).toEqual({
      name: "By country",
      description: null,
      display: "table",
      visualization_settings: {},
      parameters: PARAMETERS.filter(({ id }) => id !== "site" && id !== "segment"),
      exports: false
    })
    const answer = await visit(`/api/public/card/${uuid}/query`)
    expect(rowsOf(answer)).toEqual(ALL)
    expect(Object.keys(answer.body).sort()).toEqual([
      "as_of",
      "comparison",
      "data",
      "has_other",
      "limit_applied",
      "partial_buckets",
      "row_count",
      "truncated"
    ])
    const everything = JSON.stringify([shown.body, answer.body])
    for (const word of ["v_pa_events", "SELECT", "field_ref", "dataset_query", "native_form", "target", SITE]) {
      expect(everything).not.toContain(word)
    }
    for (const { headers } of [shown, answer]) {
      expect([headers.get("x-robots-tag"), headers.get("cache-control")]).toEqual(["noindex, nofollow", "no-store"])
    }
  })

  test("stops showing a field once an administrator hides it", async () => {
    const uuid = await link({ exports: true })
    const field = `/api/field/${fieldIdOf("v_pa_sessions.country")}`
    await put(field, { visibility_type: "hidden" })
    for (const path of ["query", "query/csv"]) {
      expect((await visit(`/api/public/card/${uuid}/${path}`)).status).toBe(422)
    }
    await put(field, { visibility_type: "normal" })
    expect(rowsOf(await visit(`/api/public/card/${uuid}/query`))).toEqual(ALL)
  })

  test("shows a dashboard with its cards, and answers only what is on it", async () => {
    const uuid = await link({ entity: "dashboard", item_id: dashboard.id })
    const { body } = await visit(`/api/public/dashboard/${uuid}`)
    expect(body.dashcards[0]).toEqual({
      id: dashboard.dashcards[0].id,
      dashboard_tab_id: null,
      row: 0,
      col: 0,
      size_x: 12,
      size_y: 4,
      card_id: card.id,
      card: { name: "By country", description: null, display: "table", visualization_settings: {} },
      parameter_ids: ["date", "compare", "country", "path"],
      visualization_settings: {},
      not_shown: null
    })
    const path = (dashcard: string, id: string) => `/api/public/dashboard/${uuid}/dashcard/${dashcard}/card/${id}`
    expect(rowsOf(await visit(path(dashboard.dashcards[0].id, card.id)))).toEqual(ALL)
    const other = await saved("/api/card", { name: "Secret", dataset_query: question() })
    expect((await visit(path(dashboard.dashcards[0].id, other.id))).status).toBe(404)
    expect((await visit(path(UNKNOWN, card.id))).status).toBe(404)
    expect((await visit(`/api/public/card/${uuid}`)).status).toBe(404)
  })

  test("lets visitors choose what is neither locked nor hidden, and nothing else", async () => {
    const uuid = await link({ locked: { country: ["DE", "FR"] }, hidden: ["path"] })
    const rows = async (values: object) => rowsOf(await visit(`/api/public/card/${uuid}/query${given({ ...values })}`))
    expect((await visit(`/api/public/card/${uuid}`)).body.parameters.map(({ id }: Json) => id)).toEqual([
      "date",
      "compare"
    ])
    expect(await rows({})).toEqual([
      ["DE", 7],
      ["FR", 4]
    ])
    expect(await rows({ date: "2026-03-28" })).toEqual([["DE", 3]])
    for (const values of [
      { country: null },
      { country: "US" },
      { path: "/" },
      { site: OTHER_SITE },
      { segment: UNKNOWN }
    ]) {
      const [name] = Object.keys(values)
      expect(await rows(values)).toEqual([400, `There is no parameter "${name}" to choose here.`])
    }
  })

  test("compares with a period that visitors choose, unless they can't choose the time", async () => {
    const compared = given({ date: "2026-03-30~2026-03-31", compare: "previous-period" })
    const uuid = await link({ exports: true })
    const { body } = await visit(`/api/public/card/${uuid}/query${compared}`)
    expect(body.comparison).toMatchObject({ from: "2026-03-28T00:00:00+00:00", rows: COMPARED, unmatched: [[null, 3]] })
    expect((await visit(`/api/public/card/${uuid}/query/csv${compared}`)).body).toStartWith(
      "Country,Count,Count (compared),Count (change),Count (change in %)\r\nDE,1,6,-5,-83.33\r\n"
    )
    const onDashboard = await link({ entity: "dashboard", item_id: dashboard.id })
    const path = `/api/public/dashboard/${onDashboard}/dashcard/${dashboard.dashcards[0].id}/card/${card.id}`
    expect((await visit(`${path}${compared}`)).body.comparison.rows).toEqual(COMPARED)
    for (const values of [{ locked: { date: ["2026-03-28"] } }, { hidden: ["date"] }]) {
      const closed = await link(values)
      const shown = (await visit(`/api/public/card/${closed}`)).body.parameters
      expect(shown.map(({ id }: Json) => id)).toEqual(["country", "path"])
      expect((await visit(`/api/public/card/${closed}/query${given({ compare: "2026-03-30" })}`)).status).toBe(400)
    }
    const chosen = await link({ locked: { date: ["2026-03-30~2026-03-31"], compare: "previous-period" } })
    expect((await visit(`/api/public/card/${chosen}/query`)).body.comparison.rows).toEqual(COMPARED)
  })

  test("never shows another site, even if the question has no parameter for the site", async () => {
    const open = await saved("/api/card", { name: "All sites", dataset_query: question() })
    const other = await saved("/api/card", {
      name: "Other",
      dataset_query: question({ filter: ["=", "site_id", OTHER_SITE] })
    })
    const uuid = await link({ item_id: open.id, site_id: OTHER_SITE })
    expect(rowsOf(await visit(`/api/public/card/${uuid}/query`))).toEqual([[1]])
    const denied = await visit(`/api/public/card/${await link({ item_id: other.id })}/query`)
    expect([denied.status, denied.body.detail, denied.body.pointer]).toEqual([
      422,
      "This question can't be answered.",
      undefined
    ])
    expect(JSON.stringify(denied.body)).not.toContain(OTHER_SITE)
  })

  test("with a value that a parameter can't have says what is wrong with the value", async () => {
    const { body, status } = await visit(`/api/public/card/${await link()}/query${given({ date: "soon" })}`)
    expect([status, body.pointer]).toEqual([400, "/parameters/0/value"])
    expect(body.detail).toContain('The parameter "Date" can\'t be "soon".')
    for (const text of ["x", "{}", "[1]", '[{"id":"date"}]', "%00"]) {
      expect((await visit(`/api/public/card/${await link()}/query?parameters=${text}`)).status).toBe(400)
    }
  })

  test("says nothing of the question when a value makes it impossible to answer", async () => {
    const country = "a\u0000"
    const { body, status } = await visit(`/api/public/card/${await link()}/query${given({ country })}`)
    expect([status, body.detail, body.pointer]).toEqual([422, "This question can't be answered.", undefined])
  })

  test("offers the values of a parameter of its site only", async () => {
    const uuid = await link({ entity: "dashboard", item_id: dashboard.id, hidden: ["path"] })
    const values = async (path: string) => {
      const { body, status } = await visit(`/api/public/dashboard/${uuid}/params/${path}`)
      return status === 200 ? body.values.flat() : status
    }
    expect(await values("country/values")).toEqual(["US", "DE", "FR"])
    expect(await values("country/values?search=u")).toEqual(["US"])
    for (const hidden of ["path", "site", "segment", "x"]) expect(await values(`${hidden}/values`)).toBe(404)
  })

  test("offers only values of rows that its cards show, with what is locked and each card's own filter", async () => {
    const views = await saved("/api/card", {
      name: "Blog",
      dataset_query: question({ breakout: ["country"], filter: ["starts-with", "url_path", "/b"] })
    })
    const signups = await saved("/api/card", {
      name: "Signups",
      dataset_query: question({ breakout: ["country"], filter: ["=", "event_name", "signup"] })
    })
    const all = mapped("site", "date", "country", "path")
    const offered = async (item: Json, values: object, query: string) => {
      const uuid = await link({ entity: "dashboard", item_id: item.id, ...values })
      return (await visit(`/api/public/dashboard/${uuid}/params/${query}`)).body.values.flat()
    }
    const blog = await boardOf([at(0, views.id, all)])
    expect(await offered(blog, {}, "country/values")).toEqual(["FR", "US"])
    expect(await offered(blog, {}, "path/values")).toEqual(["/blog"])
    expect(await offered(blog, {}, "path/values?search=pric")).toEqual([])
    const two = await boardOf([at(0, views.id, all), at(4, signups.id, all)])
    expect(await offered(two, {}, "path/values")).toEqual(["/blog", "/pricing", "/"])
    expect(await offered(two, { locked: { country: "DE" } }, "path/values")).toEqual(["/pricing"])
    expect(await offered(two, { locked: { path: "/pricing" } }, "country/values?search=E")).toEqual(["DE"])
    const hidden = await saved("/api/dashboard", {
      name: "Hidden",
      parameters: PARAMETERS.map((one) => (one.id === "country" ? { ...one, default: ["US"] } : one)),
      dashcards: [at(0, views.id, all), at(4, signups.id, all)]
    })
    expect(await offered(hidden, { hidden: ["country"] }, "path/values")).toEqual(["/blog", "/pricing"])
  })

  test("leaves out the cards that a lock does not limit", async () => {
    const uuidOf = async (item: Json, locked: object) => link({ entity: "dashboard", item_id: item.id, locked })
    const text = {
      ...at(8, "", {}),
      card_id: null,
      visualization_settings: { virtual_card: { display: "text" }, text: "Hi" }
    }
    const board = await boardOf([at(0, card.id, mapped("country", "path")), at(4, card.id, mapped("path")), text])
    const uuid = await uuidOf(board, { country: "DE" })
    const shown = await visit(`/api/public/dashboard/${uuid}`)
    const notShown = "This card is not shown here, since something that is locked does not apply to it."
    expect(
      shown.body.dashcards.map((one: Json) => [one.card?.name, one.visualization_settings.text, one.not_shown])
    ).toEqual([
      ["By country", undefined, null],
      [undefined, undefined, notShown],
      [undefined, "Hi", null]
    ])
    const ask = (index: number, more = "") =>
      visit(`/api/public/dashboard/${uuid}/dashcard/${board.dashcards[index].id}/card/${card.id}${more}`)
    expect(rowsOf(await ask(0))).toEqual([["DE", 7]])
    for (const more of ["", "/csv"]) expect(rowsOf(await ask(1, more))).toEqual([404, notShown])
    const { body } = await visit(`/api/public/dashboard/${uuid}/params/path/values`)
    expect(body.values.flat()).toEqual(["/pricing", "/", "/checkout", "/thanks"])
  })

  test("no longer shows what an edit took a lock from", async () => {
    const board = await boardOf([at(0, card.id, mapped("country", "date"))])
    const uuid = await link({ entity: "dashboard", item_id: board.id, locked: { country: "DE" } })
    const path = `/api/public/dashboard/${uuid}/dashcard/${board.dashcards[0].id}/card/${card.id}`
    const edited = async (target: unknown, type = "string/=") => {
      const parameters = PARAMETERS.map((one) => (one.id === "country" ? { ...one, type } : one))
      const mappings = { ...mapped("date"), ...(target !== null && { country: target }) }
      const dashcards = [{ ...at(0, card.id, mappings), id: board.dashcards[0].id }]
      expect((await put(`/api/dashboard/${board.id}`, { parameters, dashcards })).status).toBe(200)
      return rowsOf(await visit(path))
    }
    expect(await edited(TARGETS["country"])).toEqual([["DE", 7]])
    const notShown = "This card is not shown here, since something that is locked does not apply to it."
    expect(await edited(null)).toEqual([404, notShown])
    expect(await edited(["dimension", ["field", "language"]])).toEqual([404, notShown])
    const changed = "The parameter `country`, which is locked here, was changed. Ask for a new link."
    expect(await edited(TARGETS["country"], "string/!=")).toEqual([404, changed])
    expect(await edited(TARGETS["country"])).toEqual([["DE", 7]])

    const own = await saved("/api/card", {
      name: "Own",
      dataset_query: question({ breakout: ["country"] }),
      parameters: card.parameters
    })
    const toCard = await link({ item_id: own.id, locked: { country: "DE" } })
    const target = ["dimension", ["field", "language"]]
    const parameters = card.parameters.map((one: Json) => (one.id === "country" ? { ...one, target } : one))
    await put(`/api/card/${own.id}`, { parameters })
    expect(rowsOf(await visit(`/api/public/card/${toCard}/query`))).toEqual([404, changed])
  })

  test("is not created with a lock of a parameter that applies to no card, and neither is an embed", async () => {
    const board = await boardOf([at(0, card.id, mapped("date"))])
    const locked = { country: "DE" }
    for (const { body, status } of [
      await post("/api/public-link", { entity: "dashboard", item_id: board.id, site_id: SITE, locked }),
      await put(`/api/embedding/dashboard/${board.id}`, { site_id: SITE, locked })
    ]) {
      expect([status, body.detail, body.errors]).toEqual([
        400,
        'The parameter "Country" applies to no card of the dashboard, so that a lock would not limit anything.',
        [{ pointer: "#/locked/country", detail: body.detail }]
      ])
    }
  })

  test("downloads files only if it allows them", async () => {
    const closed = await visit(`/api/public/card/${await link()}/query/csv`)
    expect([closed.status, closed.body.detail]).toEqual([403, "Downloads are off for this link."])
    const uuid = await link({ exports: true, locked: { country: "FR" } })
    expect((await visit(`/api/public/card/${uuid}/query/csv`)).body).toBe("Country,Count\r\nFR,4\r\n")
  })

  test("ends when it is revoked, when it expires, and when its item goes to the trash", async () => {
    const uuid = await link()
    expect((await admin.call("DELETE", `/api/public-link/${uuid}`)).body).toEqual({ uuid, revoked: true })
    const gone = await visit(`/api/public/card/${uuid}`)
    expect([gone.status, gone.body.detail]).toEqual([404, "This link does not exist, has expired or was revoked."])
    for (const id of [uuid, "x", "%00"]) {
      expect([id, (await admin.call("DELETE", `/api/public-link/${id}`)).status]).toEqual([id, 404])
    }

    const short = await link({ expires_at: new Date(Date.now() + 60_000).toISOString() })
    expect((await visit(`/api/public/card/${short}`)).status).toBe(200)
    await using sql = await connect(Redacted.value(admin.url))
    await sql.query("UPDATE product_analytics_content_link SET expires_at = now() - interval '1 s' WHERE id = $1", [
      short
    ])
    expect((await visit(`/api/public/card/${short}/query`)).status).toBe(404)

    const trashed = await saved("/api/card", { name: "Short-lived", dataset_query: question() })
    const toTrash = await link({ item_id: trashed.id })
    await put(`/api/card/${trashed.id}`, { archived: true })
    expect((await visit(`/api/public/card/${toTrash}`)).status).toBe(404)
  })

  test("whose locked parameter was removed shows nothing, instead of more than was meant", async () => {
    const own = await saved("/api/card", {
      name: "Locked",
      dataset_query: question({ breakout: ["country"] }),
      parameters: card.parameters
    })
    const uuid = await link({ item_id: own.id, locked: { country: "DE" } })
    expect((await visit(`/api/public/card/${uuid}/query`)).status).toBe(200)
    await put(`/api/card/${own.id}`, { parameters: [] })
    for (const path of ["", "/query"]) {
      const { body, status } = await visit(`/api/public/card/${uuid}${path}`)
      expect([status, body.detail]).toEqual([
        404,
        "The parameter `country`, which is locked here, no longer exists. Ask for a new link."
      ])
    }
  })

  test.each<[string, object, number, string | undefined]>([
    ["a parameter that does not exist", { locked: { city: "Rome" } }, 422, "#/locked/city"],
    ["a lock that locks nothing", { locked: { country: [] } }, 422, "#/locked/country"],
    ["the site as a lock", { locked: { site: SITE } }, 422, "#/locked/site"],
    ["an unknown hidden parameter", { hidden: ["date", "x"] }, 422, "#/hidden/1"],
    ["a time that is over", { expires_at: "2020-01-01T00:00:00Z" }, 422, "#/expires_at"],
    ["a site that is not an id", { site_id: "shop" }, 422, "#/site_id"],
    ["a site that does not exist", { site_id: UNKNOWN }, 404, undefined],
    ["a question that does not exist", { item_id: UNKNOWN }, 404, undefined],
    ["without a site", { site_id: undefined }, 400, "#/site_id"],
    ["for a segment", { entity: "segment" }, 400, "#/entity"]
  ])("is not created with %s", async (_, values, status, pointer) => {
    const response = await post("/api/public-link", { entity: "card", item_id: card.id, site_id: SITE, ...values })
    expect([response.status, response.body.errors?.[0].pointer]).toEqual([status, pointer])
  })

  test("that was made up is answered with 404", async () => {
    for (const uuid of [UNKNOWN, "0".repeat(32), "x", "%00", `${await link()}%20`, "A".repeat(32)]) {
      expect((await visit(`/api/public/card/${uuid}/query`)).status).toBe(404)
    }
  })
})

const sign = (
  claims: object,
  options: { readonly key?: string; readonly alg?: string; readonly exp?: number | null } = {}
) => {
  const { alg = "HS256", exp = Math.floor(Date.now() / 1_000) + 60, key = secret } = options
  const jwt = new SignJWT({ ...claims }).setProtectedHeader({ alg })
  if (exp !== null) jwt.setExpirationTime(exp)
  return jwt.sign(new TextEncoder().encode(key))
}

describe("a signed embed", () => {
  const allow = (values: object = {}) =>
    put(`/api/embedding/dashboard/${dashboard.id}`, {
      site_id: SITE,
      frame_ancestors: ["https://www.example.com"],
      ...values
    })
  const ask = async (token: string, query = "") =>
    visit(`/api/embed/dashboard/${token}/dashcard/${dashboard.dashcards[0].id}/card/${card.id}${query}`)
  const forDashboard = (params: object = {}) => ({ resource: { dashboard: dashboard.id }, params })

  test("shows what the token says, locks its parameters, and names the pages that may frame it", async () => {
    expect((await allow()).status).toBe(200)
    const token = await sign(forDashboard({ country: ["DE", "FR"] }))
    const shown = await visit(`/api/embed/dashboard/${token}`)
    expect(shown.body.parameters.map(({ id }: Json) => id)).toEqual(["date", "compare", "path"])
    expect(shown.headers.get("content-security-policy")).toBe(
      "default-src 'none'; frame-ancestors https://www.example.com"
    )
    expect(shown.headers.get("x-frame-options")).toBeNull()
    expect(shown.headers.get("x-robots-tag")).toBe("noindex, nofollow")
    expect(rowsOf(await ask(token))).toEqual([
      ["DE", 7],
      ["FR", 4]
    ])
    expect(rowsOf(await ask(token, given({ path: "/blog" })))).toEqual([["FR", 3]])
    expect((await ask(token, given({ country: "US" }))).status).toBe(400)
  })

  test("names a parameter of the token that the dashboard lacks", async () => {
    const { body, status } = await ask(await sign(forDashboard({ plan: "pro" })))
    expect([status, body.detail]).toEqual([404, "There is no parameter `plan` here, which the token's `params` give."])
  })

  test("takes the site from the token, if the instance does not name it", async () => {
    await allow({ site_id: null })
    expect(rowsOf(await ask(await sign(forDashboard({ site: OTHER_SITE }))))).toEqual([[null, 1]])
    expect((await ask(await sign(forDashboard()))).status).toBe(400)
    await allow({ site_id: SITE })
    expect((await ask(await sign(forDashboard({ site: OTHER_SITE })))).status).toBe(400)
    expect((await ask(await sign(forDashboard({ site: SITE })))).status).toBe(200)
  })

  test("keeps locked what the instance locked, whatever a token says", async () => {
    await allow({ locked: { country: "DE" } })
    expect(rowsOf(await ask(await sign(forDashboard({ country: "US" }))))).toEqual([["DE", 7]])
  })

  test("compares with a period that visitors or the token choose, unless visitors can't choose the time", async () => {
    const days = "2026-03-30~2026-03-31"
    const compared = given({ date: days, compare: "previous-period" })
    const comparison = { from: "2026-03-28T00:00:00+00:00", until: "2026-03-30T00:00:00+00:00", rows: COMPARED }
    await allow()
    const { body, status } = await ask(await sign(forDashboard()), compared)
    expect([status, body.comparison]).toEqual([200, expect.objectContaining(comparison)])
    // What the token locks limits both periods, and no other site is in either.
    const locked = await ask(await sign(forDashboard({ country: "DE" })), compared)
    expect([locked.body.data.rows, locked.body.comparison.rows]).toEqual([[["DE", 1]], [["DE", 6]]])
    const byToken = await ask(await sign(forDashboard({ compare: "previous-period" })), given({ date: days }))
    expect(byToken.body.comparison).toMatchObject(comparison)
    const fixedTime = await sign(forDashboard({ date: days }))
    expect(rowsOf(await ask(fixedTime, given({ compare: "previous-period" })))).toEqual([
      400,
      'There is no parameter "compare" to choose here.'
    ])
  })

  test("leaves out the cards that a token's parameter does not limit", async () => {
    const board = await boardOf([at(0, card.id, mapped("date"))])
    await put(`/api/embedding/dashboard/${board.id}`, { site_id: SITE })
    const asked = async (params: object) => {
      const token = await sign({ resource: { dashboard: board.id }, params })
      return rowsOf(await visit(`/api/embed/dashboard/${token}/dashcard/${board.dashcards[0].id}/card/${card.id}`))
    }
    expect(await asked({})).toEqual(ALL)
    expect(await asked({ compare: "previous-period" })).toEqual(ALL)
    expect(await asked({ country: "DE" })).toEqual([
      404,
      "This card is not shown here, since something that is locked does not apply to it."
    ])
  })

  test("can be locked to the rows without a value", async () => {
    await allow()
    expect(rowsOf(await ask(await sign(forDashboard({ country: [null] }))))).toEqual([[null, 3]])
  })

  test("refuses a locked text that every text contains, which would lock nothing", async () => {
    const parameters = PARAMETERS.map((one) => (one.id === "path" ? { ...one, type: "string/contains" } : one))
    const board = await saved("/api/dashboard", {
      name: "Texts",
      parameters,
      dashcards: [at(0, card.id, mapped("date", "path"))]
    })
    const path = `/api/embedding/dashboard/${board.id}`
    expect((await put(path, { site_id: SITE, locked: { path: "" } })).status).toBe(422)
    expect((await put(path, { site_id: SITE })).status).toBe(200)
    const asked = async (value: unknown) => {
      const token = await sign({ resource: { dashboard: board.id }, params: { path: value } })
      return rowsOf(await visit(`/api/embed/dashboard/${token}/dashcard/${board.dashcards[0].id}/card/${card.id}`))
    }
    const refusal = "The value of the parameter `path`, which is locked here, filters nothing. Give it one that does."
    expect(await asked("")).toEqual([400, refusal])
    expect(await asked(["", "/blog"])).toEqual([400, refusal])
    expect(await asked("/blog")).toEqual([
      ["FR", 3],
      ["US", 1]
    ])
  })

  test("with a parameter that has no value, or that does not exist, shows nothing", async () => {
    await allow()
    expect((await ask(await sign(forDashboard({ country: [] })))).status).toBe(400)
    expect((await ask(await sign(forDashboard({ city: "Rome" })))).status).toBe(404)
  })

  test("needs a token that is signed with the secret, for this item, and has not expired", async () => {
    await allow()
    const now = Math.floor(Date.now() / 1_000)
    const claims = forDashboard()
    const unsigned = `${btoa('{"alg":"none"}').replaceAll("=", "")}.${btoa(JSON.stringify({ ...claims, exp: now + 60 })).replaceAll("=", "")}.`
    const tokens = [
      "x",
      unsigned,
      await sign(claims, { key: "another secret of the same length as ours" }),
      await sign(claims, { alg: "HS512", key: secret.repeat(2) }),
      await sign(claims, { exp: null }),
      await sign(claims, { exp: now - 31 }),
      await sign({ resource: { question: card.id } }),
      await sign({ resource: { dashboard: "1; DROP TABLE x" } }),
      await sign({ resource: { dashboard: dashboard.id }, extra: true }),
      `${await sign(claims)}x`
    ]
    for (const [index, token] of tokens.entries()) {
      expect([index, (await visit(`/api/embed/dashboard/${encodeURIComponent(token)}`)).status]).toEqual([index, 400])
    }
    // The clocks of two servers may differ.
    expect((await visit(`/api/embed/dashboard/${await sign(claims, { exp: now - 15 })}`)).status).toBe(200)
    expect((await visit(`/api/embed/card/${await sign({ resource: { question: card.id } })}`)).status).toBe(404)
    expect((await visit(`/api/embed/dashboard/${await sign({ resource: { dashboard: UNKNOWN } })}`)).status).toBe(404)
  })

  test("stops when it is forbidden, and when the secret changes", async () => {
    await allow()
    const token = await sign(forDashboard())
    expect((await ask(token)).status).toBe(200)
    expect((await admin.call("DELETE", `/api/embedding/dashboard/${dashboard.id}`)).body).toEqual({
      id: dashboard.id,
      deleted: true
    })
    expect((await ask(token)).status).toBe(404)
    await allow()
    secret = (await post("/api/embedding/secret", undefined)).body.secret
    expect((await ask(token)).status).toBe(400)
    expect((await ask(await sign(forDashboard()))).status).toBe(200)
  })

  test("accepts only origins as the pages that may frame it", async () => {
    for (const origin of [
      "*",
      "https://a.example; script-src *",
      "https://a.example/path",
      "javascript:x",
      "https://",
      "https://a example"
    ]) {
      expect([origin, (await allow({ frame_ancestors: [origin] })).status]).toEqual([origin, 400])
    }
    for (const origin of ["'self'", "https://*.example.com", "http://localhost:3000"]) {
      expect([origin, (await allow({ frame_ancestors: [origin] })).status]).toEqual([origin, 200])
    }
    await allow({ frame_ancestors: [] })
    const { headers } = await visit(`/api/embed/dashboard/${await sign(forDashboard())}`)
    expect(headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'")
  })
})

test("sharing is off by default, also for links that exist", async () => {
  const uuid = await link()
  const token = await sign({ resource: { dashboard: dashboard.id } })
  const quiet = await startContentAdmin()
  for (const path of [`/api/public/card/${uuid}`, `/api/embed/dashboard/${token}`]) {
    const { body, status } = await visit(path, quiet)
    expect([status, body.detail]).toEqual([404, "Sharing is off on this instance."])
  }
  await quiet.close()
})

test("while sharing is off, no links are made, and the answer says what to set", async () => {
  const quiet = await startContentAdmin()
  const { body: card } = await quiet.call("POST", "/api/card", { body: { name: "x", dataset_query: question() } })
  const publicLink = { entity: "card", item_id: card.id, site_id: SITE }
  const made = await quiet.call("POST", "/api/public-link", { body: publicLink })
  const allowed = await quiet.call("PUT", `/api/embedding/card/${card.id}`, { body: {} })
  expect([made.status, made.body.detail]).toEqual([
    400,
    "Public sharing is off on this instance: first set ENABLE_PUBLIC_SHARING=on."
  ])
  expect([allowed.status, allowed.body.detail]).toEqual([
    400,
    "Embedding is off on this instance: first set ENABLE_EMBEDDING=on."
  ])
  await quiet.close()
})

test("each link has its own rate limit, and answers 429 with when to try again", async () => {
  const limited = await startContentAdmin({ ENABLE_PUBLIC_SHARING: "on", SHARED_REQUESTS_PER_MINUTE: "3" })
  const made = async () => {
    const { body } = await limited.call("POST", "/api/card", { body: { name: "x", dataset_query: question() } })
    const values = { entity: "card", item_id: body.id, site_id: SITE }
    return (await limited.call("POST", "/api/public-link", { body: values })).body.uuid
  }
  const [first, second] = [await made(), await made()]
  const statuses = []
  for (let request = 0; request < 5; request++)
    statuses.push((await visit(`/api/public/card/${first}`, limited)).status)
  expect(statuses).toEqual([200, 200, 200, 429, 429])
  const refused = await visit(`/api/public/card/${first}`, limited)
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1)
  expect((await visit(`/api/public/card/${second}`, limited)).status).toBe(200)
  await limited.close()
})

test("what is shared, and who shared it, is in the list and in the audit log, but no link's key", async () => {
  const uuid = await link()
  const { body: all } = await admin.call("GET", "/api/public-link")
  expect(all.find((one: Json) => one.uuid === uuid)).toMatchObject({
    path: `/api/public/card/${uuid}`,
    entity: "card",
    item_id: card.id,
    name: "By country",
    site_id: SITE,
    expires_at: null,
    exports: false
  })
  await using sql = await connect(Redacted.value(admin.url))
  const entries = await sql.query<{ action: string; target_id: string; details: object }>(
    "SELECT action, target_id, details FROM product_analytics_audit ORDER BY id"
  )
  expect(new Set(entries.map(({ action }) => action))).toEqual(
    new Set(["public-link.create", "public-link.revoke", "embed.allow", "embed.forbid", "embed-secret.rotate"])
  )
  expect(JSON.stringify(entries)).not.toContain(uuid)
  expect(JSON.stringify(entries)).not.toContain(secret)
})
