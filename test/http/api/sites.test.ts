import { beforeEach, describe, expect, test } from "bun:test"
import { type Admin, startAdmin } from "./support.ts"

const ID = "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f"

let admin: Admin
beforeEach(async () => {
  admin = await startAdmin()
  return admin.close
})

test("a site is created with a uuid, what was given, and a snippet to paste", async () => {
  const { status, body } = await admin.call("POST", "sites", {
    body: { id: ID.toUpperCase(), name: "Shop", allowed_domains: ["shop.example"] }
  })
  expect(status).toBe(200)
  expect(body).toEqual({
    id: ID,
    uuid: ID,
    name: "Shop",
    allowed_domains: ["shop.example"],
    archived: false,
    rate_limit: null,
    timezone: "UTC",
    week_start: "monday",
    currency: "USD",
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    updated_at: body.created_at,
    tracking_snippet: `<script defer src="https://cloud.umami.is/script.js" data-website-id="${ID}" data-host-url="https://stats.example"></script>`
  })
})

test("without an id a random one is made", async () => {
  const { body } = await admin.call("POST", "sites", { body: { name: "Shop" } })
  expect(body.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(body.tracking_snippet).toContain(`data-website-id="${body.id}"`)
})

test("domains may come as one text, as a form field has them", async () => {
  const { body } = await admin.call("POST", "sites", {
    body: { name: "Shop", allowed_domains: "a.example, b.example\nc.example" }
  })
  expect(body.allowed_domains).toEqual(["a.example", "b.example", "c.example"])
})

test("the list is ordered by name and leaves archived sites out unless they are asked for", async () => {
  for (const name of ["beta", "Alpha", "gone"]) {
    const { body } = await admin.call("POST", "sites", { body: { name } })
    if (name === "gone") expect((await admin.call("DELETE", `sites/${body.id}`)).body.archived).toBe(true)
  }
  const names = async (path: string) => (await admin.call("GET", path)).body.map(({ name }: { name: string }) => name)
  expect(await names("sites")).toEqual(["Alpha", "beta"])
  expect(await names("sites?archived=false")).toEqual(["Alpha", "beta"])
  expect(await names("sites?archived=true")).toEqual(["Alpha", "beta", "gone"])
})

test("a site is read, changed by what was given alone, and archived", async () => {
  await admin.call("POST", "sites", { body: { id: ID, name: "Shop", rate_limit: { events_per_second: 5 } } })
  expect((await admin.call("GET", `sites/${ID}`)).body.rate_limit).toEqual({ events_per_second: 5, burst: 10 })
  const changed = await admin.call("PUT", `sites/${ID.toUpperCase()}`, { body: { name: "Store" } })
  expect([changed.status, changed.body.name, changed.body.rate_limit.burst]).toEqual([200, "Store", 10])
  const unlimited = await admin.call("PUT", `sites/${ID}`, {
    body: { rate_limit: null, timezone: "Asia/Tokyo", week_start: "sunday", currency: "JPY" }
  })
  expect(unlimited.body).toMatchObject({
    rate_limit: null,
    timezone: "Asia/Tokyo",
    week_start: "sunday",
    currency: "JPY"
  })
  const archived = await admin.call("DELETE", `sites/${ID}`)
  expect([archived.status, archived.body.archived]).toEqual([200, true])
  expect((await admin.call("PUT", `sites/${ID}`, { body: { archived: false } })).body.archived).toBe(false)
})

test("an answer can be changed and sent back whole", async () => {
  const { body } = await admin.call("POST", "sites", { body: { name: "Shop" } })
  const { status, body: changed } = await admin.call("PUT", `sites/${body.id}`, { body: { ...body, name: "Store" } })
  expect([status, changed.name, changed.id]).toEqual([200, "Store", body.id])
})

test("a taken id is a conflict, an archived site's too", async () => {
  await admin.call("POST", "sites", { body: { id: ID, name: "Shop" } })
  await admin.call("DELETE", `sites/${ID}`)
  const { status, body } = await admin.call("POST", "sites", { body: { id: ID, name: "again" } })
  expect([status, body.title, body.detail]).toEqual([
    409,
    "Conflict",
    `A site with the id ${ID} exists already (archived sites count).`
  ])
})

describe("a body of the wrong shape is 400 and points to what is wrong", () => {
  test.each<[string, unknown, ReadonlyArray<string>]>([
    ["nothing", undefined, ["#"]],
    ["no JSON", "{", ["#"]],
    ["a list", [], ["#"]],
    ["no name", {}, ["#/name"]],
    ["a blank name", { name: "  " }, ["#/name"]],
    ["a number as name", { name: 5 }, ["#/name"]],
    ["a rate limit of text", { name: "x", rate_limit: "fast" }, ["#/rate_limit"]],
    ["a misspelt key", { name: "x", allowed_domain: [] }, ["#/allowed_domain"]],
    ["two mistakes", { name: "", timezone: 5 }, ["#/name", "#/timezone"]]
  ])("%s", async (_, body, pointers) => {
    const answer = await admin.call("POST", "sites", { body })
    expect(answer.status).toBe(400)
    expect(answer.headers.get("content-type")).toBe("application/problem+json")
    expect(answer.body).toMatchObject({ type: "about:blank", title: "Bad Request", status: 400 })
    expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([...pointers])
  })
})

describe("a well-formed body with values that can't be accepted is 422", () => {
  test.each<[string, object, ReadonlyArray<string>]>([
    ["an id that is no UUID", { name: "x", id: "1" }, ["#/id"]],
    ["a domain with a path", { name: "x", allowed_domains: ["ok.example", "a.example/b"] }, ["#/allowed_domains/1"]],
    ["a rate of 0", { name: "x", rate_limit: { events_per_second: 0, burst: 1 } }, ["#/rate_limit"]],
    ["an unknown zone", { name: "x", timezone: "Mars/Olympus" }, ["#/timezone"]],
    [
      "all at once",
      { name: "x".repeat(101), week_start: "friday", currency: "1" },
      ["#/name", "#/week_start", "#/currency"]
    ]
  ])("%s", async (_, body, pointers) => {
    const answer = await admin.call("POST", "sites", { body })
    expect(answer.status).toBe(422)
    expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([...pointers])
    expect((await admin.call("GET", "sites")).body).toEqual([])
  })
})

describe("an id of no site is 404, a malformed one too", () => {
  test.each([
    ["GET", "sites/9999", undefined],
    ["PUT", "sites/9999", { name: "x" }],
    ["DELETE", "sites/9999", undefined],
    ["GET", `sites/${ID}`, undefined],
    ["PUT", `sites/${ID}`, { name: "x" }],
    ["DELETE", `sites/${ID}`, undefined],
    ["GET", "sites/9999/rejections", undefined],
    ["GET", `sites/${ID}/rejections`, undefined]
  ])("%s %s", async (method, path, body) => {
    const answer = await admin.call(method, path, { body })
    expect([answer.status, answer.body.title]).toEqual([404, "Not Found"])
  })
})

test("without PUBLIC_URL the snippet names this machine's port, or with a free port the address that was asked", async () => {
  const snippet = async (environment: Record<string, string>) => {
    const other = await startAdmin({ environment })
    const { body } = await other.call("POST", "sites", { body: { name: "Shop" } })
    await other.close()
    return /data-host-url="([^"]*)"/.exec(body.tracking_snippet)?.[1]
  }
  expect(await snippet({ PORT: "8080" })).toBe("http://localhost:8080")
  expect(await snippet({ PORT: "0" })).toBe("http://localhost:3000")
})
