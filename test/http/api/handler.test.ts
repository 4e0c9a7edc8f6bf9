import { describe, expect, test } from "bun:test"
import { Effect, Layer } from "effect"
import { HttpApi } from "effect/http-api"
import { AdminApi } from "../../../src/http/api/AdminApi.ts"
import { VERSION } from "../../../src/lib/version.ts"
import { Sites } from "../../../src/ports/Sites.ts"
import { ADMIN, type Json, startAdmin } from "./support.ts"

test("every problem contains the request's path and id, and the id is also in a response header", async () => {
  const admin = await startAdmin()
  const given = await admin.call("GET", "sites/9999?x=1", { headers: { "x-request-id": "abc-123" } })
  expect(given.body).toEqual({
    type: "about:blank",
    title: "Not Found",
    status: 404,
    detail: 'There is no site with the id "9999".',
    instance: "/api/ee/product-analytics/sites/9999",
    request_id: "abc-123"
  })
  expect(given.headers.get("x-request-id")).toBe("abc-123")
  const generated = await admin.call("GET", "sites/9999", { headers: { "x-request-id": "no good<script>" } })
  expect(generated.body.request_id).toMatch(/^[0-9a-f-]{36}$/)
  expect(generated.headers.get("x-request-id")).toBe(generated.body.request_id)
  await admin.close()
})

test("responses forbid caching, framing and sniffing", async () => {
  const admin = await startAdmin()
  for (const path of ["sites", "nothing", "/openapi.json"]) {
    const { headers } = await admin.call("GET", path)
    expect([
      headers.get("cache-control"),
      headers.get("x-content-type-options"),
      headers.get("x-frame-options"),
      headers.get("referrer-policy"),
      headers.get("access-control-allow-origin")
    ]).toEqual(["no-store", "nosniff", "DENY", "no-referrer", null])
  }
  await admin.close()
})

describe("a path or method that does not exist", () => {
  test.each([
    ["GET", "/", 404],
    ["GET", "/favicon.ico", 404],
    ["GET", "nothing", 404],
    ["GET", "", 404],
    ["POST", "/api/ee/product-analyticsx", 404],
    ["GET", "sites/", 200],
    ["PATCH", "sites", 405],
    ["POST", "sites/9999", 405]
  ])("%s %s responds with %d", async (method, path, status) => {
    const admin = await startAdmin()
    const response = await admin.call(method, path)
    expect(response.status).toBe(status)
    if (status === 405) expect(response.headers.get("allow")).toBe(path === "sites" ? "GET, POST" : "GET, PUT, DELETE")
    if (status >= 400) expect(response.headers.get("content-type")).toBe("application/problem+json")
    await admin.close()
  })
})

test.each(["/docs", "/openapi.json"])("%s only answers GET and HEAD", async (path) => {
  const admin = await startAdmin()
  for (const method of ["GET", "HEAD"]) expect([method, (await admin.call(method, path)).status]).toEqual([method, 200])
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const { body, headers, status } = await admin.call(method, path)
    expect([method, status, headers.get("allow")]).toEqual([method, 405, "GET, HEAD"])
    expect(body).toMatchObject({ detail: "This path supports GET, HEAD.", instance: path })
  }
  await admin.close()
})

test("HEAD responds like GET", async () => {
  const admin = await startAdmin()
  const response = await admin.call("HEAD", "status")
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"])
  await admin.close()
})

test("a body over the limit is rejected with 413, announced or streamed, and one of another type with 415", async () => {
  const admin = await startAdmin()
  const large = JSON.stringify({ name: "x".repeat(300_000) })
  const announced = await admin.call("POST", "sites", {
    body: large,
    headers: { "content-length": String(large.length) }
  })
  const streamed = await admin.handler(
    new Request("http://localhost/api/ee/product-analytics/sites", {
      method: "POST",
      body: new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536))
      })
    })
  )
  expect([announced.status, announced.body.title, streamed.status]).toEqual([413, "Content Too Large", 413])
  const form = await admin.call("POST", "sites", {
    body: "name=x",
    headers: { "content-type": "application/x-www-form-urlencoded" }
  })
  expect([form.status, form.headers.get("content-type")]).toEqual([415, "application/problem+json"])
  await admin.close()
})

test("a body without a type is rejected with 415, and no body needs none", async () => {
  const admin = await startAdmin()
  const send = async (body: Uint8Array<ArrayBuffer>) => {
    const response = await admin.handler(
      new Request("http://localhost/api/ee/product-analytics/sites", {
        method: "POST",
        headers: { authorization: `Bearer ${ADMIN}` },
        body
      })
    )
    return [response.status, ((await response.json()) as Json).detail]
  }
  expect(await send(new TextEncoder().encode('{"name":"Shop"}'))).toEqual([
    415,
    "Say what the body is: Send the body as `application/json`."
  ])
  expect((await send(new Uint8Array()))[0]).toBe(400)
  await admin.close()
})

test.each(["%zz", "%", "%ff"])("a path with the part %j, which is no text, is rejected with 400", async (part) => {
  const admin = await startAdmin()
  const { body, status } = await admin.call("GET", `/api/card/${part}`)
  expect([status, body.detail]).toEqual([
    400,
    "The path has a `%` that is not followed by the code of a character in UTF-8."
  ])
  await admin.close()
})

