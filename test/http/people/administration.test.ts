import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Effect, Redacted } from "effect"
import { PRODUCT_ANALYTICS } from "../../../src/domain/people.ts"
import { until } from "../../support/eventually.ts"
import {
  ADA,
  type Client,
  createAda,
  type PeopleServer,
  serveDatabase,
  signIn,
  startPeopleServer
} from "../../support/people/peopleServer.ts"
import { PASSWORD } from "../../support/postgres/peopleProcess.ts"
import type { Json } from "../api/support.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const KEYS = "/api/ee/product-analytics/keys"
const SITES = "/api/ee/product-analytics/sites"
const password = Redacted.value(PASSWORD)

let server: PeopleServer
let admin: Client

beforeAll(async () => {
  server = await startPeopleServer()
  await createAda(server)
  admin = server.browser()
  await signIn(admin)
})

afterAll(() => server[Symbol.asyncDispose]())

const ok = async (method: string, path: string, body?: unknown, client = admin): Promise<Json> => {
  const answer = await client.call(method, path, body === undefined ? {} : { body })
  expect([method, path, answer.status, answer.body?.detail]).toEqual([
    method,
    path,
    answer.status === 204 ? 204 : 200,
    undefined
  ])
  return answer.body
}

const pointers = (answer: { readonly body: Json }) => answer.body.errors?.map(({ pointer }: Json) => pointer)

