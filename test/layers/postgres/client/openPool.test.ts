import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import { AppDatabase, DatabaseUrl, WriterDatabase } from "../../../../layers/postgres/client/Database.ts"
import { openPool, serversOf } from "../../../../layers/postgres/client/openPool.ts"
import * as MemorySettings from "../../../support/memory/MemorySettings.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { emptyDatabase, freshDatabase, openClient } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

test.each([
  ["postgres://ann:secret@db.example:6543/footfall", "db.example:6543"],
  ["postgres://ann:secret@db.example/footfall", "db.example:5432"],
  ["postgres://ann:secret@db.example/footfall?port=7000", "db.example:7000"],
  ["postgres://ann:secret@[2001:db8::1]/footfall", "[2001:db8::1]:5432"],
  ["postgres://ann:secret@localhost:5432/footfall?host=%2Frun%2Fpostgres", "/run/postgres"],
  ["postgres://ann:secret@localhost/footfall?host=db.example", "db.example:5432"],
  ["postgres:///footfall", "localhost:5432"],
  ["postgres://ann:secret@db1.example,db2.example:6000/footfall", "db1.example:5432, db2.example:6000"],
  ["ann:secret", "an unreadable address"],
  ["not a secret URL", "an unreadable address"]
])("the server of %p is shown as %p", (url, server) => {
  expect(serversOf(Redacted.make(url))).toBe(server)
})

describe("openPool on an unusable database", () => {
  let good: Redacted.Redacted<string>
  let closedPort = 0
  beforeAll(async () => {
    good = await emptyDatabase()
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } })
    closedPort = listener.port
    listener.stop(true)
  })

  const CASES: ReadonlyArray<readonly [problem: string, change: (url: URL) => string, message: RegExp]> = [
    [
      "no server listens",
      () => `postgres://ann:secret@127.0.0.1:${closedPort}/footfall`,
      /^Can't connect to the Postgres of DATABASE_URL at 127\.0\.0\.1:\d+: .*ECONNREFUSED/
    ],
    [
      "the password is wrong",
      (url) => {
        url.password = "secret"
        return url.href
      },
      /^Can't connect to the Postgres of DATABASE_URL at \/.*: password authentication failed for user "footfall" \(28P01\)\.$/
    ],
    [
      "the database does not exist",
      (url) => {
        url.pathname = "/nowhere"
        return url.href
      },
      /^Can't connect to the Postgres of DATABASE_URL at \/.*: database "nowhere" does not exist \(3D000\)\.$/
    ],
    ["DATABASE_URL is not a URL", () => "ann secret", /^DATABASE_URL can't be used: /],
    [
      "the file of sslrootcert is missing",
      (url) => `${url.href}&sslmode=verify-full&sslrootcert=%2Fnowhere%2Froot.pem`,
      /^DATABASE_URL can't be used: the file of sslrootcert can't be read: .*ENOENT.*\/nowhere\/root\.pem/
    ]
  ]
  test.each(CASES)(
    "if %s, openPool fails with a message that does not contain the password",
    (problem, change, message) =>
      run(
        Effect.gen(function* () {
          const url = Redacted.make(change(new URL(Redacted.value(good))))
          const error = yield* Effect.flip(openPool({ url, embedded: false }, {}, { maxConnections: 1 }))
          expect(error._tag).toBe("StartError")
          expect(error.message).toMatch(message)
          // A server that does not answer may answer later; every other case needs another configuration.
          expect(error.outside === true).toBe(problem === "no server listens")
          expect(error.message).not.toContain("secret")
          expect(error.message).not.toContain(new URL(Redacted.value(good)).password)
        })
      )
  )
})

test("a message names the setting that has the URL", () =>
  run(
    Effect.gen(function* () {
      const url = (text: string) => ({ url: Redacted.make(text), embedded: false, setting: "CATALOG_URI" })
      const fail = (text: string) =>
        Effect.map(Effect.flip(openPool(url(text), {}, { maxConnections: 1 })), (error) => error.message)
      expect(yield* fail("postgres://a@127.0.0.1:1/d?schema=x")).toStartWith(
        "CATALOG_URI can't be used: it has the parameter"
      )
      expect(yield* fail("postgres://a@127.0.0.1:1/d?sslmode=verify-ca&sslrootcert=/nowhere")).toStartWith(
        "CATALOG_URI can't be used: the file of sslrootcert"
      )
      expect(yield* fail("postgres://a@127.0.0.1:1/d")).toStartWith(
        "Can't connect to the Postgres of CATALOG_URI at 127.0.0.1:1: "
      )
    })
  ))