test("a path with a part that is too long is rejected with 414, and with another method with 405", async () => {
  const admin = await startAdmin()
  const path = (length: number) => `/api/automagic-dashboards/adhoc/${"x".repeat(length)}`
  expect((await admin.call("GET", path(10_000))).status).toBe(400)
  const long = await admin.call("GET", path(10_001))
  expect([long.status, long.body.title, long.body.detail]).toEqual([
    414,
    "URI Too Long",
    "Each part of a path may have up to 10000 characters."
  ])
  expect((await admin.call("HEAD", path(10_500))).status).toBe(414)
  expect((await admin.call("POST", path(10_500))).status).toBe(405)
  await admin.close()
})

test("an unexpected failure responds with 500 and reveals nothing about it", async () => {
  const broken = Effect.die(new Error("password=hunter2 at /srv/app.ts"))
  const admin = await startAdmin({
    sites: Layer.succeed(Sites, {
      find: () => undefined,
      allowsOrigin: () => true,
      list: () => broken,
      get: () => broken,
      create: () => broken,
      update: () => broken,
      archive: () => broken
    })
  })
  const response = await admin.call("GET", "sites")
  expect([response.status, response.body.title]).toEqual([500, "Internal Server Error"])
  expect(JSON.stringify(response.body)).not.toMatch(/hunter2|srv/)
  await admin.close()
})

test("the OpenAPI document describes every route, its problems and the security scheme", async () => {
  const admin = await startAdmin()
  const { body } = await admin.call("GET", "/openapi.json", { key: null })
  const paths = new Set<string>()
  HttpApi.reflect(AdminApi, {
    onGroup: () => {},
    onEndpoint: ({ endpoint }) => paths.add(endpoint.path.replaceAll(/:(\w+)/g, "{$1}"))
  })
  expect(Object.keys(body.paths).sort()).toEqual([...paths].sort())
  const create = body.paths["/api/ee/product-analytics/sites"].post
  expect(Object.keys(create.responses)).toEqual(["200", "400", "401", "402", "403", "409", "413", "415", "422", "503"])
  const stats = body.paths["/api/ee/product-analytics/sites/{id}/stats"].get
  expect(Object.keys(stats.responses)).toEqual(["200", "400", "401", "402", "403", "404", "422", "503", "504"])
  expect(stats.parameters.map(({ name }: { name: string }) => name)).toEqual(["id", "startAt", "endAt", "channel"])
  expect(Object.keys(create.responses["422"].content)).toEqual(["application/problem+json"])
  expect(body.components.securitySchemes.key).toMatchObject({ type: "http", scheme: "bearer" })
  await admin.close()
})

test("the OpenAPI document has summaries, and problems with plain names, descriptions and examples", async () => {
  const admin = await startAdmin()
  const { body } = await admin.call("GET", "/openapi.json", { key: null })
  expect(body.info).toMatchObject({
    title: "Footfall",
    version: VERSION,
    description: expect.stringContaining("Bearer")
  })
  const names = Object.keys(body.components.schemas)
  expect(names.filter((name) => name.endsWith("Encoded"))).toEqual([])
  const operations: Array<Json> = Object.values(body.paths).flatMap((methods: Json) => Object.values(methods))
  for (const operation of operations) {
    expect(operation.summary).toMatch(/^[A-Z]/)
    for (const [status, response] of Object.entries<Json>(operation.responses)) {
      if (status.startsWith("2")) continue
      const name = response.content["application/problem+json"].schema.$ref.split("/").at(-1)
      expect(names).toContain(name)
      expect(response.description).toBe(body.components.schemas[name].description)
    }
  }
  const withBody = operations.filter(({ requestBody }) => requestBody !== undefined)
  expect(withBody.length).toBeGreaterThan(20)
  for (const { responses } of withBody) expect(Object.keys(responses)).toEqual(expect.arrayContaining(["413", "415"]))
  expect(body.components.schemas.ContentTooLarge.properties.status.enum).toEqual([413])
  expect(body.components.schemas.NotFound.example).toMatchObject({ status: 404, title: "Not Found" })
  expect(body.components.schemas.Site.properties.tracking_snippet.examples[0]).toContain("data-website-id")
  await admin.close()
})

test("the OpenAPI document describes questions with the language's schema", async () => {
  const admin = await startAdmin()
  const { Query, Question } = (await admin.call("GET", "/openapi.json", { key: null })).body.components.schemas
  expect(Object.keys(Question.properties)).toEqual([...Object.keys(Query.properties), "parameters"])
  expect(Question.required).toEqual(["fql", "type", "source"])
  expect(Query.properties.joins.items.properties.strategy.enum).toEqual(["left-join", "inner-join"])
  expect(Query.properties.page.required).toEqual(["page", "items"])
  expect(JSON.stringify(Query)).toContain('{"query":{"$ref":"#/components/schemas/Query"}}')
  expect([Query.additionalProperties, Question.additionalProperties]).toEqual([false, false])
  await admin.close()
})

test("the documentation page loads nothing from other servers", async () => {
  const admin = await startAdmin()
  const { body, headers } = await admin.call("GET", "/docs", { key: null })
  expect(body).toContain("createApiReference")
  expect(body.match(/<script[^>]*src=/g)).toBeNull()
  expect(headers.get("content-security-policy")).toContain("connect-src 'self'")
  const gzipped = await admin.handler(
    new Request("http://localhost:3000/docs", { headers: { "accept-encoding": "gzip" } })
  )
  expect(gzipped.headers.get("content-encoding")).toBe("gzip")
  expect(Buffer.from(Bun.gunzipSync(await gzipped.arrayBuffer())).toString()).toBe(body)
  await admin.close()
})
