import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, Layer, Redacted } from "effect"
import { AppDatabase, DatabaseUrl } from "../../../../layers/postgres/client/Database.ts"
import * as PgQueryEngine from "../../../../layers/postgres/query/PgQueryEngine.ts"
import { readerState } from "../../../../layers/postgres/query/readerRole.ts"
import { QueryEngine } from "../../../../src/ports/QueryEngine.ts"
import { footfall } from "../../../cli/support.ts"
import * as MemorySettings from "../../../support/memory/MemorySettings.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { connect, type Database, prepareInstance } from "../../../support/postgres/database.ts"
import { openClient } from "../../../support/postgres/postgres.ts"
import { PostgresServer } from "../../../support/postgres/postgresServer.ts"

setDefaultTimeout(180_000)

let server: PostgresServer
let admin: Database
let url: string

/** A server of its own, since roles belong to the whole server. The application's role may not create roles. */
beforeAll(async () => {
  server = await PostgresServer.start()
  admin = await connect(server.url, 1)
  await admin.query("CREATE ROLE app LOGIN")
  await admin.query("CREATE DATABASE app OWNER app")
  url = server.url.replace("postgres@", "app@").replace(/postgres$/, "app")
  await prepareInstance(url)
})
afterAll(async () => {
  await admin?.[Symbol.asyncDispose]()
  await server?.[Symbol.asyncDispose]()
})

/** The role that a query of a newly started engine runs as, and how many sites it sees. */
const startAndQuery = () =>
  run(
    Effect.gen(function* () {
      const engine = PgQueryEngine.layer.pipe(
        Layer.provide(AppDatabase.layer),
        Layer.provide(Layer.succeed(DatabaseUrl, { url: Redacted.make(url), embedded: false })),
        Layer.provide(MemorySettings.layer()),
        Layer.fresh
      )
      const { run } = Context.get(yield* Layer.build(engine), QueryEngine)
      const sql = "SELECT current_user::text AS role, count(*)::int AS sites FROM v_pa_sites"
      const { rows } = yield* run({ sql, parameters: [], tables: [] })
      return rows[0]
    })
  )

const state = () => run(Effect.flatMap(openClient(Redacted.make(url), 1), readerState))

const doctorOf = async () => (await footfall(["doctor"], { DATABASE_URL: url })).out

test("without the right to create the reader, queries run as the application's role, and doctor shows what to run", async () => {
  expect(await startAndQuery()).toEqual(["app", 1])
  const remedy =
    "CREATE ROLE footfall_reader NOLOGIN; GRANT footfall_reader TO app; GRANT USAGE ON SCHEMA public TO footfall_reader; " +
    "GRANT SELECT ON v_pa_event_data, v_pa_events, v_pa_session_data, v_pa_sessions, v_pa_sites, v_pa_user_flows, v_pa_visits TO footfall_reader;"
  expect(await state()).toEqual({
    _tag: "NotReady",
    problem: "the role footfall_reader does not exist, and app may not create it",
    remedy
  })
  expect((await doctorOf()).replaceAll(/\s+/g, " ")).toContain(`Run as an administrator, and restart: ${remedy}`)
})

test("a reader that was created after the migration gets its rights at the next start", async () => {
  await admin.query("CREATE ROLE footfall_reader NOLOGIN")
  expect(await startAndQuery()).toEqual(["app", 1])
  expect(await state()).toMatchObject({
    problem: "app may not become the role footfall_reader",
    remedy: expect.stringMatching(/^GRANT footfall_reader TO app;/)
  })
  await admin.query("GRANT footfall_reader TO app")
  expect(await startAndQuery()).toEqual(["footfall_reader", 1])
  expect(await state()).toEqual({ _tag: "Ready" })
  expect(await doctorOf()).toContain("queries run as footfall_reader, which can only read the views")
})

test("rights that were revoked are granted again at the next start", async () => {
  await using owner = await connect(url, 1)
  await owner.query("REVOKE SELECT ON v_pa_sites FROM footfall_reader")
  expect(await startAndQuery()).toEqual(["footfall_reader", 1])
})
