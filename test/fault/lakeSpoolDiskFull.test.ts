import { expect, test } from "bun:test"
import { join } from "node:path"
import { Load } from "../support/collect/load.ts"
import { SmallDisk } from "../support/disk/SmallDisk.ts"
import { openFolderLake } from "../support/lake/folderLake.ts"
import { drain, expectExactlyOnce } from "../support/lake/LakeUnderTest.ts"
import { notTested } from "../support/notTested.ts"

/** Room for two segments of the spool but not for a third. */
const DISK_MIB = 160

const mountable = SmallDisk.mount(1)
mountable?.[Symbol.dispose]()
if (mountable === null) notTested("A full disk: only root on Linux may mount a small one.")

test.skipIf(mountable === null)(
  "clients get 503 while the spool's disk is full and 200 once space is freed, and every acknowledged event is in the lake once",
  async () => {
    await using all = new AsyncDisposableStack()
    const disk = all.use(SmallDisk.mount(DISK_MIB)!)
    const { catalog, lake } = await openFolderLake(all, () => ({ SPOOL_DIR: join(disk.path, "spool") }))
    const collector = all.use(await lake.start())
    const load = all.use(
      new Load({ port: lake.port, connections: 6, batchConnections: 2, identityConnections: 1, large: true })
    )
    await load.stores(50)
    await lake.hasEvents(50)
    // Nothing is flushed meanwhile, so the spool grows.
    catalog.setDown(true)
    disk.fill()
    await load.isRefused(50)
    expect(await collector.health()).toBe(503)
    disk.free()
    catalog.setDown(false)
    await load.stores(500)
    await collector.becomesHealthy()
    await load.stop()
    await lake.hasEvents(load.stored.size)
    await drain(collector)

    expect(load.unanswered).toBe(0)
    await expectExactlyOnce(lake, [load])
  },
  90_000
)
