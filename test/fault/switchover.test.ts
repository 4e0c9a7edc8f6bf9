import { expect, test } from "bun:test"
import { SQL } from "bun"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { expectHonest, Load } from "../support/collect/load.ts"
import { until } from "../support/eventually.ts"
import { connect, type Database, prepareInstance } from "../support/postgres/database.ts"
import { PostgresServer } from "../support/postgres/postgresServer.ts"
import { Footfall } from "../support/process/footfallProcess.ts"
import { Switch } from "../support/proxy/Switch.ts"

/** A primary with a standby that has caught up, both on the embedded server's programs. */
const startPair = async (all: AsyncDisposableStack) => {
  const primary = all.use(await PostgresServer.start())
  const instance = await prepareInstance(primary.url)
  await primary.stop()
  const standby = all.use(primary.copy())
  standby.follow(primary)
  await primary.start()
  await standby.start()
  return { primary, standby, instance }
}

/** Promotes a standby. Bun's client does it, since ours refuses a server that is read-only. */
const promote = async (standby: PostgresServer): Promise<void> => {
  await using sql = new SQL(standby.url, { max: 1 })
  await sql`SELECT pg_promote()`
}

const follows = (database: Database): Promise<void> =>
  until(
    "the standby follows",
    async () => (await database.query("SELECT FROM pg_stat_replication")).length === 1,
    30_000
  )

