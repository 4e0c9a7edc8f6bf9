import { expect, test } from "bun:test"
import { expectHonest, Load } from "../support/collect/load.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { PostgresServer } from "../support/postgres/postgresServer.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

/** Few enough for a test to hold all of them: a collector takes at most seven, and the test one. */
const MAX_CONNECTIONS = 16

/** A server with a separate role for the collector, since superusers are exempt from limits. */
const start = async (all: AsyncDisposableStack) => {
  const settings = { max_connections: String(MAX_CONNECTIONS), superuser_reserved_connections: "0" }
  const postgres = all.use(await PostgresServer.start({ settings }))
  const admin = all.use(await connect(postgres.url, 1))
  await admin.query("CREATE ROLE footfall LOGIN")
  await admin.query("CREATE DATABASE footfall OWNER footfall")
  const url = postgres.url.replace("postgres@", "footfall@").replace(/postgres$/, "footfall")
  const environment = { ...(await prepareInstance(url)), STORAGE_TIMEOUT_SECONDS: "1" }
  const database = () => connect(postgres.url.replace(/postgres$/, "footfall"), 1)
  return { postgres, admin, database, environment }
}

/** Takes every free connection and keeps it. */
const takeAll = async (postgres: PostgresServer): Promise<AsyncDisposableStack> => {
  const taken = new AsyncDisposableStack()
  for (;;) {
    const one = taken.use(await connect(postgres.url, 1))
    const error = await one.query("SELECT 1").then(
      () => null,
      (refused: unknown) => refused
    )
    if (error !== null) return taken
  }
}

test("a collector that starts while all connections of Postgres are taken says why, and starts once some are free", async () => {
  await using all = new AsyncDisposableStack()
  const { environment, postgres } = await start(all)
  const taken = all.use(await takeAll(postgres))

  const collector = all.use(Footfall.spawn({ environment }))
  await collector.prints(
    `Waiting to start: Can't connect to the Postgres of DATABASE_URL at 127.0.0.1:${postgres.port}: sorry, too many clients already (53300).`
  )
  await taken.disposeAsync()
  await collector.prints("Collecting on")
}, 180_000)

test("a running collector keeps its connections when others take all the rest; once it loses them, clients get 503 until some are free", async () => {
  await using all = new AsyncDisposableStack()
  const { admin, database, environment, postgres } = await start(all)
  const collector = all.use(await Footfall.start({ environment }))
  const load = all.use(new Load({ port: collector.port }))
  await load.stores(500)

  const taken = all.use(await takeAll(postgres))
  await load.stores(500)
  expect(load.count(503)).toBe(0)
  expect(await collector.health()).toBe(200)
  await taken.disposeAsync()

  await admin.query("ALTER ROLE footfall CONNECTION LIMIT 0")
  await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'footfall'")
  await load.isRefused(50)
  expect(await collector.health()).toBe(503)

  await admin.query("ALTER ROLE footfall CONNECTION LIMIT -1")
  await load.stores(500)
  await collector.becomesHealthy()
  await load.stop()
  expect(load.unanswered).toBe(0)
  await expectHonest(all.use(await database()), load)
}, 180_000)