describe("users", () => {
  test("are created, found page by page, changed, disabled, enabled and deleted", async () => {
    const created = await ok("POST", "/api/user", {
      email: "Carl@Example.com",
      name: "Carl",
      password,
      timezone: "Asia/Tokyo"
    })
    expect(created).toMatchObject({
      link: null,
      user: { email: "carl@example.com", group_ids: [1], has_password: true }
    })
    const { id } = created.user
    const list = await ok("GET", "/api/user?query=CARL&limit=1")
    expect([list.total, list.limit, list.offset, list.data[0].id]).toEqual([1, 1, 0, id])
    expect(await ok("PUT", `/api/user/${id}`, { name: "Carl F.", group_ids: [2], language: "de" })).toMatchObject({
      name: "Carl F.",
      is_superuser: true,
      language: "de"
    })
    expect(await ok("PUT", `/api/user/${id}`, { group_ids: [] })).toMatchObject({ is_superuser: false })
    expect(await ok("DELETE", `/api/user/${id}`)).toMatchObject({ is_active: false })
    expect((await admin.call("POST", `/api/user/${id}/link`)).status).toBe(409)
    expect((await ok("GET", "/api/user?status=deactivated")).data.map((user: Json) => user.id)).toEqual([id])
    expect((await signIn(server.browser(), "carl@example.com")).status).toBe(401)
    expect(await ok("PUT", `/api/user/${id}/reactivate`)).toMatchObject({ is_active: true })
    const carl = server.browser()
    await signIn(carl, "carl@example.com")
    expect((await ok("GET", `/api/user/${id}/session`)).length).toBe(1)
    await ok("DELETE", `/api/user/${id}/session`)
    expect((await carl.call("GET", "/api/user/current")).status).toBe(401)
    await signIn(carl, "carl@example.com")
    await ok("DELETE", `/api/user/${id}/permanently`)
    expect((await carl.call("GET", "/api/user/current")).status).toBe(401)
    expect((await admin.call("DELETE", `/api/user/${id}/permanently`)).status).toBe(404)
    expect((await ok("GET", "/api/user?status=all&query=carl")).total).toBe(0)
  })

  test("with invalid values are refused with a pointer to each, and unknown members and ids too", async () => {
    const invalid = await admin.call("POST", "/api/user", {
      body: { email: "x", name: "\u0007", password: "short", timezone: "Nowhere" }
    })
    expect([invalid.status, pointers(invalid)]).toEqual([422, ["#/email", "#/name", "#/timezone", "#/password"]])
    const group = await admin.call("POST", "/api/user", { body: { email: "x@y.z", name: "X", group_ids: [77] } })
    expect([group.status, pointers(group), group.body.detail]).toEqual([
      422,
      ["#/group_ids"],
      "There is no group with the id 77."
    ])
    expect((await admin.call("POST", "/api/user", { body: { email: "x@y.z", name: "X", admin: true } })).status).toBe(
      400
    )
    expect((await admin.call("POST", "/api/user", { body: { email: ADA.email, name: "X" } })).status).toBe(409)
    for (const [path, status] of [
      ["/api/user/999999", 404],
      ["/api/user/2147483648", 400],
      ["/api/user/0", 400],
      ["/api/user/x", 400],
      ["/api/user?limit=501", 400],
      ["/api/user?query=%00", 200],
      ["/api/user?group_id=99", 200]
    ] as const) {
      expect([path, (await admin.call("GET", path)).status]).toEqual([path, status])
    }
  })

  test("change only their own account, and their password only with the old one", async () => {
    await ok("POST", "/api/user", { email: "dora@example.com", name: "Dora", password })
    const [dora, other] = [server.browser(), server.browser()]
    await signIn(dora, "dora@example.com")
    await signIn(other, "dora@example.com")
    const changed = await ok("PUT", "/api/user/current", { name: "Dora B.", language: "pt-br", theme: "dark" }, dora)
    expect(changed).toMatchObject({ name: "Dora B.", language: "pt-BR", theme: "dark", level: "none", site_limit: [] })
    for (const body of [{ email: "x@y.z" }, { group_ids: [2] }, { is_superuser: true }, { theme: "pink" }]) {
      expect((await dora.call("PUT", "/api/user/current", { body })).status).toBe(400)
    }
    expect((await dora.call("GET", "/api/user")).status).toBe(403)
    const next = "another long password"
    const wrong = await dora.call("PUT", "/api/user/current/password", { body: { old_password: "x", password: next } })
    expect([wrong.status, pointers(wrong)]).toEqual([422, ["#/old_password"]])
    const weak = await dora.call("PUT", "/api/user/current/password", {
      body: { old_password: password, password: "dora@example.com" }
    })
    expect([weak.status, pointers(weak)]).toEqual([422, ["#/password"]])
    await ok("PUT", "/api/user/current/password", { old_password: password, password: next }, dora)
    expect((await dora.call("GET", "/api/user/current")).status).toBe(200)
    await until("the other session ends", async () => (await other.call("GET", "/api/user/current")).status === 401)
    expect((await signIn(other, "dora@example.com", next)).status).toBe(200)
    // A stolen session cannot be used to guess the password.
    const guesses: Array<number> = []
    for (let i = 0; i < 12; i++) {
      const body = { old_password: `guess ${i}`, password: next }
      guesses.push((await other.call("PUT", "/api/user/current/password", { body })).status)
    }
    expect(guesses.slice(-2)).toEqual([429, 429])
  })

  test("cannot remove the last administrator", async () => {
    const { id } = (await ok("GET", "/api/user/current")) as { id: number }
    for (const [method, path, body] of [
      ["DELETE", `/api/user/${id}`, undefined],
      ["DELETE", `/api/user/${id}/permanently`, undefined],
      ["PUT", `/api/user/${id}`, { group_ids: [1] }]
    ] as const) {
      const answer = await admin.call(method, path, body === undefined ? {} : { body })
      expect([method, answer.status]).toEqual([method, 409])
      expect(answer.body.detail).toContain("last administrator")
    }
  })
})

