import { expect, test } from "bun:test"
import { Redacted } from "effect"
import { expectHonest, Load } from "../support/collect/load.ts"
import { until } from "../support/eventually.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"
import { childrenOf, isAlive, signal } from "../support/process/processes.ts"

test("when one of two workers is killed under load, the other answers, it is replaced, and SIGTERM stops all with 0", async () => {
  await using all = new AsyncDisposableStack()
  const url = Redacted.value(await freshDatabase())
  const database = all.use(await connect(url))
  const environment = { ...(await prepareInstance(url)), WORKERS: "2" }
  const collectors = all.use(await Footfall.start({ environment }))
  // The kernel distributes connections by chance; with this many, each worker has some.
  const load = all.use(new Load({ port: collectors.port, connections: 32 }))
  await load.stores(500)

  const before = childrenOf(collectors.pid)
  expect(before).toHaveLength(2)
  signal(before[0]!, "SIGKILL")
  await load.stores(500)
  await collectors.prints("ended (SIGKILL); restarting it")
  await until("a new worker", () => childrenOf(collectors.pid).length === 2)
  await collectors.becomesHealthy()
  const after = childrenOf(collectors.pid)
  expect(after.filter((pid) => before.includes(pid))).toEqual([before[1]!])
  await load.stores(500)
  // Only the killed worker's requests, of which there may be none at that moment.
  expect(load.unanswered).toBeLessThanOrEqual(34)

  await load.stop()
  const last = all.use(new Load({ port: collectors.port, connections: 32, leaveWhenAsked: true }))
  await last.stores(500)
  collectors.signal("SIGTERM")
  expect(await collectors.ended()).toBe(0)
  await last.stop()
  expect(last.unanswered).toBe(0)
  expect(after.filter(isAlive)).toEqual([])
  await expectHonest(database, load, last)
}, 180_000)

test("a worker that is still being replaced does not change the exit code of a SIGTERM", async () => {
  await using all = new AsyncDisposableStack()
  const url = Redacted.value(await freshDatabase())
  const environment = { ...(await prepareInstance(url)), WORKERS: "2" }
  const collectors = all.use(await Footfall.start({ environment }))
  await collectors.prints("2 workers listen on")

  const before = childrenOf(collectors.pid)
  signal(before[0]!, "SIGKILL")
  await until("a new worker", () => childrenOf(collectors.pid).some((pid) => !before.includes(pid)))
  collectors.signal("SIGTERM")
  expect(await collectors.ended()).toBe(0)
}, 180_000)
