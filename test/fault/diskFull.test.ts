import { expect, test } from "bun:test"
import { expectHonest, Load } from "../support/collect/load.ts"
import { SmallDisk } from "../support/disk/SmallDisk.ts"
import { until } from "../support/eventually.ts"
import { notTested } from "../support/notTested.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { type PostgresOptions, PostgresServer } from "../support/postgres/postgresServer.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

/** A new cluster takes about 25 MiB, and its WAL a few more. */
const DISK_MIB = 96

const mountable = SmallDisk.mount(1)
mountable?.[Symbol.dispose]()
if (mountable === null) notTested("A full disk: only root on Linux may mount a small one.")
const onSmallDisk = test.skipIf(mountable === null)

const start = async (all: AsyncDisposableStack, options: PostgresOptions) => {
  const postgres = all.use(await PostgresServer.start(options))
  const database = all.use(await connect(postgres.url))
  const environment = { ...(await prepareInstance(postgres.url)), STORAGE_TIMEOUT_SECONDS: "1" }
  const collector = all.use(await Footfall.start({ environment }))
  return { postgres, database, collector, load: all.use(new Load({ port: collector.port })) }
}

onSmallDisk(
  "while the disk of the data is full clients get 503 and health says so, and with space freed events are stored again",
  async () => {
    await using all = new AsyncDisposableStack()
    const disk = all.use(SmallDisk.mount(DISK_MIB)!)
    const { database, collector, load, postgres } = await start(all, { folder: disk.path })
    await load.stores(500)
    disk.fill()
    await load.isRefused(50)
    expect(postgres.log()).toContain("No space left on device")
    expect(await collector.health()).toBe(503)
    disk.free()
    await load.stores(500)
    await collector.becomesHealthy()
    await load.stop()
    expect(load.unanswered).toBe(0)
    await expectHonest(database, load)
  },
  60_000
)

onSmallDisk(
  "when the disk of Postgres' log is full, and Postgres ends for it, the collector waits for its return",
  async () => {
    await using all = new AsyncDisposableStack()
    const disk = all.use(SmallDisk.mount(DISK_MIB)!)
    const { database, collector, load, postgres } = await start(all, {
      walFolder: disk.path,
      // Small segments, otherwise the current one would always have room.
      initdb: ["--wal-segsize=1"],
      settings: { min_wal_size: "2MB", max_wal_size: "64MB" }
    })
    await load.stores(500)
    disk.fill()
    await load.isRefused(50)
    // The postmaster exits only after its last backend.
    await until("Postgres has exited", () => postgres.isGone)
    expect(await collector.health()).toBe(503)
    disk.free()
    await postgres.start()
    await load.stores(500)
    await collector.becomesHealthy()
    await load.stop()
    expect(load.unanswered).toBe(0)
    await expectHonest(database, load)
  },
  60_000
)
