import { describe, expect, test } from "bun:test"
import { Load } from "../../../support/collect/load.ts"
import { drain, expectExactlyOnce } from "../../../support/lake/LakeUnderTest.ts"
import { IS_NIGHTLY } from "../../../support/nightly.ts"
import { atRandom, atRequest, atSpoolFile, type KillPoint, killAtEach } from "../../../support/process/killing.ts"
import { areUp } from "../../areUp.ts"
import { countWithDuckdb, openProxiedLake } from "./ProxiedLake.ts"
import { commitSteps, firstRead, TABLES } from "./steps.ts"

/** A process listens after one second and has flushed what it found after two. */
const RANDOM_MS = 3_000
/** Encoding begins when the tables are loaded and takes this long. */
const ENCODING_MS = 80

describe.skipIf(!(await areUp("postgres", "seaweedfs")))("kills of a collector with a lake in S3", () => {
  // By day at every third step, which leaves each kind of step.
  const [times, each] = IS_NIGHTLY ? ["fifty", 1] : ["seventeen", 3]
  test(`killing a collector ${times} times, at steps from accepting to trimming, loses no acknowledged event and stores none twice`, async () => {
    await using all = new AsyncDisposableStack()
    const { catalog, lake, s3 } = await openProxiedLake(all)
    const load = all.use(
      new Load({ port: lake.port, connections: 3, batchConnections: 1, identityConnections: 1, pauseMs: 30 })
    )
    const proxies = { s3, catalog }
    const steps = TABLES.flatMap((table) => commitSteps(table).map((step) => ({ ...step, proxy: proxies[step.of] })))
    const requests = (["before", "stored"] as const).flatMap((moment) =>
      steps.map(({ matches, name, proxy }) => atRequest(name, proxy, matches, moment))
    )
    const committed = steps
      .filter(({ of }) => of === "catalog")
      .map(({ matches, name, proxy }) => atRequest(name, proxy, matches, "answered"))
    const points: ReadonlyArray<KillPoint> = [
      ...requests,
      ...committed,
      ...[0, 0.25, 0.5, 1].map((part) =>
        atRequest("encoding", s3, firstRead("pa_events"), "answered", part * ENCODING_MS)
      ),
      atSpoolFile("appending", lake, /^\d+\.log$/, "change"),
      atSpoolFile("a new segment", lake, /^\d+\.log$/, "rename"),
      atSpoolFile("preparing a segment", lake, /^next\.tmp$/, "change"),
      atSpoolFile("trimming", lake, /^trimmed\.tmp$/, "rename"),
      atSpoolFile("trimming", lake, /^trimmed\.tmp$/, "change"),
      atSpoolFile("trimmed", lake, /^trimmed$/),
      ...Array.from({ length: 7 }, () => atRandom(RANDOM_MS))
    ]
    expect(points).toHaveLength(50)
    await killAtEach(
      points.filter((_, index) => index % each === 0),
      () => lake.spawn()
    )
    const collector = all.use(await lake.start())
    await load.stores(50)
    await load.stop()
    await drain(collector)

    expect(load.unanswered).toBeGreaterThan(0)
    expect(load.identified.size).toBeGreaterThan(0)
    await expectExactlyOnce(lake, [load])
    const { ids, rows } = await countWithDuckdb(lake)
    expect(ids).toBe(rows)
    expect(rows).toBeGreaterThanOrEqual(load.stored.size)
  }, 480_000)
})
