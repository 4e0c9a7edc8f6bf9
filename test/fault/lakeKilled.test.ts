import { expect, test } from "bun:test"
import { existsSync, mkdirSync, rmdirSync } from "node:fs"
import { join } from "node:path"
import { Load } from "../support/collect/load.ts"
import { openFolderLake, swapOf } from "../support/lake/folderLake.ts"
import { drain, expectExactlyOnce } from "../support/lake/LakeUnderTest.ts"
import { IS_NIGHTLY } from "../support/nightly.ts"
import { atRandom, atRequest, atSpoolFile, type KillPoint, killAtEach } from "../support/process/killing.ts"

/** A process listens after one second and has flushed what it found after two. */
const RANDOM_MS = 3_000

test("killing a collector around each commit, and anywhere else, loses no acknowledged event and stores none twice", async () => {
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
    ...(IS_NIGHTLY ? swaps : []),
    atSpoolFile("appending", lake, /^\d+\.log$/, "change"),
    atSpoolFile("trimming", lake, /^trimmed\.tmp$/),
    atSpoolFile("trimmed", lake, /^trimmed$/),
    // Until a process has made a segment of its own, it has only what the previous one wrote last.
    ...Array.from({ length: IS_NIGHTLY ? 3 : 1 }, () => [
      atSpoolFile("trimmed", lake, /^trimmed$/),
      atSpoolFile("a new segment", lake, /^\d+\.log$/, "rename"),
      atSpoolFile("a new segment", lake, /^\d+\.log$/, "rename")
    ]).flat(),
    ...Array.from({ length: IS_NIGHTLY ? 4 : 2 }, () => atRandom(RANDOM_MS))
  ]
  await killAtEach(points, () => lake.spawn())
  const collector = all.use(await lake.start())
  await load.stores(50)
  await load.stop()
  await drain(collector)

  expect(load.unanswered).toBeGreaterThan(0)
  expect(load.identified.size).toBeGreaterThan(0)
  await expectExactlyOnce(lake, [load])
}, 300_000)

test("a collector that is killed after a commit and before the trim stores its events once", async () => {
  await using all = new AsyncDisposableStack()
  const { lake } = await openFolderLake(all)
  const load = all.use(
    new Load({ port: lake.port, connections: 3, batchConnections: 1, identityConnections: 1, pauseMs: 20 })
  )
  const first = all.use(await lake.start())
  const spool = join(lake.spools, "0")
  // A folder in place of the temporary file prevents trimming.
  mkdirSync(join(spool, "trimmed.tmp"))
  await load.stores(50)
  await first.prints(/(The spool in \S+ can't be used: EISDIR)/)
  await first.kill()
  expect(existsSync(join(spool, "trimmed"))).toBe(false)
  rmdirSync(join(spool, "trimmed.tmp"))
  const second = all.use(await lake.start())
  await load.stores(50)
  await load.stop()
  await drain(second)

  expect(load.identified.size).toBeGreaterThan(0)
  await expectExactlyOnce(lake, [load])
}, 180_000)
