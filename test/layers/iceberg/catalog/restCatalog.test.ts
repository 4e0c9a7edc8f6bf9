import { afterAll, expect, test } from "bun:test"
import { Effect, Fiber, Redacted, type Scope } from "effect"
import { TestClock } from "effect/testing"
import type { Catalog, Table, TableName } from "../../../../layers/iceberg/catalog/Catalog.ts"
import { type CatalogConfig, makeCatalog } from "../../../../layers/iceberg/catalog/makeCatalog.ts"
import type { IcebergError } from "../../../../layers/iceberg/IcebergError.ts"
import { eventually } from "../../../support/eventually.ts"
import { FaultProxy } from "../../../support/proxy/FaultProxy.ts"
import { catalogContract } from "./catalogContract.ts"
import { FakeRestCatalog, type FakeRestOptions } from "./FakeRestCatalog.ts"
import { append, freshName, NEW_TABLE, setProperties, snapshotIds } from "./tables.ts"

const TIMEOUT_MS = 60_000
const CREDENTIAL = "collector:sk-oauth-secret"
const COMMIT = /\/tables\/events$/

type RestConfig = Omit<Extract<CatalogConfig, { readonly type: "rest" }>, "type" | "uri">

const openAt = (uri: string, config: RestConfig = {}) => makeCatalog({ type: "rest", uri, ...config })

const shared = new FakeRestCatalog({ prefix: "ws/a", credential: CREDENTIAL })
afterAll(() => shared[Symbol.asyncDispose]())
catalogContract("rest", {
  open: openAt(shared.url, { credential: Redacted.make(CREDENTIAL) }),
  filesAreOurs: false,
  refusesEveryStaleTable: false
})

interface Subject {
  readonly server: FakeRestCatalog
  readonly proxy: FaultProxy
  /** Connects through the proxy. */
  readonly catalog: Catalog
  readonly name: TableName
  readonly table: Table
}

const it = (
  sentence: string,
  body: (subject: Subject) => Effect.Effect<void, IcebergError, Scope.Scope>,
  options: FakeRestOptions = {},
  config: RestConfig = {}
): void =>
  test(
    sentence,
    async () => {
      await using server = new FakeRestCatalog(options)
      using proxy = await FaultProxy.before(server.port)
      await Effect.gen(function* () {
        const catalog = yield* openAt(proxy.url, config)
        const name = freshName()
        const table = yield* catalog.create(name, NEW_TABLE)
        yield* body({ server, proxy, catalog, name, table })
      }).pipe(Effect.scoped, Effect.runPromise)
    },
    TIMEOUT_MS
  )

const failureOf = <A, R>(
  effect: Effect.Effect<A, IcebergError, R>
): Effect.Effect<IcebergError | undefined, never, R> =>
  Effect.match(effect, { onFailure: (error) => error, onSuccess: () => undefined })

const posts = (server: FakeRestCatalog) => server.of("POST", COMMIT)

/** Gives the status to the first request that matches. */
const once = (method: string, path: RegExp, status: number) => {
  let left = 1
  return (given: string, at: string): number | undefined =>
    given === method && path.test(at) && left-- > 0 ? status : undefined
}

for (const status of [500, 502, 503, 504]) {
  it(`a response ${status} after the commit was applied is not a failure, and nothing is committed twice`, ({
    catalog,
    name,
    server,
    table
  }) =>
    Effect.gen(function* () {
      server.after = once("POST", COMMIT, status)
      const committed = yield* catalog.commit(table, append(table))
      expect(snapshotIds(yield* catalog.load(name))).toEqual(snapshotIds(committed))
      expect(snapshotIds(committed)).toHaveLength(1)
      expect(posts(server).map((post) => post.status)).toEqual([status])
    }))

  it(`a response ${status} instead of the commit makes the client send the same request again`, ({
    catalog,
    name,
    server,
    table
  }) =>
    Effect.gen(function* () {
      server.before = once("POST", COMMIT, status)
      yield* catalog.commit(table, append(table))
      expect(snapshotIds(yield* catalog.load(name))).toHaveLength(1)
      const [first, second] = posts(server)
      expect([first?.status, second?.status]).toEqual([status, 200])
      expect(second?.body).toBe(first!.body)
      expect(first?.headers.get("idempotency-key")).toMatch(/^[0-9a-f-]{36}$/)
      expect(second?.headers.get("idempotency-key")).toBe(first!.headers.get("idempotency-key"))
    }))
}