describe("groups and permissions", () => {
  test("let a user see the sites of their groups, as soon as they may read, and no longer once they may not", async () => {
    const [shop, blog] = [await ok("POST", SITES, { name: "Shop" }), await ok("POST", SITES, { name: "Blog" })]
    const { user } = await ok("POST", "/api/user", { email: "eva@example.com", name: "Eva", password })
    const eva = server.browser()
    await signIn(eva, "eva@example.com")
    const group = await ok("POST", "/api/permissions/group", { name: "Shop only", site_limit: [shop.id] })
    const member = await ok("POST", "/api/permissions/membership", { group_id: group.id, user_id: user.id })
    const account = () => ok("GET", "/api/user/current", undefined, eva)
    expect(await account()).toMatchObject({ level: "none", site_limit: [] })
    const refused = await eva.call("GET", `${SITES}/${shop.id}/stats?startAt=1&endAt=2`)
    expect([refused.status, refused.body.detail]).toEqual([
      403,
      "You do not have access to the product analytics database"
    ])
    const { revision } = await ok("GET", "/api/collection/graph")
    const graph = await ok("PUT", "/api/collection/graph", {
      revision,
      groups: { [group.id]: { [PRODUCT_ANALYTICS.id]: "read" } }
    })
    expect([graph.revision, graph.groups[group.id], graph.groups["2"]]).toEqual([
      revision + 1,
      { "1": "read" },
      { "1": "write" }
    ])
    expect(await account()).toMatchObject({ level: "read", site_limit: [shop.id] })
    expect((await eva.call("GET", `${SITES}/${blog.id}/stats?startAt=1&endAt=2`)).status).toBe(403)
    expect((await eva.call("GET", `${SITES}/${shop.id}/rejections`)).status).toBe(200)
    await ok("PUT", `/api/permissions/group/${group.id}`, { site_limit: null })
    expect(await account()).toMatchObject({ site_limit: null })
    await ok("DELETE", `/api/permissions/membership/${member.membership_id}`)
    await until("the group is left", async () => (await account()).level === "none")
  })

  test("name the id of a user, group or collection that cannot be one, and what is accepted", async () => {
    const group = await ok("POST", "/api/permissions/group", { name: "Of ids" })
    const noSuch = (what: string, id: number) =>
      `Invalid body: There is no ${what} with the id ${id}; ids are whole numbers from 1.`
    const { revision } = await ok("GET", "/api/collection/graph")
    for (const [method, path, body, status, pointer, detail] of [
      ["POST", "/api/permissions/membership", { group_id: group.id, user_id: 0 }, 400, "#/user_id", noSuch("user", 0)],
      [
        "POST",
        "/api/permissions/membership",
        { group_id: 2_147_483_648, user_id: 1 },
        400,
        "#/group_id",
        noSuch("group", 2_147_483_648)
      ],
      [
        "POST",
        "/api/permissions/membership",
        { group_id: group.id, user_id: 999 },
        404,
        undefined,
        "There is no user with the id 999."
      ],
      ["POST", "/api/user", { email: "x@y.z", name: "X", group_ids: [-1] }, 400, "#/group_ids/0", noSuch("group", -1)],
      ["POST", KEYS, { name: "x", group_id: 2_147_483_648 }, 400, "#/group_id", noSuch("group", 2_147_483_648)],
      [
        "PUT",
        "/api/collection/graph",
        { revision, groups: { "0": { "1": "read" } } },
        422,
        "#/groups/0",
        'There is no group with the id "0"; ids are whole numbers from 1.'
      ],
      [
        "PUT",
        "/api/collection/graph",
        { revision, groups: { "1": { root: "read" } } },
        422,
        "#/groups/1/root",
        'There is no collection with the id "root"; ids are whole numbers from 1.'
      ],
      [
        "PUT",
        "/api/collection/graph",
        { revision, groups: { "999": { "1": "read" } } },
        422,
        "#/groups/999",
        "There is no group with the id 999."
      ],
      [
        "PUT",
        "/api/collection/graph",
        { revision, groups: { "1": { "999": "read" } } },
        422,
        "#/groups/1/999",
        "There is no collection with the id 999."
      ]
    ] as const) {
      const answer = await admin.call(method, path, { body })
      expect([path, answer.status, pointers(answer)?.[0], answer.body.detail]).toEqual([path, status, pointer, detail])
    }
  })

  test("change from the latest revision only", async () => {
    await using other = await serveDatabase(server.database)
    const elsewhere = other.browser()
    await signIn(elsewhere)
    const { revision } = await ok("GET", "/api/collection/graph")
    const change = (client: Client, level: string) =>
      client.call("PUT", "/api/collection/graph", { body: { revision, groups: { "1": { "1": level } } } })
    const answers = await Promise.all([change(admin, "read"), change(elsewhere, "write"), change(admin, "read")])
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409])
    const latest = revision + 1
    for (const [groups, status] of [
      [{ "99": { "1": "read" } }, 422],
      [{ "1": { "99": "read" } }, 422],
      [{ "1": { root: "read" } }, 422],
      [{ "-1": { "1": "read" } }, 422],
      [{ "2": { "1": "none" } }, 422],
      [{ "1": { "1": "admin" } }, 400],
      [{ "1": { "1": "none" } }, 200]
    ] as const) {
      const answer = await admin.call("PUT", "/api/collection/graph", { body: { revision: latest, groups } })
      expect([groups, answer.status]).toEqual([groups, status])
    }
  })

  test("of the database follow from the collection, and cannot be changed directly", async () => {
    const graph = await ok("GET", "/api/permissions/graph")
    expect(Object.values(graph.groups).every((databases) => Object.keys(databases as object).length === 0)).toBe(true)
    for (const body of [graph, { revision: 0, groups: { "1": { "13371338": { "view-data": "unrestricted" } } } }, {}]) {
      const answer = await admin.call("PUT", "/api/permissions/graph", { body })
      expect([answer.status, answer.body.detail]).toEqual([
        400,
        "Permissions of the Product Analytics database are controlled by its collection."
      ])
    }
  })

  test("are listed with their members, renamed and deleted, except for those that always exist", async () => {
    const all = await ok("GET", "/api/permissions/group")
    expect(all.slice(0, 2).map(({ name }: Json) => name)).toEqual(["Administrators", "All users"])
    const group = await ok("POST", "/api/permissions/group", { name: "Temporary" })
    expect(await ok("PUT", `/api/permissions/group/${group.id}`, { name: "Renamed" })).toMatchObject({
      name: "Renamed"
    })
    const wrong = await admin.call("PUT", `/api/permissions/group/${group.id}`, {
      body: { site_limit: ["x", crypto.randomUUID()] }
    })
    expect([wrong.status, pointers(wrong)]).toEqual([422, ["#/site_limit/0"]])
    const unknown = await admin.call("PUT", `/api/permissions/group/${group.id}`, {
      body: { site_limit: [crypto.randomUUID()] }
    })
    expect([unknown.status, pointers(unknown)]).toEqual([422, ["#/site_limit"]])
    expect((await ok("GET", "/api/permissions/group/2")).members).toMatchObject([{ email: ADA.email }])
    await ok("DELETE", `/api/permissions/group/${group.id}`)
    expect((await admin.call("GET", `/api/permissions/group/${group.id}`)).status).toBe(404)
    for (const id of [1, 2]) expect((await admin.call("DELETE", `/api/permissions/group/${id}`)).status).toBe(422)
    expect((await admin.call("POST", "/api/permissions/group", { body: { name: "all USERS" } })).status).toBe(409)
    expect((await admin.call("DELETE", "/api/permissions/membership/999999")).status).toBe(404)
  })
})

