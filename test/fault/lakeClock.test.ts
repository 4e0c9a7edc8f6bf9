import { expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Load } from "../support/collect/load.ts"
import { openFolderLake } from "../support/lake/folderLake.ts"
import { drain, expectExactlyOnce } from "../support/lake/LakeUnderTest.ts"

const DAY_MS = 86_400_000

test("when the clock is set back by a day, commits continue and snapshot times never go back", async () => {
  await using all = new AsyncDisposableStack()
  const { lake } = await openFolderLake(all)
  const file = join(lake.folder, "shift")
  const shift = (ms: number) => writeFileSync(file, String(ms))
  shift(0)
  const collector = all.use(
    await lake.start({
      CLOCK_SHIFT_FILE: file,
      BUN_OPTIONS: `--preload ${join(import.meta.dir, "../support/process/shiftedClock.ts")}`
    })
  )
  const load = all.use(
    new Load({ port: lake.port, connections: 3, batchConnections: 1, identityConnections: 1, pauseMs: 20 })
  )
  const began = Date.now()
  for (const ms of [0, -DAY_MS, -DAY_MS, 0]) {
    shift(ms)
    await load.stores(200)
    await lake.hasEvents(load.stored.size)
  }
  await load.stop()
  await drain(collector)

  const { metadata } = await lake.table("pa_events")
  const times = (metadata.snapshots ?? []).map((snapshot) => snapshot["timestamp-ms"])
  expect(times.length).toBeGreaterThanOrEqual(4)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(times[0]).toBeGreaterThan(began - DAY_MS / 2)
  expect(metadata["last-updated-ms"]).toBeGreaterThanOrEqual(times.at(-1)!)
  // The collector's clock was set back: it determines event times, but not the order of acceptance.
  const rows = await lake.rows("pa_events", ["event_time", "received_at"])
  const earliest = (column: string) => Math.min(...rows.map((row) => Number(row[column])))
  expect(earliest("event_time")).toBeLessThan(began - DAY_MS / 2)
  expect(earliest("received_at")).toBeGreaterThanOrEqual(began - DAY_MS / 2)
  await expectExactlyOnce(lake, [load])
}, 180_000)