test("a collector that was connected to the demoted server writes to the new primary without a restart", async () => {
  await using all = new AsyncDisposableStack()
  const { instance, primary, standby } = await startPair(all)
  const address = all.use(await Switch.start(primary.port))
  const environment = {
    ...instance,
    DATABASE_URL: `postgres://postgres@127.0.0.1:${address.port}/postgres`,
    STORAGE_TIMEOUT_SECONDS: "1"
  }
  const collector = all.use(await Footfall.start({ environment }))
  const load = all.use(new Load({ port: collector.port, connections: 4 }))
  await load.stores(200)

  await primary.stop()
  await promote(standby)
  primary.follow(standby)
  await primary.start()
  // For a while, the address still leads to the old server, which accepts connections and refuses to write.
  await load.isRefused(20)
  expect(await collector.health()).toBe(503)
  address.leadTo(standby.port)

  await load.stores(200)
  await collector.becomesHealthy()
  await collector.prints(/Events are stored again, after \d+ s; \d+ events were rejected with 503 meanwhile\./)
  expect(collector.output.match(/Events can't be stored; clients get 503/g)).toHaveLength(1)
  await load.stop()
  expect(load.unanswered).toBe(0)
  await expectHonest(all.use(await connect(standby.url)), load)
}, 180_000)

test("connections that stay open to a server that becomes read-only are dropped for the new primary", async () => {
  await using all = new AsyncDisposableStack()
  const { instance, primary, standby } = await startPair(all)
  const address = all.use(await Switch.start(primary.port))
  const environment = { ...instance, DATABASE_URL: `postgres://postgres@127.0.0.1:${address.port}/postgres` }
  const collector = all.use(await Footfall.start({ environment }))
  const load = all.use(new Load({ port: collector.port, connections: 4 }))
  await load.stores(100)

  const demoted = all.use(new SQL(primary.url, { max: 1 }))
  await demoted`ALTER SYSTEM SET default_transaction_read_only = on`
  await promote(standby)
  address.leadTo(standby.port)
  await demoted`SELECT pg_reload_conf()`
  await load.stores(300)
  await until("the writers left the demoted server", async () => {
    const rows =
      await demoted`SELECT FROM pg_stat_activity WHERE application_name = 'footfall' AND query LIKE '%INSERT%'`
    return rows.length === 0
  })
  await load.stop()
  expect([load.unanswered, load.count(503)]).toEqual([0, 0])
}, 180_000)

test("a collector without traffic becomes healthy again once its address leads to the new primary", async () => {
  await using all = new AsyncDisposableStack()
  const { instance, primary, standby } = await startPair(all)
  const address = all.use(await Switch.start(primary.port))
  const environment = { ...instance, DATABASE_URL: `postgres://postgres@127.0.0.1:${address.port}/postgres` }
  const collector = all.use(await Footfall.start({ environment }))
  const demoted = all.use(new SQL(primary.url, { max: 1 }))
  await demoted`ALTER SYSTEM SET default_transaction_read_only = on`
  await demoted`SELECT pg_reload_conf()`
  await until("the collector is not healthy", async () => (await collector.health()) === 503)
  await promote(standby)
  address.leadTo(standby.port)
  await collector.becomesHealthy()
}, 180_000)

test("with several hosts in DATABASE_URL, a collector finds the server that accepts writes", async () => {
  await using all = new AsyncDisposableStack()
  const { instance, primary, standby } = await startPair(all)
  const environment = {
    ...instance,
    DATABASE_URL: `postgres://postgres@127.0.0.1:${standby.port},127.0.0.1:${primary.port}/postgres?target_session_attrs=read-write`,
    STORAGE_TIMEOUT_SECONDS: "5"
  }
  const collector = all.use(await Footfall.start({ environment }))
  const load = all.use(new Load({ port: collector.port, connections: 4 }))
  await load.stores(100)
  await primary.kill()
  await promote(standby)
  await load.stores(100)
  await collector.becomesHealthy()
}, 180_000)

/** A pageview of a visitor; returns the id of its session. */
const view = async (collector: Footfall, visitor: string): Promise<string> => {
  const response = await fetch(`${collector.url}/api/send`, {
    method: "POST",
    headers: { "content-type": "application/json", "user-agent": FIREFOX },
    body: JSON.stringify({ type: "event", payload: { website: SITE, url: "/", id: visitor } })
  })
  expect(response.status).toBe(200)
  return ((await response.json()) as { readonly sessionId: string }).sessionId
}

const hasSession = async (database: Database, session: string): Promise<boolean> =>
  (await database.query("SELECT FROM product_analytics_session WHERE session_id = $1::uuid", [session])).length === 1

test("after a failover to a standby without the last sessions, an event's 200 means that its session is stored", async () => {
  await using all = new AsyncDisposableStack()
  const { instance, primary, standby } = await startPair(all)
  const address = all.use(await Switch.start(primary.port))
  const environment = { ...instance, DATABASE_URL: `postgres://postgres@127.0.0.1:${address.port}/postgres` }
  const collector = all.use(await Footfall.start({ environment }))
  await follows(all.use(await connect(primary.url, 1)))
  await standby.stop()
  const session = await view(collector, "ann")

  await primary.kill()
  await standby.start()
  await promote(standby)
  const survivor = all.use(await connect(standby.url, 1))
  expect(await hasSession(survivor, session)).toBe(false)
  address.leadTo(standby.port)
  await collector.becomesHealthy()
  expect(await view(collector, "ann")).toBe(session)
  expect(await hasSession(survivor, session)).toBe(true)
}, 180_000)

test("when the sessions were removed under open connections, an event's 200 means that its session is stored", async () => {
  await using all = new AsyncDisposableStack()
  const primary = all.use(await PostgresServer.start())
  const instance = await prepareInstance(primary.url)
  const collector = all.use(await Footfall.start({ environment: instance }))
  const database = all.use(await connect(primary.url, 1))
  const session = await view(collector, "ann")
  expect(await view(collector, "ann")).toBe(session)

  await database.query("TRUNCATE product_analytics_session")
  await view(collector, "ann")
  expect(await hasSession(database, session)).toBe(true)

  await database.query("DELETE FROM product_analytics_session")
  await database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'footfall'")
  await view(collector, "ann")
  expect(await hasSession(database, session)).toBe(true)
}, 180_000)
