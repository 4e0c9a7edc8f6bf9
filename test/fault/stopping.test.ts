import { expect, test } from "bun:test"
import { Redacted } from "effect"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { expectHonest, Load, type LoadOptions } from "../support/collect/load.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { PostgresServer } from "../support/postgres/postgresServer.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

/** Longer than the time in which signals count as one. */
const SAME_SIGNAL_MS = 600

const start = async (
  all: AsyncDisposableStack,
  url: string,
  options: { readonly environment?: Readonly<Record<string, string>>; readonly load?: Partial<LoadOptions> } = {}
) => {
  const environment = { ...(await prepareInstance(url)), ...options.environment }
  const collector = all.use(await Footfall.start({ environment }))
  const load = all.use(new Load({ port: collector.port, ...options.load }))
  await load.stores(300)
  return { collector, load }
}

/** Blocks every write until it is released. */
const holdWrites = async (all: AsyncDisposableStack, url: string) => {
  const holder = all.use(await connect(url, 1))
  await holder.query("BEGIN")
  await holder.query("LOCK TABLE product_analytics_event IN ACCESS EXCLUSIVE MODE")
  return { letGo: () => holder.query("ROLLBACK") }
}

test("SIGTERM under load answers every request that was sent, stores every 200, and exits with 0", async () => {
  await using all = new AsyncDisposableStack()
  const url = Redacted.value(await freshDatabase())
  const { collector, load } = await start(all, url, { load: { leaveWhenAsked: true } })

  collector.signal("SIGTERM")
  expect(await collector.ended()).toBe(0)
  await load.stop()

  expect(load.unanswered).toBe(0)
  await expectHonest(all.use(await connect(url)), load)
}, 180_000)

test("after SIGTERM, /api/health is 503 for as long as it can be reached", async () => {
  await using all = new AsyncDisposableStack()
  const url = Redacted.value(await freshDatabase())
  const { collector, load } = await start(all, url)
  expect(await collector.health()).toBe(200)

  collector.signal("SIGTERM")
  const statuses: Array<number | "refused"> = []
  while (statuses.at(-1) !== "refused") statuses.push(await collector.health().catch(() => "refused" as const))
  expect(await collector.ended()).toBe(0)
  await load.stop()

  // The signal may arrive after the first request.
  expect(statuses).toContain(503)
  expect(statuses.lastIndexOf(200)).toBeLessThan(statuses.indexOf(503))
  await expectHonest(all.use(await connect(url)), load)
}, 180_000)

test("while requests wait for their commit at SIGTERM, new connections get 503 for health and for events, and the waiting ones are answered", async () => {
  await using all = new AsyncDisposableStack()
  const url = Redacted.value(await freshDatabase())
  const { collector, load } = await start(all, url, { load: { leaveWhenAsked: true } })

  const { letGo } = await holdWrites(all, url)
  collector.signal("SIGTERM")
  await collector.prints("finishing what was accepted")
  // Past the time in which a stopping server still takes events.
  await Bun.sleep(1_500)
  const before = load.stored.size
  for (let i = 0; i < 5; i++) {
    expect(await collector.health()).toBe(503)
    const refused = await fetch(`${collector.url}/api/send`, {
      method: "POST",
      headers: { "user-agent": FIREFOX },
      body: JSON.stringify({ type: "event", payload: { website: SITE, url: "/" } }),
      keepalive: false
    })
    expect([refused.status, refused.headers.get("retry-after"), refused.headers.get("connection")]).toEqual([
      503,
      "1",
      "close"
    ])
    await Bun.sleep(100)
  }
  await letGo()
  expect(await collector.ended()).toBe(0)
  await load.stop()

  expect(load.stored.size).toBeGreaterThan(before)
  expect(load.unanswered).toBe(0)
  await expectHonest(all.use(await connect(url)), load)
}, 180_000)

test("a second signal ends a stopping process immediately with 1, and it reports what was left", async () => {
  await using all = new AsyncDisposableStack()
  const url = Redacted.value(await freshDatabase())
  const { collector, load } = await start(all, url, { load: { leaveWhenAsked: true } })

  const { letGo } = await holdWrites(all, url)
  collector.signal("SIGTERM")
  // Right after the first one, it would count as the same signal, forwarded by the parent process.
  await Bun.sleep(SAME_SIGNAL_MS)
  collector.signal("SIGTERM")
  expect(await collector.ended()).toBe(1)
  await letGo()
  await load.stop()

  expect(collector.output).toMatch(
    /Stopped by a second signal: [1-9]\d* records were not stored, [1-9]\d* batches were being written\.\n/
  )
  expect(load.unanswered).toBeGreaterThan(0)
  await expectHonest(all.use(await connect(url)), load)
}, 180_000)

test("a process that cannot store what it accepted exits at its deadline with 1 and reports what was left", async () => {
  await using all = new AsyncDisposableStack()
  const postgres = all.use(await PostgresServer.start())
  const { collector, load } = await start(all, postgres.url, {
    environment: { SHUTDOWN_TIMEOUT_SECONDS: "1", STORAGE_TIMEOUT_SECONDS: "60" }
  })

  postgres.pause()
  collector.signal("SIGTERM")
  expect(await collector.ended()).toBe(1)
  postgres.resume()
  await load.stop()

  expect(collector.output).toMatch(
    /Not stopped within 1 s \(SHUTDOWN_TIMEOUT_SECONDS\): [1-9]\d* records were not stored, [1-9]\d* batches were being written\.\n/
  )
  await expectHonest(all.use(await connect(postgres.url)), load)
}, 180_000)

test("a hanging Postgres delays a stopping process until the write deadline: then clients get 503, and the exit code is 0", async () => {
  await using all = new AsyncDisposableStack()
  const postgres = all.use(await PostgresServer.start())
  const { collector, load } = await start(all, postgres.url, {
    environment: { STORAGE_TIMEOUT_SECONDS: "1" },
    load: { leaveWhenAsked: true }
  })

  postgres.pause()
  collector.signal("SIGTERM")
  expect(await collector.ended()).toBe(0)
  postgres.resume()
  await load.stop()

  expect(load.count(503)).toBeGreaterThan(0)
  expect(load.unanswered).toBe(0)
  await expectHonest(all.use(await connect(postgres.url)), load)
}, 180_000)
