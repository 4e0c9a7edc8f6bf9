import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import * as LoginBuckets from "../../../../layers/inprocess/LoginBuckets.ts"
import * as LocalSecretFile from "../../../../layers/local/LocalSecretFile.ts"
import * as PgSavedDefinitions from "../../../../layers/postgres/content/PgSavedDefinitions.ts"
import { SiteId } from "../../../../src/domain/ids.ts"
import { instanceKey } from "../../../../src/domain/keyScope.ts"
import { CollectionId, type CollectionLevel, PRODUCT_ANALYTICS } from "../../../../src/domain/people.ts"
import { AdminKeys } from "../../../../src/ports/AdminKeys.ts"
import { Groups } from "../../../../src/ports/Groups.ts"
import { OTHER_SITE, SITE } from "../../../services/fixture.ts"
import { contentLayer } from "../../../support/postgres/content.ts"
import { controlPlane, run } from "../../../support/postgres/controlPlane.ts"
import { pgWarehouse } from "../../../support/postgres/pgWarehouse.ts"
import { freshDatabase, openClient, temporaryFolder } from "../../../support/postgres/postgres.ts"
import { fillWithEvents } from "../../../support/questions/events.ts"
import { type Admin, type Json, startAdmin } from "../support.ts"
import { INSERT_SITES, question, UNKNOWN } from "./support.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const scope = Scope.makeUnsafe()
let admin: Admin
let root: string
let secret: Json
let shared: Json
let dashboard: Json
let outer: Json
let inner: Json
/** Keys of groups, by what the group may do: in Product Analytics, in the collection "Team", and on which sites. */
const keys = new Map<string, string>()

const call = (key: string | null, method: string, path: string, body?: unknown) =>
  admin.call(method, path, { key, body })

const saved = async (path: string, values: object): Promise<Json> => {
  const { body, status } = await call(root, "POST", path, values)
  expect([status, body.detail]).toEqual([200, undefined])
  return body
}

