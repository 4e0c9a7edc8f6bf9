import { describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { removeOrphans } from "../../../../layers/iceberg/maintenance/orphans.ts"
import { Load } from "../../../support/collect/load.ts"
import { until } from "../../../support/eventually.ts"
import { drain, expectExactlyOnce, type LakeUnderTest, lakeSettings } from "../../../support/lake/LakeUnderTest.ts"
import { IS_NIGHTLY } from "../../../support/nightly.ts"
import { atRequest, type KillPoint, killAtEach } from "../../../support/process/killing.ts"
import { areUp } from "../../areUp.ts"
import { countWithDuckdb, openProxiedLake, type ProxiedLake } from "./ProxiedLake.ts"
import { commitSteps } from "./steps.ts"

/** More than a snapshot's maximum age, and so little that the store still accepts the last process's clock. */
const AHEAD_MS = 100_000
/** The background job runs every 9 to 11 s. */
const TURN_MS = 30_000

/** At night, processes are killed at every step; otherwise where it matters most, after something was stored and before it is known. */

/** Snapshots expire as soon as the settings allow. */
const eager = lakeSettings({ SNAPSHOT_MAX_AGE_SECONDS: "60", SNAPSHOTS_MIN: "1", MAINTENANCE_INTERVAL_SECONDS: "10" })

/** Two collectors that write events of closed days, past the proxies, which only maintenance uses. */
const write = async (all: AsyncDisposableStack, lake: LakeUnderTest) => {
  const collectors = [
    all.use(await lake.start(lake.direct)),
    all.use(await lake.start({ ...lake.direct, PORT: "0" }))
  ] as const
  const loads = collectors.map(({ port }) =>
    all.use(new Load({ port, connections: 2, batchConnections: 1, identityConnections: 1, pauseMs: 40, pastDays: 2 }))
  )
  await lake.hasEvents(400)
  return {
    loads,
    stop: async () => {
      await Promise.all(loads.map((load) => load.stop()))
      await Promise.all(collectors.map(drain))
    }
  }
}

/** The environment of a process whose clock is ahead, to which everything is old. */
const ahead = ({ folder }: LakeUnderTest) => {
  const file = join(folder, "ahead")
  return (ms: number) => {
    writeFileSync(file, String(ms))
    return {
      CLOCK_SHIFT_FILE: file,
      BUN_OPTIONS: `--preload ${join(import.meta.dir, "../../../support/process/shiftedClock.ts")}`
    }
  }
}

const pointsOf = ({ catalog, s3 }: ProxiedLake) => {
  const [data, manifest, list, metadata, swap] = commitSteps("pa_events").map(({ matches, name, of }) => {
    const at = (moment: "before" | "stored" | "answered") =>
      atRequest(name, of === "s3" ? s3 : catalog, matches, moment)
    return { before: at("before"), stored: at("stored"), answered: at("answered") }
  }) as [Moments, Moments, Moments, Moments, Moments]
  const removal = (moment: "before" | "stored") => atRequest("removal", s3, /^POST \S*\?delete/, moment)
  if (!IS_NIGHTLY) {
    return {
      compact: [data.stored, metadata.stored, swap.stored],
      expire: [swap.stored, removal("stored")],
      compacting: [data.stored]
    }
  }
  return {
    compact: [
      data.before,
      data.stored,
      manifest.stored,
      list.stored,
      metadata.stored,
      swap.before,
      swap.stored,
      swap.answered
    ],
    expire: [metadata.stored, swap.before, swap.stored, swap.answered, removal("before"), removal("stored")],
    compacting: [data.stored]
  }
}

interface Moments {
  readonly before: KillPoint
  readonly stored: KillPoint
  readonly answered: KillPoint
}

interface Compacted {
  readonly table: string
  readonly files_before: number
  readonly files_after: number
}

interface Expired {
  readonly snapshots: number
}

interface Removed {
  readonly table: string
  readonly files: ReadonlyArray<unknown>
}

describe.skipIf(!(await areUp("postgres", "seaweedfs")))("maintenance of a lake while collectors write", () => {
  test("compact, expire and orphans lose no row, even when they are killed between their steps", async () => {
    await using all = new AsyncDisposableStack()
    const proxied = await openProxiedLake(all, eager)
    const { lake } = proxied
    const { loads, stop } = await write(all, lake)
    const shifted = ahead(lake)
    const points = pointsOf(proxied)
    await killAtEach(points.compact, () => lake.command(["compact", "--table", "pa_events"], lake.environment))
    let expiries = 0
    // By the clock of each process, what the previous one did is old.
    for (const point of points.expire) {
      const later = shifted(++expiries * AHEAD_MS)
      // The collectors must have committed again.
      await until("something to expire", async () => {
        const [planned] = await lake.lake<ReadonlyArray<Expired>>(
          ["expire", "--dry-run", "--table", "pa_events"],
          later
        )
        return planned!.snapshots > 0
      })
      await killAtEach([point], () =>
        lake.command(["expire", "--table", "pa_events"], { ...lake.environment, ...later })
      )
    }
    const [compacted] = await lake.lake<ReadonlyArray<Compacted>>(["compact"])
    expect(compacted?.table).toBe("pa_events")
    expect(compacted!.files_after).toBeLessThan(compacted!.files_before)
    const [expired] = await lake.lake<ReadonlyArray<Removed>>(["expire"], shifted(++expiries * AHEAD_MS))
    expect(expired!.files.length).toBeGreaterThan(0)
    expect(await lake.lake<ReadonlyArray<Removed>>(["orphans"])).toMatchObject([
      { files: [] },
      { files: [] },
      { files: [] }
    ])
    await stop()

    await expectExactlyOnce(lake, loads)
    // After the last writer has stopped, what killed processes left may be removed at any age.
    const orphans = await lake.use(({ catalog, namespace }) =>
      removeOrphans(catalog, { namespace, name: "pa_events" }, { ageMs: 0, dryRun: false, others: [] })
    )
    expect(orphans.files.length).toBeGreaterThan(0)
    await expectExactlyOnce(lake, loads)
    const { ids, rows } = await countWithDuckdb(lake)
    expect(ids).toBe(rows)
  }, 480_000)

  test.skipIf(!IS_NIGHTLY)(
    "the background job loses no row, even when it is killed during a compaction",
    async () => {
      await using all = new AsyncDisposableStack()
      const proxied = await openProxiedLake(all, eager)
      const { lake } = proxied
      const { loads, stop } = await write(all, lake)
      // These processes get no events: everything they store is the job's.
      await killAtEach(pointsOf(proxied).compacting, () => lake.spawn({ PORT: "0" }, "full"))
      const full = all.use(await lake.start({ PORT: "0" }, "full"))
      expect(await full.prints(/Lake maintenance: (pa_events): .*compacted \d+ files into \d+/, TURN_MS)).toBe(
        "pa_events"
      )
      await stop()
      await drain(full)

      await expectExactlyOnce(lake, loads)
      const { ids, rows } = await countWithDuckdb(lake)
      expect(ids).toBe(rows)
    },
    300_000
  )
})