it("connections that end before the response do not fail ten commits in a row", ({ catalog, name, proxy, table }) =>
  Effect.gen(function* () {
    let current = table
    for (let round = 0; round < 10; round++) {
      proxy.first(/^POST \S*\/tables\/events /, "loseAnswer")
      current = yield* catalog.commit(current, append(current))
    }
    expect(snapshotIds(yield* catalog.load(name))).toEqual(snapshotIds(current))
    expect(snapshotIds(current)).toHaveLength(10)
  }))

it("changes of properties, columns and snapshots survive lost responses by their visible effect", ({
  catalog,
  name,
  proxy,
  server,
  table
}) =>
  Effect.gen(function* () {
    const POST = /^POST \S*\/tables\/events /
    const two = yield* catalog.commit(table, append(table))
    const three = yield* catalog.commit(two, append(two))
    const [schema] = three.metadata.schemas
    const changes = [
      setProperties(three, { watermark: "17" }),
      {
        requirements: [],
        updates: [{ action: "remove-snapshots", "snapshot-ids": [snapshotIds(two)[0]!] }]
      },
      {
        requirements: [],
        updates: [
          {
            action: "add-schema",
            schema: {
              ...schema!,
              fields: [...schema!.fields, { id: 7, name: "country", required: false, type: "string" }]
            },
            "last-column-id": 7
          },
          { action: "set-current-schema", "schema-id": -1 }
        ]
      },
      { requirements: [], updates: [{ action: "remove-properties", removals: ["watermark"] }] }
    ] satisfies ReadonlyArray<Parameters<Catalog["commit"]>[1]>
    for (const change of changes) {
      const before = posts(server).length
      proxy.first(POST, "loseAnswer")
      yield* catalog.commit(yield* catalog.load(name), change)
      expect(posts(server).length).toBe(before + 1)
    }
    const { metadata } = yield* catalog.load(name)
    expect(metadata.properties["watermark"]).toBeUndefined()
    expect(metadata.snapshots).toHaveLength(1)
    expect(metadata.schemas).toHaveLength(2)
  }))

it("a lost commit is a conflict if another commit came first", ({ catalog, name, server, table }) =>
  Effect.gen(function* () {
    const other = yield* openAt(server.url)
    let left = 1
    server.before = (method, path) => {
      if (method !== "POST" || !COMMIT.test(path) || left-- <= 0) return undefined
      Effect.runFork(other.commit(table, append(table)))
      return 503
    }
    expect((yield* failureOf(catalog.commit(table, append(table))))?.reason).toBe("Conflict")
    expect(snapshotIds(yield* catalog.load(name))).toHaveLength(1)
  }))

it("the outcome of a commit is unknown if the catalog answers 503 to every attempt", ({
  catalog,
  name,
  server,
  table
}) =>
  Effect.gen(function* () {
    server.before = (method) => (method === "POST" ? 503 : undefined)
    const error = yield* failureOf(catalog.commit(table, append(table)))
    expect(error?.reason).toBe("Unknown")
    expect(error?.message).toContain("HTTP 503: Fault: not now")
    expect(snapshotIds(yield* catalog.load(name))).toHaveLength(0)
  }))

it("a commit that was throttled or refused was not applied and fails at once", ({ catalog, server, table }) =>
  Effect.gen(function* () {
    server.before = once("POST", COMMIT, 429)
    expect((yield* failureOf(catalog.commit(table, append(table))))?.reason).toBe("Unavailable")
    expect(posts(server)).toHaveLength(1)
    server.before = once("POST", COMMIT, 403)
    expect((yield* failureOf(catalog.commit(table, append(table))))?.reason).toBe("Denied")
    server.before = once("POST", COMMIT, 400)
    expect((yield* failureOf(catalog.commit(table, append(table))))?.reason).toBe("Invalid")
  }))

