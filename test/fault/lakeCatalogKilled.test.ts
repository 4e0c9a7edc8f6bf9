import { expect, test } from "bun:test"
import { Load } from "../support/collect/load.ts"
import { openFolderLake, swapOf } from "../support/lake/folderLake.ts"
import { drain, expectExactlyOnce } from "../support/lake/LakeUnderTest.ts"
import { metricOf } from "../support/lake/lakeMetrics.ts"
import type { Fault } from "../support/proxy/FaultProxy.ts"

test("killing the catalog's database before, during and after a commit affects no client and loses no event", async () => {
  await using all = new AsyncDisposableStack()
  const { catalog, lake, server } = await openFolderLake(all)
  const load = all.use(
    new Load({ port: lake.port, connections: 3, batchConnections: 1, identityConnections: 1, pauseMs: 20 })
  )
  const collector = all.use(await lake.start())
  await load.stores(50)
  await lake.hasEvents(50)

  const moments: ReadonlyArray<(kill: () => void) => Fault> = [
    // The data files are written, the commit never arrives.
    (kill) => {
      kill()
      return "cut"
    },
    // Whether the commit was applied before the end is random.
    (kill) => {
      setTimeout(kill, Math.random())
      return "loseAnswer"
    },
    // The commit was applied and its answer is lost.
    (kill) => ({ isLost: true, onAnswer: kill })
  ]
  for (const table of ["pa_events", "pa_sessions"]) {
    for (const moment of moments) {
      const { promise: killed, resolve } = Promise.withResolvers<void>()
      await catalog.first(swapOf(table), () => moment(() => resolve(server.kill())))
      await killed
      await load.stores(50)
      await server.start()
      await lake.hasEvents(load.stored.size)
    }
  }
  await load.stop()
  await drain(collector)

  expect([load.count(503), load.unanswered]).toEqual([0, 0])
  await expectExactlyOnce(lake, [load])
}, 300_000)

test("a commit whose answer is lost is found later, even if the catalog is unreachable until the collector stops checking", async () => {
  await using all = new AsyncDisposableStack()
  const { catalog, lake } = await openFolderLake(all)
  const load = all.use(
    new Load({ port: lake.port, connections: 3, batchConnections: 1, identityConnections: 1, pauseMs: 20 })
  )
  const collector = all.use(await lake.start())
  await load.stores(50)
  await lake.hasEvents(50)
  const { promise: isUnreachable, resolve } = Promise.withResolvers<void>()
  void catalog.first(swapOf("pa_events"), {
    isLost: true,
    onAnswer: () => {
      catalog.setDown(true)
      resolve()
    }
  })
  await isUnreachable
  await collector.prints("Flush failed; events stay in the spool")
  expect(await metricOf("footfall_lake_commit_unknown_total", [collector])).toBeGreaterThan(0)
  catalog.setDown(false)
  await lake.hasEvents(load.stored.size)
  await load.stop()
  await drain(collector)

  expect([load.count(503), load.unanswered]).toEqual([0, 0])
  await expectExactlyOnce(lake, [load])
}, 300_000)