describe("API keys", () => {
  test("that are read-only or bound to a group have only these rights, and show when they were used", async () => {
    const shop = await ok("POST", SITES, { name: "Key shop" })
    const group = await ok("POST", "/api/permissions/group", { name: "Key group", site_limit: [shop.id] })
    const { revision } = await ok("GET", "/api/collection/graph")
    await ok("PUT", "/api/collection/graph", { revision, groups: { [group.id]: { "1": "write" } } })
    const readOnly = await ok("POST", KEYS, { name: "reader", role: "admin", read_only: true })
    const bound = await ok("POST", KEYS, { name: "bound", group_id: group.id, read_only: true })
    expect([readOnly.role, readOnly.read_only, bound.role, bound.group_id]).toEqual(["admin", true, null, group.id])
    const statusOf = async (key: string, method: string, path: string, body?: unknown) =>
      (await server.program(key).call(method, path, body === undefined ? {} : { body })).status
    expect(await statusOf(readOnly.key, "GET", SITES)).toBe(200)
    expect(await statusOf(readOnly.key, "POST", SITES, { name: "No" })).toBe(403)
    expect(await statusOf(bound.key, "GET", SITES)).toBe(403)
    expect(await statusOf(bound.key, "GET", `${SITES}/${shop.id}/rejections`)).toBe(200)
    expect(await statusOf(bound.key, "GET", "/api/user/current")).toBe(403)
    for (const [body, pointer] of [
      [{ name: "x", group_id: 9999 }, "#/group_id"],
      [{ name: "x", group_id: group.id, role: "admin" }, "#/role"],
      [{ name: "x", role: null }, "#/role"],
      [{ name: "\u0000" }, "#/name"]
    ] as const) {
      const answer = await admin.call("POST", KEYS, { body })
      expect([answer.status, pointers(answer)]).toEqual([422, [pointer]])
    }
    expect((await admin.call("DELETE", `${KEYS}/%00`)).status).toBe(404)
    await ok("DELETE", `/api/permissions/group/${group.id}`)
    await until("the group's key is revoked", async () => (await statusOf(bound.key, "GET", "/api/session")) === 401)
  })
})

