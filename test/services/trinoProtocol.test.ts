import { describe, expect, test } from "bun:test"
import { Effect, Fiber, Redacted, Stream } from "effect"
import type { TrinoOptions } from "../../layers/trino/options.ts"
import { makeTrinoQueryEngine } from "../../layers/trino/TrinoQueryEngine.ts"
import { literalOf, withParameters } from "../../layers/trino/withParameters.ts"
import { LAKE_TABLE_NAMES } from "../../src/ports/LakeAdmin.ts"
import type { QueryParameter } from "../../src/ports/QueryEngine.ts"
import { until } from "../support/eventually.ts"

const DEADLINE_MS = 10_000
const QUERY = { sql: "SELECT 1", parameters: [], tables: [] }

interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: Headers
  readonly body: string
}

type Reply = (seen: SeenRequest, origin: string) => Response | Promise<Response>

/** A coordinator with scripted replies, for what a real one does not do on demand. Each is sent once, and the last one from then on. */
const coordinator = (...replies: ReadonlyArray<Reply>) => {
  const seen: Array<SeenRequest> = []
  let nextReply = 0
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request, server) => {
      const { pathname } = new URL(request.url)
      const seenRequest = {
        method: request.method,
        path: pathname,
        headers: request.headers,
        body: await request.text()
      }
      seen.push(seenRequest)
      if (seenRequest.method === "DELETE") return new Response(null, { status: 204 })
      return replies[Math.min(nextReply++, replies.length - 1)]!(seenRequest, server.url.origin)
    }
  })
  const engine = (options: Partial<TrinoOptions> = {}) =>
    Effect.runPromise(
      makeTrinoQueryEngine({
        url: server.url.origin,
        user: "footfall",
        password: null,
        catalog: "lake",
        schema: "product_analytics",
        deadlineMs: DEADLINE_MS,
        exportDeadlineMs: DEADLINE_MS,
        ...options
      })
    )
  return { seen, engine, origin: server.url.origin, [Symbol.asyncDispose]: () => server.stop(true) }
}

const status =
  (code: number, headers: Record<string, string> = {}): Reply =>
  () =>
    new Response("busy", { status: code, headers })
const queued: Reply = (_, origin) => Response.json({ id: "q", nextUri: `${origin}/v1/statement/queued/q/1` })
const done: Reply = () => Response.json({ id: "q", columns: [{ name: "n", type: "integer" }], data: [[1]] })
const failed =
  (errorType: string, errorName: string): Reply =>
  () =>
    Response.json({ id: "q", error: { message: "no such luck", errorName, errorType } })

