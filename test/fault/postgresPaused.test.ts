import { expect, test } from "bun:test"
import { expectHonest, Load } from "../support/collect/load.ts"
import { allowing } from "../support/eventually.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { PostgresServer } from "../support/postgres/postgresServer.ts"
import { Footfall } from "../support/process/footfallProcess.ts"
import { peakMemory } from "../support/process/processes.ts"

/** How long Postgres does not answer: several write deadlines, and several attempts to connect. */
const PAUSE_MS = 20_000
const DEADLINE_SECONDS = 3
/** The sweep's tenth of a second, and the seconds that a busy machine may add. */
const LATE_MS = 3_000
/** About 260 MB if nothing is wrong: the collector, its queue, and the batches being parsed. */
const MEMORY_MIB = 400

test("while Postgres hangs, every wait ends at its deadline and memory stays bounded, and afterwards the collector recovers", async () => {
  await using all = new AsyncDisposableStack()
  const postgres = all.use(await PostgresServer.start())
  const database = all.use(await connect(postgres.url))
  const environment = {
    ...(await prepareInstance(postgres.url)),
    STORAGE_TIMEOUT_SECONDS: String(DEADLINE_SECONDS),
    STORAGE_QUEUE_EVENTS: "5000"
  }
  const collector = all.use(await Footfall.start({ environment }))
  const load = all.use(new Load({ port: collector.port }))
  await load.stores(500)

  postgres.pause()
  const pausedAt = performance.now()
  expect(await collector.health()).toBe(503)
  // More than the queue holds: some wait for their deadline, the others are rejected immediately and retried.
  const flood = all.use(
    new Load({ port: collector.port, connections: 64, batchConnections: 8, batchItems: 1_000, pauseMs: 250 })
  )
  await load.isRefused(20)
  expect(await collector.health()).toBe(503)
  await Bun.sleep(PAUSE_MS - (performance.now() - pausedAt))
  expect(await collector.health()).toBe(503)
  await flood.stop()
  postgres.resume()

  await load.stores(500)
  await collector.becomesHealthy()
  await load.stop()
  const memory = peakMemory(collector.pid)

  expect(memory).toBeLessThan(MEMORY_MIB)
  expect(Math.max(load.slowest, flood.slowest)).toBeLessThan(DEADLINE_SECONDS * 1_000 + allowing(LATE_MS))
  expect(load.unanswered + flood.unanswered).toBe(0)
  await expectHonest(database, load, flood)
}, 300_000)