describe("the audit log", () => {
  test("has every change with who made it, page by page, and no secrets", async () => {
    await using fresh = await startPeopleServer()
    await createAda(fresh)
    const ada = fresh.browser()
    await signIn(ada)
    const site = await ok("POST", SITES, { name: "Shop" }, ada)
    await ok("PUT", `${SITES}/${site.id}`, { currency: "EUR" }, ada)
    await ok("DELETE", `${SITES}/${site.id}`, undefined, ada)
    const setting = "/api/ee/product-analytics/settings/metrics-token"
    await ok("PUT", setting, { value: "a secret of many characters" }, ada)
    await ok("DELETE", setting, undefined, ada)
    const key = await ok("POST", KEYS, { name: "ci" }, ada)
    await ok("POST", "/api/permissions/group", { name: "By key" }, fresh.program(key.key))
    await ok("DELETE", `${KEYS}/${key.id}`, undefined, ada)
    // What changes nothing is not recorded.
    expect((await ada.call("POST", "/api/permissions/group", { body: { name: "by KEY" } })).status).toBe(409)
    expect((await ada.call("DELETE", `${KEYS}/${key.id}`)).status).toBe(404)
    const entries: Array<Json> = []
    for (let path = "/api/audit?limit=3"; ; ) {
      const page = await ok("GET", path, undefined, ada)
      expect(page.data.length).toBeLessThanOrEqual(3)
      entries.push(...page.data)
      if (page.next === null) break
      path = `/api/audit?limit=3&before=${page.next}`
    }
    expect(entries.map(({ action, actor, target }) => [action, actor.kind, target.name]).reverse()).toEqual([
      ["user.create", "local", ADA.name],
      ["session.create", "user", ADA.name],
      ["site.create", "user", "Shop"],
      ["site.update", "user", "Shop"],
      ["site.archive", "user", "Shop"],
      ["setting.set", "user", "METRICS_TOKEN"],
      ["setting.unset", "user", "METRICS_TOKEN"],
      ["key.create", "user", "ci"],
      ["group.create", "key", "By key"],
      ["key.revoke", "user", "ci"]
    ])
    expect(entries.find(({ action }) => action === "site.update").details).toEqual({ currency: "EUR" })
    expect(entries.find(({ action }) => action === "group.create").actor).toEqual({
      kind: "key",
      id: key.id,
      name: "ci"
    })
    expect(JSON.stringify(entries)).not.toMatch(/a secret of many|ff_|ada@|argon2|127\.0\.0\.1/)
    const filtered = await ok("GET", "/api/audit?target_kind=setting&action=setting.set&actor_id=1", undefined, ada)
    expect(filtered.data.map(({ details }: Json) => details)).toEqual([{ value: "•••" }])
    for (const path of ["/api/audit?before=x", "/api/audit?limit=0", "/api/audit?action=%00"]) {
      expect([path, (await ada.call("GET", path)).status]).toEqual([path, 400])
    }
  })

  test("has no entry for a change that fails, since both are one transaction", async () => {
    await using fresh = await startPeopleServer()
    await createAda(fresh)
    await fresh.locally(({ audit, groups }) =>
      Effect.gen(function* () {
        const before = (yield* audit.list({ limit: 100 })).length
        yield* Effect.flip(groups.create({ name: "x".repeat(101) }))
        yield* Effect.flip(groups.setGraph(77, new Map()))
        expect((yield* audit.list({ limit: 100 })).length).toBe(before)
      })
    )
  })
})
