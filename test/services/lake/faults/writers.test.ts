import { describe, expect, test } from "bun:test"
import { freePort } from "../../../../bench/support/server.ts"
import { CREDENTIALS } from "../../../../scripts/services/credentials.ts"
import { endpoint } from "../../../../scripts/services/place.ts"
import { Load } from "../../../support/collect/load.ts"
import { until } from "../../../support/eventually.ts"
import { drain, expectExactlyOnce, lakeSettings } from "../../../support/lake/LakeUnderTest.ts"
import { metricOf } from "../../../support/lake/lakeMetrics.ts"
import { IS_NIGHTLY } from "../../../support/nightly.ts"
import { areUp } from "../../areUp.ts"
import { countWithDuckdb, openProxiedLake } from "./ProxiedLake.ts"

const { accessKeyId, secretAccessKey } = CREDENTIALS.s3
/** How long it may take until two collectors' commits conflict. */
const CONFLICT_MS = 60_000
/** Events that each collector answers before conflicts are counted. */
const EVENTS = 100

const rest = (namespace: string) =>
  lakeSettings({
    CATALOG_TYPE: "rest",
    CATALOG_URI: endpoint.icebergRest(),
    WAREHOUSE: "s3://warehouse",
    CATALOG_CREDENTIALS: `${accessKeyId}:${secretAccessKey}`,
    OAUTH2_SERVER_URI: endpoint.icebergRestTokens(),
    NAMESPACE: namespace
  })

describe.skipIf(!(await areUp("postgres", "seaweedfs")))("concurrent collectors", () => {
  for (const [count, catalog, settings] of [
    [2, "jdbc", undefined],
    [8, "jdbc", undefined],
    [2, "rest", rest(`faults_${process.pid}_two`)],
    [8, "rest", rest(`faults_${process.pid}_eight`)]
  ] as const) {
    // Eight, on a machine that does other things, too, take minutes until each has stopped.
    const inTime = count === 2 || IS_NIGHTLY
    test.skipIf(!inTime)(
      `${count} collectors that write to one lake with a ${catalog} catalog lose no event and store none twice when commits conflict`,
      async () => {
        await using all = new AsyncDisposableStack()
        const { lake } = await openProxiedLake(all, settings, settings)
        const start = async () => all.use(await lake.start({ PORT: String(freePort()) }))
        const first = await start()
        // Unlike Postgres, the REST server creates a table twice for two concurrent requests.
        if (catalog === "rest") {
          const load = all.use(new Load({ port: first.port, connections: 1, batchConnections: 0 }))
          await load.stores(1)
          await load.stop()
          await lake.hasEvents(1)
        }
        const collectors = [first, ...(await Promise.all(Array.from({ length: count - 1 }, start)))]
        const loads = collectors.map(({ port }) =>
          all.use(new Load({ port, connections: 2, batchConnections: 0, identityConnections: 1, pauseMs: 40 }))
        )
        await Promise.all(loads.map((load) => load.stores(EVENTS)))
        let conflicts = 0
        await until(
          () => `commits conflict: ${conflicts}`,
          async () => {
            conflicts = await metricOf("footfall_lake_commit_conflicts_total", collectors)
            return conflicts > 0
          },
          CONFLICT_MS
        )
        await Promise.all(loads.map((load) => load.stop()))
        // Two at a time: a last flush has 15 s, in which eight at once on a busy machine may keep conflicting.
        for (let next = 0; next < count; next += 2) await Promise.all(collectors.slice(next, next + 2).map(drain))

        expect(loads.reduce((sum, load) => sum + load.count(503) + load.unanswered, 0)).toBe(0)
        await expectExactlyOnce(lake, loads, { strangers: catalog === "rest" ? "any" : 0 })
        if (catalog === "jdbc") {
          const { ids, rows } = await countWithDuckdb(lake)
          expect(ids).toBe(rows)
        }
      },
      480_000
    )
  }
})
