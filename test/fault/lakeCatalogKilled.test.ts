import { expect, test } from "bun:test"
import { openFolderLake, swapOf } from "../support/lake/folderLake.ts"
import { drain, expectExactlyOnce } from "../support/lake/LakeUnderTest.ts"
import { metricOf } from "../support/lake/lakeMetrics.ts"
import { Load } from "../support/load.ts"
import type { StepFault } from "../support/proxy/StepProxy.ts"

test("a catalog's database that is killed between the data and the commit, during it and after it costs no client anything", async () => {
  await using all = new AsyncDisposableStack()
  const { catalog, lake, server } = await openFolderLake(all)
  const load = all.use(
    new Load({ port: lake.port, connections: 3, batchConnections: 1, identityConnections: 1, pauseMs: 20 })
  )
  const collector = all.use(await lake.start())
  await load.stores(50)
  await lake.hasEvents(50)

  const moments: ReadonlyArray<(kill: () => void) => StepFault> = [
    // The data is there, the commit never arrives.
    (kill) => {
      kill()
      return "cut"
    },
    // Whether it was done before the end is chance.
    (kill) => {
      setTimeout(kill, Math.random())
      return { lose: true, answered: () => {} }
    },
    // It was done, and nobody was told.
    (kill) => ({ lose: true, answered: kill })
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
}, 90_000)

test("a commit that is done, whose answer is lost and whose catalog is away until nobody looks for it any more, is found later", async () => {
  await using all = new AsyncDisposableStack()
  const { catalog, lake } = await openFolderLake(all)
  const load = all.use(
    new Load({ port: lake.port, connections: 3, batchConnections: 1, identityConnections: 1, pauseMs: 20 })
  )
  const collector = all.use(await lake.start())
  await load.stores(50)
  await lake.hasEvents(50)
  const { promise: away, resolve } = Promise.withResolvers<void>()
  void catalog.first(swapOf("pa_events"), {
    lose: true,
    answered: () => {
      catalog.setDown(true)
      resolve()
    }
  })
  await away
  await collector.prints("Flush failed; events stay in the spool")
  expect(await metricOf("footfall_lake_commit_unknown_total", [collector])).toBeGreaterThan(0)
  catalog.setDown(false)
  await lake.hasEvents(load.stored.size)
  await load.stop()
  await drain(collector)

  expect([load.count(503), load.unanswered]).toEqual([0, 0])
  await expectExactlyOnce(lake, [load])
}, 90_000)
