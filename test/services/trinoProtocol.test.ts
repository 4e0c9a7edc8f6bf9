import { describe, expect, test } from "bun:test"
import { Effect, Fiber, Redacted } from "effect"
import type { TrinoOptions } from "../../layers/trino/options.ts"
import { makeTrinoQueryEngine } from "../../layers/trino/TrinoQueryEngine.ts"
import { literalOf, withParameters } from "../../layers/trino/withParameters.ts"
import type { QueryParameter } from "../../src/ports/QueryEngine.ts"
import { until } from "../support/eventually.ts"

const DEADLINE_MS = 10_000
const QUESTION = { sql: "SELECT 1", parameters: [], tables: [] }

interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: Headers
  readonly body: string
}

type Reply = (seen: Seen, origin: string) => Response | Promise<Response>

/** A coordinator that answers as it is told, for what a real one does not do on demand. Each reply is given once, the last for ever. */
const coordinator = (...replies: ReadonlyArray<Reply>) => {
  const seen: Array<Seen> = []
  let turn = 0
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request, server) => {
      const { pathname } = new URL(request.url)
      const one = { method: request.method, path: pathname, headers: request.headers, body: await request.text() }
      seen.push(one)
      if (one.method === "DELETE") return new Response(null, { status: 204 })
      return replies[Math.min(turn++, replies.length - 1)]!(one, server.url.origin)
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

describe("the client of Trino's protocol", () => {
  test("asks again when the coordinator or its proxy is busy", async () => {
    await using trino = coordinator(
      status(503),
      queued,
      status(502),
      status(504),
      status(429, { "Retry-After": "0" }),
      done
    )
    const { rows } = await Effect.runPromise((await trino.engine()).run(QUESTION))
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
  ] as const)("a page that tells of %s %s is a failure: %s", async (type, name, reason) => {
    await using trino = coordinator(queued, failed(type, name))
    const error = await Effect.runPromise(Effect.flip((await trino.engine()).run(QUESTION)))
    expect(error).toMatchObject({ reason, message: `Trino: no such luck (${name})` })
  })

  test("what is refused, broken or not there is unavailable", async () => {
    for (const reply of [status(401), status(500), () => new Response("<html>")]) {
      await using trino = coordinator(reply)
      expect(await Effect.runPromise(Effect.flip((await trino.engine()).run(QUESTION)))).toMatchObject({
        reason: "Unavailable"
      })
      expect(trino.seen).toHaveLength(1)
    }
    const gone = coordinator(done)
    await gone[Symbol.asyncDispose]()
    expect(await Effect.runPromise(Effect.flip((await gone.engine()).run(QUESTION)))).toMatchObject({
      reason: "Unavailable"
    })
  })

  test("an address elsewhere is not followed, so that nobody else gets the password", async () => {
    await using other = coordinator(done)
    await using trino = coordinator(() => Response.json({ id: "q", nextUri: `${other.origin}/v1/statement/q/1` }))
    const error = await Effect.runPromise(Effect.flip((await trino.engine()).run(QUESTION)))
    expect(error.message).toContain("http-server.process-forwarded=true")
    expect(other.seen.filter(({ method }) => method === "GET")).toEqual([])
  })

  test("interrupting and being late cancel the query where it is", async () => {
    await using trino = coordinator(queued)
    const fiber = Effect.runFork((await trino.engine()).run(QUESTION))
    await until("the second page is asked for", () => trino.seen.length > 2)
    await Effect.runPromise(Fiber.interrupt(fiber))
    const deleted = () => trino.seen.filter(({ method }) => method === "DELETE").map(({ path }) => path)
    await until("the query is canceled", () => deleted().length === 1)
    expect(deleted()).toEqual(["/v1/statement/queued/q/1"])
    const error = await Effect.runPromise(Effect.flip((await trino.engine({ deadlineMs: 200 })).run(QUESTION)))
    expect(error.reason).toBe("Timeout")
    await until("the late query is canceled", () => deleted().length === 2)
  })

  test("a password or token goes with every request, and over https alone", async () => {
    await using trino = coordinator(done)
    const secret = { password: Redacted.make("s3cret") }
    await expect(trino.engine(secret)).rejects.toThrow("the password would go over the network as it is")
    expect(trino.seen).toEqual([])
  })

  test.each<[QueryParameter, string]>([
    [{ type: "text", value: "it's \\ 🎈" }, "'it''s \\ 🎈'"],
    [{ type: "integer", value: -9007199254740993n }, "BIGINT '-9007199254740993'"],
    [{ type: "decimal", value: "1.5000" }, "DECIMAL '1.5000'"],
    [{ type: "boolean", value: true }, "true"],
    [{ type: "timestamp", value: "2026-03-28T22:50:00.123456Z" }, "TIMESTAMP '2026-03-28 22:50:00.123456 UTC'"]
  ])("the literal of %p", (parameter, text) => {
    expect(literalOf(parameter)).toBe(text)
  })

  test("parameters stand beside the statement", () => {
    const parameters = [{ type: "text", value: "o'clock" } as const]
    expect(withParameters({ sql: "SELECT 'a' WHERE ? = 'b'", parameters, tables: [] })).toBe(
      "EXECUTE IMMEDIATE 'SELECT ''a'' WHERE ? = ''b''' USING 'o''clock'"
    )
  })
})