describe("openPool on a starting server", () => {
  /** What Postgres answers while it recovers: an ErrorResponse with code 57P03. */
  const STARTING = (() => {
    const fields = "SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
    const message = new Uint8Array(5 + fields.length)
    message[0] = "E".charCodeAt(0)
    new DataView(message.buffer).setUint32(1, 4 + fields.length)
    new TextEncoder().encodeInto(fields, message.subarray(5))
    return message
  })()
  const END = () => {}
  let close = END
  afterAll(() => close())

  test("openPool waits for a server that is starting up", () =>
    run(
      Effect.gen(function* () {
        const direct = new URL(Redacted.value(yield* Effect.promise(emptyDatabase)))
        const folder = direct.searchParams.get("host")!
        let connections = 0
        const proxy = Bun.listen<{ server?: Promise<Bun.Socket<undefined>> }>({
          hostname: "127.0.0.1",
          port: 0,
          socket: {
            open: (client) => {
              client.data = {}
              if (++connections <= 2) return
              client.data.server = Bun.connect({
                unix: `${folder}/.s.PGSQL.${direct.port || 5432}`,
                socket: {
                  data: (_, chunk) => void client.write(chunk),
                  close: () => void client.end()
                }
              })
            },
            data: async (client, chunk) => {
              if (client.data.server === undefined) client.end(STARTING)
              else (await client.data.server).write(chunk)
            },
            close: (client) => void client.data.server?.then((server) => server.end())
          }
        })
        close = () => proxy.stop(true)
        const url = new URL(direct)
        url.hostname = "127.0.0.1"
        url.port = String(proxy.port)
        url.searchParams.delete("host")
        url.searchParams.set("sslmode", "disable")
        const sql = yield* openPool({ url: Redacted.make(url.href), embedded: false }, {}, { maxConnections: 1 })
        expect(yield* sql.unsafe("SELECT 1 AS answer")).toEqual([{ answer: 1 }])
        expect(connections).toBe(3)
      })
    ))
})

const layers = (url: Redacted.Redacted<string>, environment: Readonly<Record<string, string>>) =>
  Layer.build(
    WriterDatabase.layer.pipe(
      Layer.provideMerge(AppDatabase.layer),
      Layer.provide(MemorySettings.layer(environment)),
      Layer.provide(Layer.succeed(DatabaseUrl, { url, embedded: false })),
      Layer.fresh
    )
  )

test("an empty database is migrated before AppDatabase and WriterDatabase are available", () =>
  run(
    Effect.gen(function* () {
      const services = yield* layers(yield* Effect.promise(emptyDatabase), {})
      for (const sql of [Context.get(services, AppDatabase), Context.get(services, WriterDatabase)]) {
        expect(yield* sql.unsafe("SELECT FROM v_pa_events")).toEqual([])
      }
    })
  ))

describe("the writer's connections", () => {
  const SETTINGS = `SELECT current_setting('statement_timeout') AS timeout, current_setting('synchronous_commit') AS commit,
    current_setting('jit') AS jit, current_setting('application_name') AS name`

  const onServerWithoutDurability = (
    body: (url: Redacted.Redacted<string>) => Effect.Effect<void, unknown, Scope.Scope>
  ) =>
    run(
      Effect.gen(function* () {
        const url = yield* Effect.promise(freshDatabase)
        const sql = yield* openClient(url, 1)
        const [row] = yield* sql.unsafe<{ name: string }>("SELECT quote_ident(current_database()) AS name")
        yield* sql.unsafe(`ALTER DATABASE ${row!.name} SET synchronous_commit = off`)
        yield* sql.unsafe(`ALTER DATABASE ${row!.name} SET jit = on`)
        yield* body(url)
      })
    )

  test("the writer's connections commit to disk and cancel statements at the write deadline, whatever the server's defaults", () =>
    onServerWithoutDurability((url) =>
      Effect.gen(function* () {
        const writer = Context.get(yield* layers(url, { STORAGE_TIMEOUT_SECONDS: "7" }), WriterDatabase)
        expect(yield* writer.unsafe(SETTINGS)).toEqual([{ timeout: "7s", commit: "on", jit: "off", name: "footfall" }])
      })
    ))

  test("the writer has a connection for each batch in flight and one for pings", () =>
    onServerWithoutDurability((url) =>
      Effect.gen(function* () {
        const writer = Context.get(yield* layers(url, { STORAGE_IN_FLIGHT: "3" }), WriterDatabase)
        const pids = yield* Effect.all(
          Array.from({ length: 12 }, () =>
            writer.unsafe<{ pid: number }>("SELECT pg_backend_pid() AS pid, pg_sleep(0.05)")
          ),
          { concurrency: "unbounded" }
        )
        expect(new Set(pids.flat().map(({ pid }) => pid)).size).toBe(4)
      })
    ))

  test("with ?pgbouncer=true, the writer's connections have no session settings and no prepared statements", () =>
    onServerWithoutDurability((url) =>
      Effect.gen(function* () {
        const pooled = Redacted.make(`${Redacted.value(url)}&pgbouncer=true`)
        const writer = Context.get(yield* layers(pooled, { STORAGE_IN_FLIGHT: "1" }), WriterDatabase)
        for (let i = 0; i < 5; i++) yield* writer.unsafe("SELECT $1::int", [i])
        expect(yield* writer.unsafe("SELECT FROM pg_prepared_statements")).toEqual([])
        expect(yield* writer.unsafe("SELECT current_setting('statement_timeout') AS timeout")).toEqual([
          { timeout: "0" }
        ])
      })
    ))
})
