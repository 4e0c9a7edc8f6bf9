import { describe, expect, test } from "bun:test"
import { Context, Effect, Layer } from "effect"
import { HttpApi } from "effect/http-api"
import { requirementOf } from "../../../src/domain/Principal.ts"
import { AdminApi } from "../../../src/http/api/AdminApi.ts"
import { RequiredPermission } from "../../../src/http/api/access.ts"
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

describe("without a valid license", () => {
  test.each([...ROUTES, ...VIEWABLE, ["GET", "nothing/here"] as const, ["GET", ""] as const])(
    "%s %s responds with 402 to every key",
    async (method, path) => {
      const admin = await startAdmin({ gate: { _tag: "Off", why: "no license token is set" } })
      for (const key of [ADMIN, VIEWER, "ff_wrong", null]) {
        const response = await admin.call(method, path, { key })
        expect([response.status, response.headers.get("content-type"), response.body.title]).toEqual([
          402,
          "application/problem+json",
          "Payment Required"
        ])
        expect(response.body.detail).toContain("no license token is set")
      }
      await admin.close()
    }
  )
})

describe("without a valid key", () => {
  test.each([...ROUTES, ...VIEWABLE])("%s %s responds with 401 and how to authenticate", async (method, path) => {
    const admin = await startAdmin()
    for (const key of ["ff_wrong", "", null]) {
      const response = await admin.call(method, path, { key })
      expect([response.status, response.body.title, response.headers.get("www-authenticate")]).toEqual([
        401,
        "Unauthorized",
        'Bearer realm="footfall"'
      ])
    }
    await admin.close()
  })
})

test("a viewer gets 403 where an admin is required, before its body is decoded, and can read the rest", async () => {
  const admin = await startAdmin()
  for (const [method, path] of ROUTES) {
    const response = await admin.call(method, path, { key: VIEWER })
    expect([method, path, response.status, response.body.title]).toEqual([method, path, 403, "Forbidden"])
  }
  for (const [method, path] of VIEWABLE) expect((await admin.call(method, path, { key: VIEWER })).status).toBe(200)
  await admin.close()
})

test("the authorization scheme is case-insensitive", async () => {
  const admin = await startAdmin()
  expect((await admin.call("GET", "sites", { key: null, headers: { authorization: `bearer ${ADMIN}` } })).status).toBe(
    200
  )
  await admin.close()
})

test("a key is listed without itself, and rejected once it is revoked", async () => {
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

test("while the database is unreachable, listing sites responds with 503 and Retry-After", async () => {
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
  const response = await admin.call("GET", "sites")
  expect([response.status, response.headers.get("retry-after"), response.body.detail]).toEqual([
    503,
    "2",
    "The app database can't be reached."
  ])
  await admin.close()
})

test("every endpoint declares the permission that it requires, and a rule says who has it", () => {
  const undeclared: Array<string> = []
  HttpApi.reflect(AdminApi, {
    onGroup: () => {},
    onEndpoint: ({ group, endpoint }) => {
      const permission = Context.get(endpoint.annotations, RequiredPermission)
      if (permission === null || requirementOf(permission.action, permission.resource) === null) {
        undeclared.push(`${group.identifier}.${endpoint.identifier}`)
      }
    }
  })
  expect(undeclared).toEqual([])
})
