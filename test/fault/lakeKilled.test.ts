import { expect, test } from "bun:test"
import { existsSync, mkdirSync, rmdirSync } from "node:fs"
import { join } from "node:path"
import { atLog, atRandom, atRequest, type KillPoint, killAtEach } from "../support/killing.ts"
import { openFolderLake, swapOf } from "../support/lake/folderLake.ts"
import { drain, expectExactlyOnce } from "../support/lake/LakeUnderTest.ts"
import { Load } from "../support/load.ts"

/** A process listens after one second and has flushed what it found after two. */
const RANDOM_MS = 3_000

test("a collector that is killed around each commit to a lake in a folder, and anywhere else, brings in every 200 once", async () => {
  await using all = new AsyncDisposableStack()
  const { catalog, lake } = await openFolderLake(all)
  const load = all.use(
    new Load({ port: lake.port, connections: 3, batchConnections: 1, identityConnections: 1, pauseMs: 20 })
  )
  const swaps = (["before", "stored", "answered"] as const).flatMap(
    (moment): ReadonlyArray<KillPoint> =>
      ["pa_events", "pa_sessions", "pa_session_data"].map((table) =>
        atRequest(`the commit of ${table}`, catalog, swapOf(table), moment)
      )
  )
  const points = [
    ...swaps,
    ...swaps,
    atLog("appending", lake, /^\d+\.log$/, "change"),
    atLog("trimming", lake, /^trimmed\.tmp$/),
    atLog("trimmed", lake, /^trimmed$/),
    // What one wrote last is all that the next one has while it makes a file of its own.
    ...Array.from({ length: 3 }, () => [
      atLog("trimmed", lake, /^trimmed$/),
      atLog("a new segment", lake, /^\d+\.log$/, "rename"),
      atLog("a new segment", lake, /^\d+\.log$/, "rename")
    ]).flat(),
    ...Array.from({ length: 4 }, () => atRandom(RANDOM_MS))
  ]
  await killAtEach(points, () => lake.spawn())
  const collector = all.use(await lake.start())
  await load.stores(50)
  await load.stop()
  await drain(collector)

  expect(load.unanswered).toBeGreaterThan(0)
  expect(load.identified.size).toBeGreaterThan(0)
  await expectExactlyOnce(lake, [load])
}, 120_000)

test("a collector that is killed after its commits, before it gives up what they brought, brings that in once", async () => {
  await using all = new AsyncDisposableStack()
  const { lake } = await openFolderLake(all)
  const load = all.use(
    new Load({ port: lake.port, connections: 3, batchConnections: 1, identityConnections: 1, pauseMs: 20 })
  )
  const first = all.use(await lake.start())
  const log = join(lake.spools, "0")
  // Nothing can be given up as long as a folder stands where the file is written that says so.
  mkdirSync(join(log, "trimmed.tmp"))
  await load.stores(50)
  await first.prints(/(The spool in \S+ can't be used: EISDIR)/)
  await first.kill()
  expect(existsSync(join(log, "trimmed"))).toBe(false)
  rmdirSync(join(log, "trimmed.tmp"))
  const second = all.use(await lake.start())
  await load.stores(50)
  await load.stop()
  await drain(second)

  expect(load.identified.size).toBeGreaterThan(0)
  await expectExactlyOnce(lake, [load])
}, 60_000)
