import { describe, expect, test } from "bun:test"
import { Effect, Layer } from "effect"
import { Sites, SitesError } from "../../../src/ports/Sites.ts"
import { ADMIN, startAdmin, VIEWER } from "./support.ts"

const ROUTES = [
  ["GET", "sites"],
  ["POST", "sites"],
  ["GET", "sites/9999"],
  ["PUT", "sites/9999"],
  ["DELETE", "sites/9999"],
  ["GET", "settings"],
  ["PUT", "settings/cors-max-age"],
  ["DELETE", "settings/cors-max-age"],
  ["GET", "keys"],
  ["POST", "keys"],
  ["DELETE", "keys/1"]
] as const
const VIEWABLE = [
  ["GET", "status"],
  ["GET", "rejections"],
  ["GET", "client"]
] as const

describe("while the feature is off, every route under the prefix is 402, whoever asks", () => {
  test.each([...ROUTES, ...VIEWABLE, ["GET", "nothing/here"] as const, ["GET", ""] as const])(
    "%s %s",
    async (method, path) => {
      const admin = await startAdmin({ gate: { _tag: "Off", why: "no license token is set" } })
      for (const key of [ADMIN, VIEWER, "ff_wrong", null]) {
        const answer = await admin.call(method, path, { key })
        expect([answer.status, answer.headers.get("content-type"), answer.body.title]).toEqual([
          402,
          "application/problem+json",
          "Payment Required"
        ])
        expect(answer.body.detail).toContain("no license token is set")
      }
      await admin.close()
    }
  )
})

describe("without a key that is known, every route is 401 and says how to send one", () => {
  test.each([...ROUTES, ...VIEWABLE])("%s %s", async (method, path) => {
    const admin = await startAdmin()
    for (const key of ["ff_wrong", "", null]) {
      const answer = await admin.call(method, path, { key })
      expect([answer.status, answer.body.title, answer.headers.get("www-authenticate")]).toEqual([
        401,
        "Unauthorized",
        'Bearer realm="footfall"'
      ])
    }
    await admin.close()
  })
})

test("a viewer gets 403 where an admin is needed, before its body is looked at, and reads the rest", async () => {
  const admin = await startAdmin()
  for (const [method, path] of ROUTES) {
    const answer = await admin.call(method, path, { key: VIEWER })
    expect([method, path, answer.status, answer.body.title]).toEqual([method, path, 403, "Forbidden"])
  }
  for (const [method, path] of VIEWABLE) expect((await admin.call(method, path, { key: VIEWER })).status).toBe(200)
  await admin.close()
})

test("the scheme may be written in any case", async () => {
  const admin = await startAdmin()
  expect((await admin.call("GET", "sites", { key: null, headers: { authorization: `bearer ${ADMIN}` } })).status).toBe(
    200
  )
  await admin.close()
})

test("a key is listed without itself, and a revoked one is refused", async () => {
  const admin = await startAdmin()
  const created = await admin.call("POST", "keys", { body: { name: "ci", role: "admin" } })
  expect(created.body).toMatchObject({ name: "ci", role: "admin" })
  expect(created.body.key).toMatch(/^ff_[\w-]{43}$/)
  expect(JSON.stringify((await admin.call("GET", "keys")).body)).not.toContain(created.body.key)
  expect((await admin.call("GET", "sites", { key: created.body.key })).status).toBe(200)
  expect((await admin.call("DELETE", `keys/${created.body.id}`)).body).toEqual({ id: created.body.id, revoked: true })
  expect((await admin.call("GET", "sites", { key: created.body.key })).status).toBe(401)
  expect((await admin.call("DELETE", `keys/${created.body.id}`)).status).toBe(404)
  await admin.close()
})

test("while the database is away, sites are 503 with a time to come back", async () => {
  const unavailable = Effect.fail(
    new SitesError({ reason: "Unavailable", message: "The app database can't be reached." })
  )
  const admin = await startAdmin({
    sites: Layer.succeed(Sites, {
      find: () => undefined,
      allowsOrigin: () => true,
      list: () => unavailable,
      get: () => unavailable,
      create: () => unavailable,
      update: () => unavailable,
      archive: () => unavailable
    })
  })
  const answer = await admin.call("GET", "sites")
  expect([answer.status, answer.headers.get("retry-after"), answer.body.detail]).toEqual([
    503,
    "2",
    "The app database can't be reached."
  ])
  await admin.close()
})