beforeAll(async () => {
  const url = await freshDatabase()
  await fillWithEvents(url)
  await run(Effect.flatMap(openClient(url, 1), (sql) => sql.unsafe(INSERT_SITES)))
  const process = controlPlane(url)
  const content = contentLayer(url)
  const folder = temporaryFolder()
  admin = await startAdmin({
    control: Layer.mergeAll(process, LoginBuckets.layer, LocalSecretFile.layerIn(Effect.succeed(folder))),
    warehouse: pgWarehouse(url),
    content,
    saved: PgSavedDefinitions.layer.pipe(Layer.provide(content))
  })
  const services = await Effect.runPromise(Scope.provide(Layer.build(controlPlane(url)), scope))
  const adminKeys = Context.get(services, AdminKeys)
  const groups = Context.get(services, Groups)
  root = (await Effect.runPromise(adminKeys.create("root", instanceKey("admin")))).key
  const team = await saved("/api/collection", { name: "Team" })
  outer = await saved("/api/collection", { name: "West" })
  inner = await saved("/api/collection", { name: "Inner", parent_id: outer.id })
  secret = await saved("/api/card", { name: "In Product Analytics", dataset_query: question() })
  shared = await saved("/api/card", { name: "In Team", dataset_query: question(), collection_id: team.id })

  const group = async (
    name: string,
    levels: ReadonlyArray<readonly [number, CollectionLevel]>,
    sites: ReadonlyArray<string> | null
  ) => {
    const siteLimit = sites === null ? null : sites.map((site) => SiteId.make(site))
    const { id } = await Effect.runPromise(groups.create({ name, siteLimit }))
    const { revision } = await Effect.runPromise(groups.graph)
    const own = new Map(levels.map(([collection, level]) => [CollectionId.make(collection), level]))
    await Effect.runPromise(groups.setGraph(revision, new Map([[id, own]])))
    keys.set(name, (await Effect.runPromise(adminKeys.create(name, { role: null, isReadOnly: false, group: id }))).key)
  }
  const dashcards = [secret, shared].map(({ id }, row) => ({ card_id: id, row: row * 4, col: 0, size_x: 4, size_y: 4 }))
  dashboard = await saved("/api/dashboard", { name: "Of both", dashcards })

  await group("nothing", [], null)
  await group("reader", [[PRODUCT_ANALYTICS.id, "read"]], null)
  await group("reader of one site", [[PRODUCT_ANALYTICS.id, "read"]], [SITE])
  await group("writer", [[PRODUCT_ANALYTICS.id, "write"]], null)
  await group(
    "writer without Team",
    [
      [PRODUCT_ANALYTICS.id, "write"],
      [team.id, "none"],
      [inner.id, "read"]
    ],
    null
  )
  await group(
    "writer without West",
    [
      [PRODUCT_ANALYTICS.id, "write"],
      [outer.id, "none"],
      [inner.id, "write"]
    ],
    null
  )
  await group("reader of Team", [[team.id, "read"]], null)
  await group(
    "reader who writes in Team",
    [
      [PRODUCT_ANALYTICS.id, "read"],
      [team.id, "write"]
    ],
    null
  )
})
afterAll(async () => {
  await admin.close()
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

const as = (name: string) => (method: string, path: string, body?: unknown) => call(keys.get(name)!, method, path, body)

/** What is answered about something that exists and about something that does not: the statuses, if the rest is the same. */
const existenceOf = async (call: ReturnType<typeof as>, path: string, id: string) => {
  const existing = await call("GET", `${path}/${id}`)
  const missing = await call("GET", `${path}/${UNKNOWN}`)
  const without = ({ detail, instance, request_id, ...rest }: Json) => ({ ...rest, detail: detail.split('"')[0] })
  expect(without(existing.body)).toEqual(without(missing.body))
  expect(existing.body.detail).toEndWith(` with the id "${id}".`)
  return [existing.status, missing.status]
}

test("a group without access to the collection sees and asks nothing, with the contract's words", async () => {
  const nothing = as("nothing")
  for (const [method, path, body] of [
    ["GET", "/api/card", undefined],
    ["GET", `/api/card/${secret.id}`, undefined],
    ["POST", `/api/card/${secret.id}/query`, {}],
    ["GET", "/api/collection", undefined],
    ["GET", "/api/search?q=", undefined],
    ["GET", "/api/dashboard", undefined],
    ["GET", "/api/timeline-event", undefined],
    ["GET", `/api/revision?entity=card&id=${secret.id}`, undefined]
  ] as const) {
    const response = await nothing(method, path, body)
    expect([path, response.status, response.body.detail]).toEqual([
      path,
      403,
      "You do not have access to the product analytics database"
    ])
  }
})

test("a reader sees and asks everything, and saves nothing", async () => {
  const reader = as("reader")
  expect((await reader("GET", "/api/search?models=card")).body.total).toBe(2)
  expect((await reader("GET", `/api/card/${shared.id}`)).body.can_write).toBe(false)
  expect((await reader("POST", `/api/card/${shared.id}/query`, {})).body.data.rows).toEqual([[24]])
  for (const [method, path, body] of [
    ["POST", "/api/card", { name: "x", dataset_query: question() }],
    ["PUT", `/api/card/${shared.id}`, { name: "x" }],
    ["DELETE", `/api/card/${shared.id}`, undefined],
    ["POST", `/api/card/${shared.id}/copy`, {}],
    ["POST", "/api/collection", { name: "x" }],
    ["POST", "/api/dashboard", { name: "x" }],
    ["POST", "/api/segment", { name: "x", filter: ["=", "event_type", 1] }],
    ["POST", "/api/timeline-event", { name: "x", timestamp: "2026-03-28T00:00:00Z" }],
    ["POST", "/api/revision/revert", { entity: "card", id: shared.id, revision_id: 1 }],
    ["POST", "/api/public-link", { entity: "card", item_id: shared.id, site_id: SITE }],
    ["POST", "/api/embedding/secret", undefined],
    ["GET", "/api/public-link", undefined]
  ] as const) {
    expect([method, path, (await reader(method, path, body)).status]).toEqual([method, path, 403])
  }
})

test("the answers of a saved question are limited to the sites of the person who asks", async () => {
  const limited = as("reader of one site")
  expect((await limited("POST", `/api/card/${secret.id}/query`, {})).body.data.rows).toEqual([[23]])
  const named = await saved("/api/card", {
    name: "Other site",
    dataset_query: question({ filter: ["=", "site_id", OTHER_SITE] })
  })
  expect((await limited("POST", `/api/card/${named.id}/query`, {})).status).toBe(403)
  const csv = await limited("POST", `/api/card/${secret.id}/query/csv`, {})
  expect(csv.body).toBe("Count\r\n23\r\n")
  const note = await saved("/api/timeline-event", {
    name: "There",
    timestamp: "2026-03-28T00:00:00Z",
    site_id: OTHER_SITE
  })
  expect(await existenceOf(limited, "/api/timeline-event", note.id)).toEqual([404, 404])
  await saved("/api/timeline-event", { name: "Here", timestamp: "2026-03-28T00:00:00Z", site_id: SITE })
  expect((await limited("GET", "/api/timeline-event")).body.map(({ name }: Json) => name)).toEqual(["Here"])
  expect((await limited("GET", `/api/timeline-event?site=${OTHER_SITE}`)).status).toBe(403)
})

describe("somebody who may write in one collection", () => {
  test("saves there and below it, and nowhere else", async () => {
    const writer = as("reader who writes in Team")
    const team = shared.collection_id
    expect((await writer("POST", "/api/card", { name: "x", dataset_query: question() })).status).toBe(403)
    const own = await writer("POST", "/api/card", { name: "Own", dataset_query: question(), collection_id: team })
    expect([own.status, own.body.can_write]).toEqual([200, true])
    expect((await writer("PUT", `/api/card/${secret.id}`, { name: "x" })).status).toBe(403)
    expect((await writer("PUT", `/api/card/${own.body.id}`, { collection_id: 1 })).status).toBe(403)
    const below = await writer("POST", "/api/collection", { name: "Below", parent_id: team })
    expect(below.status).toBe(200)
    expect((await writer("PUT", `/api/card/${own.body.id}`, { collection_id: below.body.id })).status).toBe(200)
    expect((await writer("PUT", `/api/collection/${below.body.id}`, { parent_id: 1 })).status).toBe(403)
    const copy = await writer("POST", `/api/card/${secret.id}/copy`, { collection_id: team })
    expect([copy.status, copy.body.collection_id]).toEqual([200, team])
    expect((await writer("POST", `/api/card/${secret.id}/copy`, {})).status).toBe(403)
  })

  test("sees in the tree where that is", async () => {
    const { body } = await as("reader who writes in Team")("GET", "/api/collection/tree")
    expect([body[0].name, body[0].can_write, body[0].children[0].name, body[0].children[0].can_write]).toEqual([
      "Product Analytics",
      false,
      "Team",
      true
    ])
  })
})

test("somebody who may only read another collection sees what is in it, but asks nothing", async () => {
  const reader = as("reader of Team")
  expect((await reader("GET", `/api/card/${shared.id}`)).status).toBe(200)
  expect(await existenceOf(reader, "/api/card", secret.id)).toEqual([404, 404])
  expect(await existenceOf(reader, "/api/dashboard", dashboard.id)).toEqual([404, 404])
  for (const path of ["query", "query/csv"]) {
    const { body, status } = await reader("POST", `/api/card/${shared.id}/${path}`, {})
    expect([status, body.detail]).toEqual([403, "You do not have access to the product analytics database"])
  }
})

test("a group without access to a subcollection finds neither it nor what is in it, and asks none of its questions", async () => {
  const writer = as("writer without Team")
  const team = shared.collection_id
  expect((await writer("GET", "/api/collection")).body.map(({ name }: Json) => name)).toEqual([
    "Inner",
    "Product Analytics",
    "West"
  ])
  expect((await writer("GET", "/api/collection/tree")).body[0].children.map(({ name }: Json) => name)).toEqual(["West"])
  expect((await writer("GET", "/api/search?q=team")).body.data).toEqual([])
  expect((await writer("GET", "/api/collection/1/items?models=collection")).body.total).toBe(1)
  for (const [method, path, body] of [
    ["GET", `/api/collection/${team}`, undefined],
    ["GET", `/api/collection/${team}/items`, undefined],
    ["GET", `/api/card/${shared.id}`, undefined],
    ["POST", `/api/card/${shared.id}/query`, {}],
    ["POST", `/api/card/${shared.id}/query/csv`, {}],
    ["PUT", `/api/card/${shared.id}`, { collection_id: 1 }],
    ["POST", `/api/card/${shared.id}/copy`, { collection_id: 1 }],
    ["GET", `/api/revision?entity=card&id=${shared.id}`, undefined]
  ] as const) {
    expect([method, path, (await writer(method, path, body)).status]).toEqual([method, path, 404])
  }
  expect(await existenceOf(writer, "/api/card", shared.id)).toEqual([404, 404])
  for (const [path, body] of [
    ["/api/card", { name: "x", dataset_query: question(), collection_id: team }],
    ["/api/collection", { name: "x", parent_id: team }]
  ] as const) {
    const { body: problem, status } = await writer("POST", path, body)
    expect([path, status, problem.detail]).toEqual([path, 422, `There is no collection with the id ${team}.`])
  }
  const onIt = question({ source: { card: shared.id } })
  expect((await writer("POST", "/api/dataset", onIt)).body.detail).toContain("There is no ")
  const seen = await writer("GET", `/api/dashboard/${dashboard.id}`)
  expect(seen.body.dashcards.map(({ card }: Json) => card?.name ?? null)).toEqual(["In Product Analytics", null])
  expect(seen.body.dashcards[1]).toMatchObject({
    card_id: null,
    parameter_mappings: [],
    visualization_settings: {},
    row: 4
  })
  const history = await writer("GET", `/api/revision?entity=dashboard&id=${dashboard.id}`)
  expect([history.status, history.body[0].body.dashcards[0].card_id]).toEqual([200, secret.id])
  for (const { body } of [seen, history]) expect(JSON.stringify(body)).not.toContain(shared.id)
  const [readable, hidden] = dashboard.dashcards
  const ask = (card: Json) =>
    writer("POST", `/api/dashboard/${dashboard.id}/dashcard/${card.id}/card/${card.card_id}/query`, {})
  expect([(await ask(readable)).status, (await ask(hidden)).status]).toEqual([200, 404])
})

test("somebody who does not see a question on a dashboard moves it, keeps it when the dashboard is saved, and can take it away", async () => {
  const country = {
    id: "country",
    name: "Country",
    slug: "country",
    type: "string/=",
    target: ["dimension", ["field", "country"]]
  }
  const card = await saved("/api/card", {
    name: "Hidden",
    dataset_query: question(),
    parameters: [country],
    collection_id: shared.collection_id
  })
  const { target, ...parameter } = country
  const place = { col: 0, size_x: 4, size_y: 4 }
  const { id } = await saved("/api/dashboard", {
    name: "With a hidden question",
    parameters: [parameter],
    dashcards: [
      {
        ...place,
        row: 0,
        card_id: card.id,
        parameter_mappings: [{ parameter_id: "country", target }],
        visualization_settings: { "card.title": "Hidden title" }
      }
    ]
  })
  const path = `/api/dashboard/${id}`
  const writer = as("writer without Team")
  const { body } = await writer("GET", path)
  expect(JSON.stringify(body)).not.toContain("Hidden title")
  const text = { ...place, row: 8, visualization_settings: { virtual_card: { display: "text" }, text: "Below" } }
  const moved = await writer("PUT", path, {
    ...body,
    dashcards: [...body.dashcards.map((dashcard: Json) => ({ ...dashcard, row: 4 })), text]
  })
  expect([moved.status, moved.body.detail]).toEqual([200, undefined])
  const asRoot = async () => (await call(root, "GET", path)).body.dashcards
  expect((await asRoot())[0]).toMatchObject({
    card_id: card.id,
    row: 4,
    parameter_mappings: [{ parameter_id: "country", target }],
    visualization_settings: { "card.title": "Hidden title" }
  })
  // The mapping that the writer does not see does not keep the parameter.
  expect((await writer("PUT", path, { parameters: [] })).status).toBe(200)
  expect((await asRoot())[0]).toMatchObject({ card_id: card.id, parameter_mappings: [] })
  // A question that was not there before cannot be put there.
  const added = await writer("PUT", path, { dashcards: [{ ...place, row: 0, card_id: card.id }] })
  expect([added.status, added.body.detail]).toEqual([400, `There is no question with the id "${card.id}".`])
  expect((await writer("PUT", path, { dashcards: [text] })).status).toBe(200)
  expect((await asRoot()).map(({ card_id }: Json) => card_id)).toEqual([null])
})

test("a collection below one that somebody may not read is shown below the nearest one that they may, and stays where it is", async () => {
  const writer = as("writer without West")
  const path = `/api/collection/${inner.id}`
  const { body: seen } = await writer("GET", path)
  expect(seen).toMatchObject({ name: "Inner", parent_id: PRODUCT_ANALYTICS.id, location: "/1/" })
  const tree = (await writer("GET", "/api/collection/tree")).body
  expect([tree.length, tree[0].children.map(({ name }: Json) => name)]).toEqual([1, ["Inner", "Team"]])
  const { body: within } = await writer("GET", "/api/collection/1/items?models=collection")
  expect(within.data.map(({ name, parent_id }: Json) => [name, parent_id])).toEqual([
    ["Inner", 1],
    ["Team", 1]
  ])
  // It shows nothing above Team to those who may not read Product Analytics.
  const own = (await as("reader of Team")("GET", `/api/collection/${shared.collection_id}`)).body
  expect([own.parent_id, own.location]).toEqual([null, "/"])
  for (const { body } of [await writer("GET", "/api/collection"), await writer("GET", "/api/search?q=")]) {
    expect(JSON.stringify(body)).not.toMatch(new RegExp(`"(?:parent_id|location)":"?[/0-9]*\\b${outer.id}\\b`))
  }
  const guessed = await writer("PUT", path, { parent_id: outer.id })
  expect([guessed.status, guessed.body.detail]).toEqual([422, `There is no collection with the id ${outer.id}.`])
  const sentBack = await writer("PUT", path, { ...seen, description: "Sent back" })
  expect([sentBack.status, sentBack.body.description, sentBack.body.parent_id]).toEqual([200, "Sent back", 1])
  expect((await call(root, "GET", path)).body).toMatchObject({ parent_id: outer.id, location: `/1/${outer.id}/` })
})

test("somebody moves or archives a collection only if they may write in every collection in it", async () => {
  const writer = as("writer without Team")
  for (const change of [{ archived: true }, { parent_id: inner.id }]) {
    const { body, status } = await writer("PUT", `/api/collection/${outer.id}`, change)
    expect([status, body.detail]).toEqual([403, expect.stringContaining("write access to ")])
  }
  expect((await writer("PUT", `/api/collection/${outer.id}`, { name: "Renamed" })).status).toBe(200)
  expect((await as("writer")("PUT", `/api/collection/${outer.id}`, { archived: true })).status).toBe(200)
})

test("a writer saves in Product Analytics and everything below it", async () => {
  const writer = as("writer")
  const card = await writer("POST", "/api/card", { name: "Mine", dataset_query: question() })
  expect(card.status).toBe(200)
  expect((await writer("PUT", `/api/card/${card.body.id}`, { collection_id: shared.collection_id })).status).toBe(200)
  expect((await writer("PUT", `/api/collection/1`, { name: "x" })).body.detail).toBe(
    "You don't have permissions to do that."
  )
})

test("no route of saved content answers without a key", async () => {
  for (const path of ["/api/card", "/api/collection", "/api/search", "/api/public-link", `/api/card/${secret.id}`]) {
    expect((await call(null, "GET", path)).status).toBe(401)
  }
})