it("a conflict with a repetition of our own commit is a success", ({ catalog, name, server, table }) =>
  Effect.gen(function* () {
    // As with a proxy that repeats a request after its first response was lost.
    server.after = once("POST", COMMIT, 409)
    yield* catalog.commit(table, append(table))
    expect(snapshotIds(yield* catalog.load(name))).toHaveLength(1)
  }))

for (const answersExisting of [false, true]) {
  const how = answersExisting ? "200 and the table" : "409"
  it(
    `creating an existing table fails with AlreadyExists if the server answers with ${how}`,
    ({ name, server, table }) =>
      Effect.gen(function* () {
        const other = yield* openAt(server.url)
        // The client checks before the table exists.
        server.before = once("GET", COMMIT, 404)
        expect((yield* failureOf(other.create(name, NEW_TABLE)))?.reason).toBe("AlreadyExists")
        expect((yield* other.load(name)).metadata["table-uuid"]).toBe(table.metadata["table-uuid"])
      }),
    { answersExisting }
  )

  it(
    `a lost response to a create is not a failure if the server answers the next one with ${how}`,
    ({ catalog, proxy, server }) =>
      Effect.gen(function* () {
        for (const fault of ["loseAnswer", "cut", { status: 500, after: true }] as const) {
          const name = freshName()
          yield* catalog.create({ ...name, name: "first" }, NEW_TABLE)
          proxy.first(/^POST \S*\/tables /, fault)
          const created = yield* catalog.create(name, NEW_TABLE)
          expect((yield* catalog.load(name)).metadata["table-uuid"]).toBe(created.metadata["table-uuid"])
        }
        expect(server.tables.size).toBe(7)
      }),
    { answersExisting }
  )
}

it(
  "nested namespaces are created from the outermost level, with the separator that the server names",
  ({ catalog, server }) =>
    Effect.gen(function* () {
      const name = { namespace: ["web", "eu", "prod"], name: "events" }
      const created = yield* catalog.create(name, NEW_TABLE)
      expect((yield* catalog.load(name)).metadata["table-uuid"]).toBe(created.metadata["table-uuid"])
      expect(server.of("GET", /namespaces\/web%2Eeu%2Eprod|namespaces\/web\.eu\.prod/).length).toBeGreaterThan(0)
    }),
  { separator: "%2E" }
)

it("a namespace is created although the server fails the first request for it", ({ catalog, server }) =>
  Effect.gen(function* () {
    server.before = once("POST", /\/namespaces$/, 500)
    const name = { namespace: ["fresh"], name: "events" }
    const created = yield* catalog.create(name, NEW_TABLE)
    expect((yield* catalog.load(name)).metadata["table-uuid"]).toBe(created.metadata["table-uuid"])
    expect(
      server
        .of("POST", /\/namespaces$/)
        .slice(-2)
        .map(({ status }) => status)
    ).toEqual([500, 200])
  }))

it(
  "a rejected token is replaced, and the request is sent again",
  ({ catalog, name, server, table }) =>
    Effect.gen(function* () {
      server.revokeTokens()
      const committed = yield* catalog.commit(table, append(table))
      server.revokeTokens()
      expect(snapshotIds(yield* catalog.load(name))).toEqual(snapshotIds(committed))
      expect(server.of("POST", /oauth/)).toHaveLength(3)
      server.before = once("GET", COMMIT, 419)
      yield* catalog.load(name)
      expect(server.of("POST", /oauth/)).toHaveLength(4)
    }),
  { credential: CREDENTIAL },
  { credential: Redacted.make(CREDENTIAL), scope: "PRINCIPAL_ROLE:ALL" }
)

it(
  "a token is requested with client credentials and reused while it is valid",
  ({ catalog, name, server }) =>
    Effect.gen(function* () {
      yield* Effect.forEach(Array.from({ length: 10 }), () => catalog.load(name), { concurrency: "unbounded" })
      const [tokenRequest, ...more] = server.of("POST", /oauth/)
      expect(more).toEqual([])
      expect(Object.fromEntries(new URLSearchParams(tokenRequest!.body))).toEqual({
        grant_type: "client_credentials",
        client_id: "collector",
        client_secret: "sk-oauth-secret",
        scope: "catalog"
      })
    }),
  { credential: CREDENTIAL },
  { credential: Redacted.make(CREDENTIAL) }
)

