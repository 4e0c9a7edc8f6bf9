import { beforeEach, describe, expect, test } from "bun:test"
import { Effect, Layer } from "effect"
import { SiteData } from "../../../src/ports/SiteData.ts"
import { type Admin, startAdmin } from "./support.ts"

const ID = "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f"

let admin: Admin
beforeEach(async () => {
  admin = await startAdmin()
  return admin.close
})

test("creating a site returns its id, the given values, defaults and a snippet", async () => {
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
    definitions: "strict",
    currency: "USD",
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    updated_at: body.created_at,
    tracking_snippet: `<script defer src="https://cloud.umami.is/script.js" data-website-id="${ID}" data-host-url="https://stats.example"></script>`
  })
})

test("a site created without an id gets a random UUID", async () => {
  const { body } = await admin.call("POST", "sites", { body: { name: "Shop" } })
  expect(body.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(body.tracking_snippet).toContain(`data-website-id="${body.id}"`)
})

test("domains can be given as one string, as from a form field", async () => {
  const { body } = await admin.call("POST", "sites", {
    body: { name: "Shop", allowed_domains: "a.example, b.example\nc.example" }
  })
  expect(body.allowed_domains).toEqual(["a.example", "b.example", "c.example"])
})

test("the list is ordered by name and includes archived sites only on request", async () => {
  for (const name of ["beta", "Alpha", "gone"]) {
    const { body } = await admin.call("POST", "sites", { body: { name } })
    if (name === "gone") expect((await admin.call("DELETE", `sites/${body.id}`)).body.archived).toBe(true)
  }
  const names = async (path: string) => (await admin.call("GET", path)).body.map(({ name }: { name: string }) => name)
  expect(await names("sites")).toEqual(["Alpha", "beta"])
  expect(await names("sites?archived=false")).toEqual(["Alpha", "beta"])
  expect(await names("sites?archived=true")).toEqual(["Alpha", "beta", "gone"])
})

test("a long list has pages, and each links to the next", async () => {
  for (const name of ["d", "b", "a", "c", "e"]) await admin.call("POST", "sites", { body: { name } })
  const names: Array<Array<string>> = []
  for (let path: string | undefined = "sites?limit=2"; path !== undefined; ) {
    const { body, headers } = await admin.call("GET", path)
    names.push(body.map(({ name }: { name: string }) => name))
    const next = /^<(\?[^>]+)>; rel="next"$/.exec(headers.get("link") ?? "")?.[1]
    path = next === undefined ? undefined : `sites${next}`
  }
  expect(names).toEqual([["a", "b"], ["c", "d"], ["e"]])
  for (const query of ["limit=0", "limit=501", "after=last"]) {
    expect((await admin.call("GET", `sites?${query}`)).status).toBe(400)
  }
})

test("a site is read, updated with only the given values, archived and restored", async () => {
  await admin.call("POST", "sites", { body: { id: ID, name: "Shop", rate_limit: { events_per_second: 5 } } })
  expect((await admin.call("GET", `sites/${ID}`)).body.rate_limit).toEqual({ events_per_second: 5, burst: 10 })
  const changed = await admin.call("PUT", `sites/${ID.toUpperCase()}`, { body: { name: "Store" } })
  expect([changed.status, changed.body.name, changed.body.rate_limit.burst]).toEqual([200, "Store", 10])
  const unlimited = await admin.call("PUT", `sites/${ID}`, {
    body: { rate_limit: null, timezone: "Asia/Tokyo", week_start: "sunday", definitions: "umami", currency: "JPY" }
  })
  expect(unlimited.body).toMatchObject({
    rate_limit: null,
    timezone: "Asia/Tokyo",
    week_start: "sunday",
    definitions: "umami",
    currency: "JPY"
  })
  const archived = await admin.call("DELETE", `sites/${ID}`)
  expect([archived.status, archived.body.archived]).toEqual([200, true])
  expect((await admin.call("PUT", `sites/${ID}`, { body: { archived: false } })).body.archived).toBe(false)
})

test("a response can be edited and sent back as an update", async () => {
  const { body } = await admin.call("POST", "sites", { body: { name: "Shop" } })
  const { status, body: changed } = await admin.call("PUT", `sites/${body.id}`, { body: { ...body, name: "Store" } })
  expect([status, changed.name, changed.id]).toEqual([200, "Store", body.id])
})

test("resetting a site answers what was deleted and how many visitors stay as empty rows", async () => {
  await admin.close()
  admin = await startAdmin({
    siteData: Layer.succeed(
      SiteData,
      SiteData.of({
        reset: () => Effect.succeed({ events: 7, visitors: 3, keptVisitors: 2 }),
        remove: () => Effect.succeed({ events: 0, visitors: 0 })
      })
    )
  })
  await admin.call("POST", "sites", { body: { id: ID, name: "Shop" } })
  const { body, status } = await admin.call("POST", `sites/${ID}/reset`)
  expect([status, body]).toEqual([200, { events: 7, visitors: 3, kept_visitors: 2 }])
})

test("creating a site with an existing id is a conflict, even if that site is archived", async () => {
  await admin.call("POST", "sites", { body: { id: ID, name: "Shop" } })
  await admin.call("DELETE", `sites/${ID}`)
  const { status, body } = await admin.call("POST", "sites", { body: { id: ID, name: "again" } })
  expect([status, body.title, body.detail]).toEqual([
    409,
    "Conflict",
    `A site with the id "${ID}" already exists; it may be archived.`
  ])
})

describe("a body that does not match the schema", () => {
  test.each<[string, unknown, ReadonlyArray<string>]>([
    ["a missing body", undefined, ["#"]],
    ["a body that is not JSON", "{", ["#"]],
    ["a list as the body", [], ["#"]],
    ["a missing name", {}, ["#/name"]],
    ["a blank name", { name: "  " }, ["#/name"]],
    ["a number as name", { name: 5 }, ["#/name"]],
    ["a string as the rate limit", { name: "x", rate_limit: "fast" }, ["#/rate_limit"]],
    ["a misspelled key", { name: "x", allowed_domain: [] }, ["#/allowed_domain"]],
    ["a body with two issues", { name: "", timezone: 5 }, ["#/name", "#/timezone"]]
  ])("%s is rejected with 400 and a pointer to each issue", async (_, body, pointers) => {
    const response = await admin.call("POST", "sites", { body })
    expect(response.status).toBe(400)
    expect(response.headers.get("content-type")).toBe("application/problem+json")
    expect(response.body).toMatchObject({ type: "about:blank", title: "Bad Request", status: 400 })
    expect(response.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([...pointers])
  })
})

test("the error for a misspelled key lists the keys that exist", async () => {
  const { body } = await admin.call("POST", "sites", { body: { name: "x", allowed_domain: [] } })
  expect(body.errors[0].detail).toMatch(
    /^There is no property `allowed_domain`\. Did you mean `allowed_domains`\? The properties are `id`, `name`, `allowed_domains`/
  )
  expect(body.detail).toBe(`Invalid body: ${body.errors[0].detail}`)
})

describe("a body with invalid values", () => {
  test.each<[string, object, ReadonlyArray<string>]>([
    ["an id that is not a UUID", { name: "x", id: "1" }, ["#/id"]],
    ["a domain with a path", { name: "x", allowed_domains: ["ok.example", "a.example/b"] }, ["#/allowed_domains/1"]],
    ["a rate of 0", { name: "x", rate_limit: { events_per_second: 0, burst: 1 } }, ["#/rate_limit"]],
    ["an unknown time zone", { name: "x", timezone: "Mars/Olympus" }, ["#/timezone"]],
    [
      "several invalid values",
      { name: "x".repeat(101), week_start: "friday", definitions: "loose", currency: "1" },
      ["#/name", "#/week_start", "#/definitions", "#/currency"]
    ]
  ])("%s is rejected with 422 and a pointer to each value, and no site is created", async (_, body, pointers) => {
    const response = await admin.call("POST", "sites", { body })
    expect(response.status).toBe(422)
    expect(response.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([...pointers])
    expect((await admin.call("GET", "sites")).body).toEqual([])
  })
})

describe("an unknown or malformed site id", () => {
  test.each([
    ["GET", "sites/9999", undefined],
    ["PUT", "sites/9999", { name: "x" }],
    ["DELETE", "sites/9999", undefined],
    ["GET", `sites/${ID}`, undefined],
    ["PUT", `sites/${ID}`, { name: "x" }],
    ["DELETE", `sites/${ID}`, undefined],
    ["GET", "sites/9999/rejections", undefined],
    ["GET", `sites/${ID}/rejections`, undefined]
  ])("%s %s responds with 404", async (method, path, body) => {
    const response = await admin.call(method, path, { body })
    expect([response.status, response.body.title]).toEqual([404, "Not Found"])
  })
})

test("without PUBLIC_URL the snippet has this machine's port, or with PORT=0 the address of the request", async () => {
  const snippet = async (environment: Record<string, string>) => {
    const other = await startAdmin({ environment })
    const { body } = await other.call("POST", "sites", { body: { name: "Shop" } })
    await other.close()
    return /data-host-url="([^"]*)"/.exec(body.tracking_snippet)?.[1]
  }
  expect(await snippet({ PORT: "8080" })).toBe("http://localhost:8080")
  expect(await snippet({ PORT: "0" })).toBe("http://localhost:3000")
})