describe("the Trino client", () => {
  test("the client repeats a request while the coordinator or its proxy is busy", async () => {
    await using trino = coordinator(
      status(503),
      queued,
      status(502),
      status(504),
      status(429, { "Retry-After": "0" }),
      done
    )
    const { rows } = await Effect.runPromise((await trino.engine()).run(QUERY))
    expect(rows).toEqual([[1]])
    expect(trino.seen.map(({ method }) => method)).toEqual(["POST", "POST", "GET", "GET", "GET", "GET"])
    const { headers } = trino.seen[0]!
    const named = ["user", "catalog", "schema", "time-zone", "client-capabilities", "session"]
    expect(named.map((name) => headers.get(`x-trino-${name}`))).toEqual([
      "footfall",
      "lake",
      "product_analytics",
      "UTC",
      "PARAMETRIC_DATETIME",
      "query_max_run_time=10s"
    ])
  })

  test.each([
    ["USER_ERROR", "SYNTAX_ERROR", "Invalid"],
    ["INSUFFICIENT_RESOURCES", "EXCEEDED_LOCAL_MEMORY_LIMIT", "TooLarge"],
    ["INSUFFICIENT_RESOURCES", "EXCEEDED_TIME_LIMIT", "Timeout"],
    ["EXTERNAL", "ICEBERG_CATALOG_ERROR", "Unavailable"]
  ] as const)("a page with the error %s %s fails the query with %s", async (type, name, reason) => {
    await using trino = coordinator(queued, failed(type, name))
    const error = await Effect.runPromise(Effect.flip((await trino.engine()).run(QUERY)))
    expect(error).toMatchObject({ reason, message: `Trino: no such luck (${name})` })
  })

  test("a server that denies access, fails, is not Trino or is unreachable is Unavailable", async () => {
    for (const reply of [status(401), status(500), () => new Response("<html>")]) {
      await using trino = coordinator(reply)
      expect(await Effect.runPromise(Effect.flip((await trino.engine()).run(QUERY)))).toMatchObject({
        reason: "Unavailable"
      })
      expect(trino.seen).toHaveLength(1)
    }
    const gone = coordinator(done)
    await gone[Symbol.asyncDispose]()
    expect(await Effect.runPromise(Effect.flip((await gone.engine()).run(QUERY)))).toMatchObject({
      reason: "Unavailable"
    })
  })

  test("the client sends no request to another server that a page names, so the password does not leak", async () => {
    await using other = coordinator(done)
    await using trino = coordinator(() => Response.json({ id: "q", nextUri: `${other.origin}/v1/statement/q/1` }))
    const error = await Effect.runPromise(Effect.flip((await trino.engine()).run(QUERY)))
    expect(error.message).toContain("http-server.process-forwarded=true")
    expect(other.seen).toEqual([])
  })

  test("an interruption or a missed deadline cancels the query in Trino", async () => {
    await using trino = coordinator(queued)
    const fiber = Effect.runFork((await trino.engine()).run(QUERY))
    await until("the second page is requested", () => trino.seen.length > 2)
    await Effect.runPromise(Fiber.interrupt(fiber))
    const deleted = () => trino.seen.filter(({ method }) => method === "DELETE").map(({ path }) => path)
    await until("the query is canceled", () => deleted().length === 1)
    expect(deleted()).toEqual(["/v1/statement/queued/q/1"])
    const error = await Effect.runPromise(Effect.flip((await trino.engine({ deadlineMs: 200 })).run(QUERY)))
    expect(error.reason).toBe("Timeout")
    await until("the late query is canceled", () => deleted().length === 2)
  })

  test("a stream asks for a page when its reader wants one, and cancels the query when it is closed", async () => {
    const page =
      (n: number): Reply =>
      (_, origin) =>
        Response.json({
          id: "q",
          columns: [{ name: "n", type: "integer" }],
          data: [[n]],
          nextUri: `${origin}/v1/statement/executing/q/${n}`
        })
    await using trino = coordinator(queued, page(1), page(2), page(3))
    const stream = (await trino.engine()).stream(QUERY)
    const chunks = await Effect.runPromise(Stream.runCollect(Stream.take(stream, 2)))
    expect(chunks.map(({ rows }) => rows)).toEqual([[[1]], [[2]]])
    await until("the query is canceled", () => trino.seen.some(({ method }) => method === "DELETE"))
    expect(trino.seen.map(({ method }) => method)).toEqual(["POST", "GET", "GET", "DELETE"])
  })

  test("the lake is as of the newest commit, and each snapshot is a version", async () => {
    const columns = [
      { name: "time", type: "timestamp(3) with time zone" },
      { name: "snapshot", type: "bigint" }
    ]
    // Each table is asked for its own newest commit.
    const replies = (time: string, id: number) =>
      LAKE_TABLE_NAMES.map(() => () => Response.json({ id: "q", columns, data: [[time, id]] }))
    await using trino = coordinator(
      ...replies("2026-03-28 22:50:00.123 UTC", 7),
      ...replies("2026-03-28 22:50:00.123 UTC", 7),
      ...replies("2026-03-28 22:51:00.000 UTC", 8)
    )
    const { asOf } = await trino.engine()
    const [first, second, third] = [
      await Effect.runPromise(asOf),
      await Effect.runPromise(asOf),
      await Effect.runPromise(asOf)
    ]
    expect(first.time).toBe("2026-03-28T22:50:00.123000Z")
    expect(second).toEqual(first)
    expect(third.version).not.toBe(first.version)
  })

  test("a password requires https", async () => {
    await using trino = coordinator(done)
    const secret = { password: Redacted.make("s3cret") }
    await expect(trino.engine(secret)).rejects.toThrow("TRINO_PASSWORD requires an https TRINO_URL")
    expect(trino.seen).toEqual([])
  })

  test.each<[string, QueryParameter]>([
    ["'it''s \\ 🎈'", { type: "text", value: "it's \\ 🎈" }],
    ["BIGINT '-9007199254740993'", { type: "integer", value: -9007199254740993n }],
    ["DECIMAL '1.5000'", { type: "decimal", value: "1.5000" }],
    ["true", { type: "boolean", value: true }],
    ["TIMESTAMP '2026-03-28 22:50:00.123456 UTC'", { type: "timestamp", value: "2026-03-28T22:50:00.123456Z" }]
  ])("a parameter is sent as the literal %s", (literal, parameter) => {
    expect(literalOf(parameter)).toBe(literal)
  })

  test("parameters are listed after the statement", () => {
    const parameters = [{ type: "text", value: "o'clock" } as const]
    expect(withParameters({ sql: "SELECT 'a' WHERE ? = 'b'", parameters, tables: [] })).toBe(
      "EXECUTE IMMEDIATE 'SELECT ''a'' WHERE ? = ''b''' USING 'o''clock'"
    )
  })
})
