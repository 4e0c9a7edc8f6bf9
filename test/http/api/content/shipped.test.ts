import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect } from "effect"
import { Content } from "../../../../src/ports/Content.ts"
import { shippedContent } from "../../../../src/query/content/shippedContent.ts"
import { SITE } from "../../../services/fixture.ts"
import { startContent } from "../../../support/postgres/content.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import type { Json } from "../support.ts"
import { startContentAdmin } from "./support.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

let admin: Awaited<ReturnType<typeof startContentAdmin>>
let overview: Json

const get = (path: string) => admin.call("GET", path)
const post = (path: string, body: unknown) => admin.call("POST", path, { body })
const put = (path: string, body: unknown) => admin.call("PUT", path, { body })

beforeAll(async () => {
  admin = await startContentAdmin()
  await run(Effect.flatMap(startContent(admin.url), (context) => Context.get(context, Content).ship(shippedContent)))
  const { body } = await get("/api/search?q=overview&models=dashboard")
  overview = (await get(`/api/dashboard/${body.data[0].id}`)).body
})
afterAll(() => admin.close())

test("the dashboards that ship are in Product Analytics, by Footfall, and say that they can't be changed", async () => {
  const { body } = await get("/api/collection/1/items?models=dashboard")
  expect(body.data.map(({ name }: Json) => name)).toEqual([
    "Acquisition",
    "Audience",
    "Behavior",
    "Events",
    "Overview",
    "Revenue",
    "Web vitals"
  ])
  expect(overview).toMatchObject({
    shipped: true,
    can_write: false,
    creator: { common_name: "Footfall" },
    collection_id: 1
  })
})

test("each card of a shipped dashboard is answered with the dashboard's parameters", async () => {
  const parameters = [
    { id: "site", value: SITE },
    { id: "date", value: "2026-03-28~2026-03-31" }
  ]
  const answers = new Map<string, Json>()
  for (const { card, card_id: cardId, id } of overview.dashcards) {
    if (cardId === null) continue
    const { body, status } = await post(`/api/dashboard/${overview.id}/dashcard/${id}/card/${cardId}/query`, {
      parameters
    })
    expect([card.name, status]).toEqual([card.name, 200])
    answers.set(card.name, body.data.rows)
  }
  expect(answers.size).toBe(19)
  expect(answers.get("Visitors")).toEqual([[5]])
  expect(answers.get("Bounce rate")).toEqual([[0.4]])
})

test("not even an administrator changes what ships, but everyone who may write duplicates it", async () => {
  const [dashcard] = overview.dashcards
  const attempts = [
    put(`/api/dashboard/${overview.id}`, { name: "Mine" }),
    put(`/api/dashboard/${overview.id}`, { archived: true }),
    put(`/api/card/${dashcard.card_id}`, { dataset_query: dashcard.card.dataset_query }),
    admin.call("DELETE", `/api/card/${dashcard.card_id}`),
    post("/api/revision/revert", { entity: "card", id: dashcard.card_id, revision_id: 1 })
  ]
  for (const { body, status } of await Promise.all(attempts)) {
    expect([status, body.detail]).toEqual([
      403,
      "You don't have permissions to do that. This ships with Footfall: duplicate it, and change the copy."
    ])
  }
  const copy = await post(`/api/dashboard/${overview.id}/copy`, { name: "My overview", is_deep_copy: true })
  expect(copy.body).toMatchObject({ name: "My overview", shipped: false, can_write: true })
  const mine = await put(`/api/card/${copy.body.dashcards[0].card_id}`, { name: "My visitors" })
  expect([mine.status, mine.body.name]).toEqual([200, "My visitors"])
  expect((await get(`/api/card/${dashcard.card_id}`)).body.name).toBe("Visitors")
})
