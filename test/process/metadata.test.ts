import { expect, test } from "bun:test"
import { Redacted } from "effect"
import { footfall } from "../cli/support.ts"
import { until } from "../support/eventually.ts"
import { Client } from "../support/people/peopleServer.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

const SITES = "/api/ee/product-analytics/sites"
const METADATA = "/api/database/13371338/metadata"
const AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"

interface Field {
  readonly id: number
  readonly name: string
  readonly source: string
}

const fieldsOf = (body: { readonly tables: ReadonlyArray<{ readonly fields: ReadonlyArray<Field> }> }) =>
  body.tables.flatMap(({ fields }) => fields)

test("a sent event's properties are typed fields with values within seconds, of which a group that is limited to another site sees nothing", async () => {
  const DATABASE_URL = Redacted.value(await freshDatabase())
  await using full = await Footfall.start({ entry: "full", environment: { DATABASE_URL } })
  const created = await footfall(["keys", "create", "--json"], { DATABASE_URL })
  const as = (key: string) => new Client(full.url, { authorization: `Bearer ${key}` })
  const admin = as(JSON.parse(created.out).key)
  const [shop, blog] = [
    (await admin.call("POST", SITES, { body: { name: "Shop" } })).body.id,
    (await admin.call("POST", SITES, { body: { name: "Blog" } })).body.id
  ]
  const send = async (website: string, data: object) => {
    const payload = { website, hostname: "example.com", url: "/", name: "signup", data }
    const body = JSON.stringify({ type: "event", payload })
    return (await fetch(`${full.url}/api/send`, { method: "POST", headers: { "user-agent": AGENT }, body })).status
  }
  expect(await send(shop, { secretPlan: "pro", seats: "3" })).toBe(200)
  expect(await send(shop, { secretPlan: "hush", seats: 4 })).toBe(200)
  expect(await send(blog, { topic: "cats" })).toBe(200)

  const names = async (client: Client, query = ""): Promise<ReadonlyArray<string>> => {
    const { body, status } = await client.call("GET", `${METADATA}${query}`)
    expect(status).toBe(200)
    return fieldsOf(body)
      .flatMap(({ name, source }) => (source === "property" ? [name] : []))
      .toSorted()
  }
  await until("all properties are fields", async () => (await names(admin)).length === 3)
  const all = fieldsOf((await admin.call("GET", METADATA)).body)
  const plan = all.find(({ name }) => name === "secretPlan")!
  const title = all.find(({ name }) => name === "event_name")!
  await until("the values are known", async () => {
    const { values } = (await admin.call("GET", `/api/field/${plan.id}/values`)).body
    return JSON.stringify(values) === '[["hush"],["pro"]]'
  })

  // The type that all values have makes the sum possible.
  const question = {
    fql: 1,
    type: "query",
    source: "v_pa_events",
    filter: ["=", "site_id", shop],
    aggregation: [["sum", ["prop", "seats", { event: "signup" }]]]
  }
  expect((await admin.call("POST", "/api/dataset", { body: question })).body.data.rows).toEqual([[7]])

  const group = (await admin.call("POST", "/api/permissions/group", { body: { name: "Bloggers", site_limit: [blog] } }))
    .body
  const graph = (await admin.call("GET", "/api/collection/graph")).body
  const granted = await admin.call("PUT", "/api/collection/graph", {
    body: { revision: graph.revision, groups: { [group.id]: { "1": "read" } } }
  })
  expect(granted.status).toBe(200)
  const limited = as(
    (await admin.call("POST", "/api/ee/product-analytics/keys", { body: { name: "blog", group_id: group.id } })).body
      .key
  )
  expect(await names(limited)).toEqual(["topic"])
  expect((await limited.call("GET", `${METADATA}?site=${shop}`)).status).toBe(403)
  for (const path of ["", "/values", "/search/pro"]) {
    expect((await limited.call("GET", `/api/field/${plan.id}${path}`)).status).toBe(404)
    expect((await limited.call("GET", `/api/field/${title.id}${path}?site=${shop}`)).status).toBe(403)
  }
  const shown = await Promise.all(
    [
      METADATA,
      "/api/table",
      `/api/field/${title.id}`,
      `/api/field/${title.id}/values`,
      `/api/field/${title.id}/search/sign`
    ].map(async (path) => JSON.stringify((await limited.call("GET", path)).body))
  )
  for (const content of shown) expect(content).not.toMatch(/secretPlan|hush|seats|Shop/)
  expect(shown.at(-1)).toBe('[["signup"]]')
  expect((await limited.call("PUT", `/api/field/${title.id}`, { body: { display_name: "x" } })).status).toBe(403)

  await admin.call("PUT", `/api/field/${plan.id}`, { body: { display_name: "Plan" } })
  expect((await admin.call("GET", "/api/audit?action=field.update")).body.data[0].target).toEqual({
    kind: "field",
    id: String(plan.id),
    name: "secretPlan"
  })
}, 180_000)