it(
  "a token is replaced before it expires",
  ({ catalog, name, server }) =>
    Effect.gen(function* () {
      const before = server.of("POST", /oauth/).length
      yield* catalog.load(name)
      expect(server.of("POST", /oauth/).length).toBe(before + 1)
      expect(server.requests.every(({ status }) => status !== 401)).toBe(true)
    }),
  { credential: CREDENTIAL, lifetime: 0 },
  { credential: Redacted.make(CREDENTIAL) }
)

it("a load succeeds once a failing catalog has recovered", ({ catalog, name, server }) =>
  Effect.gen(function* () {
    let left = 3
    server.before = (method) => (method === "GET" && left-- > 0 ? 503 : undefined)
    yield* catalog.load(name)
    expect(left).toBe(-1)
  }))

it("a commit without a response is checked after 30 seconds", ({ catalog, name, proxy, table }) =>
  Effect.gen(function* () {
    let hangs = false
    proxy.decide = (piece) => {
      if (!/^POST /.test(piece)) return undefined
      hangs = true
      return "hang"
    }
    const committing = yield* Effect.forkChild(catalog.commit(table, append(table)))
    yield* eventually("the commit is sent", () => hangs)
    proxy.decide = () => undefined
    yield* TestClock.adjust("30 seconds")
    expect(snapshotIds(yield* Fiber.join(committing))).toHaveLength(1)
    expect(snapshotIds(yield* catalog.load(name))).toHaveLength(1)
  }).pipe(Effect.provide(TestClock.layer())))

test("signed requests keep their other authorization in another header and carry the configured headers", async () => {
  await using server = new FakeRestCatalog()
  await Effect.gen(function* () {
    const catalog = yield* openAt(server.url, {
      basic: { user: "collector", password: Redacted.make("pw") },
      headers: { "x-realm": "lake" },
      sigV4: {
        signingName: "glue",
        signingRegion: "eu-west-1",
        credentials: {
          _tag: "Keys",
          accessKeyId: "AKTEST",
          secretAccessKey: Redacted.make("sk-test"),
          sessionToken: Redacted.make("tk-test")
        }
      }
    })
    yield* failureOf(catalog.load(freshName()))
  }).pipe(Effect.scoped, Effect.runPromise)
  for (const { headers } of server.requests) {
    expect(headers.get("authorization")).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKTEST\/\d{8}\/eu-west-1\/glue\/aws4_request, /
    )
    expect(headers.get("original-authorization")).toBe("Basic Y29sbGVjdG9yOnB3")
    expect(headers.get("x-amz-security-token")).toBe("tk-test")
    expect(headers.get("x-realm")).toBe("lake")
  }
  expect(server.requests).toHaveLength(2)
})

test("a wrong credential or token is denied, and the message contains neither", async () => {
  await using server = new FakeRestCatalog({ credential: CREDENTIAL })
  const errors = await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const secret = yield* openAt(server.url, { credential: Redacted.make("collector:sk-wrong") })
        const token = yield* openAt(server.url, { token: Redacted.make("tk-wrong") })
        return [yield* failureOf(secret.load(freshName())), yield* failureOf(token.load(freshName()))]
      })
    )
  )
  expect(errors.map((error) => error?.reason)).toEqual(["Denied", "Denied"])
  expect(errors.map((error) => error?.message).join(" ")).not.toMatch(/sk-wrong|tk-wrong/)
})

test("a server that is not a REST catalog is reported as such", async () => {
  const page = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("<html>Welcome</html>") })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => page.stop(true))
  const { port } = page
  const errors = await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const web = yield* openAt(`http://127.0.0.1:${port}`)
        return [
          yield* failureOf(web.load(freshName())),
          yield* failureOf(openAt("localhost:8181")),
          yield* failureOf(Effect.flatMap(openAt(`https://127.0.0.1:${port}`), (tls) => tls.load(freshName())))
        ]
      })
    )
  )
  expect(errors.map((error) => error?.reason)).toEqual(["Invalid", "Invalid", "Invalid"])
  expect(errors[0]?.message).toContain("did not answer as an Iceberg REST catalog")
  expect(errors[1]?.message).toContain("must begin with http:// or https://")
  expect(errors[2]?.message).toContain("check http or https in its URI")
})
