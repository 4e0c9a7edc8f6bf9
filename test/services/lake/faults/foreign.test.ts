import { describe, expect, test } from "bun:test"
import { BUCKET } from "../../../../scripts/services/credentials.ts"
import { Load } from "../../../support/collect/load.ts"
import { drain, expectExactlyOnce } from "../../../support/lake/LakeUnderTest.ts"
import { metricOf } from "../../../support/lake/lakeMetrics.ts"
import { areUp } from "../../areUp.ts"
import { lakeCatalog } from "../../engines/EngineCatalog.ts"
import { pyiceberg } from "../../engines/pyiceberg.ts"
import { LakeCollector } from "../LakeCollector.ts"
import { openProxiedLake } from "./ProxiedLake.ts"

/** Programs may have to be fetched first. */
const TEST_MS = 600_000
/** A commit, not the creation of the table. */
const COMMIT = /\/pa_events-[^/]*\/metadata\/(?!00000-)\d+-[^/]*\.metadata\.json/

describe.skipIf(!(await areUp("postgres", "seaweedfs")))("pyiceberg alongside a collector", () => {
  test(
    "pyiceberg's appends and expirations between a collector's data and its commit lose no row and duplicate none",
    async () => {
      await using all = new AsyncDisposableStack()
      const { catalog, lake, name } = await openProxiedLake(all)
      const shared = lakeCatalog({ name, database: name, warehouse: `s3://${BUCKET}/${name}` })
      const table = LakeCollector.table("pa_events")
      const load = all.use(
        new Load({ port: lake.port, connections: 3, batchConnections: 1, identityConnections: 1, pauseMs: 20 })
      )
      const collector = all.use(await lake.start())
      for (const between of [
        () => pyiceberg.append({ catalog: shared, table, rows: 50, start: 0 }),
        () => pyiceberg.append({ catalog: shared, table, rows: 30, start: 1_000 }),
        () => pyiceberg.expire({ catalog: shared, table })
      ]) {
        await catalog.first(COMMIT, async () => {
          await between()
          return undefined
        })
        await lake.hasEvents(load.stored.size)
      }
      const conflicts = await metricOf("footfall_lake_commit_conflicts_total", [collector])
      await load.stop()
      await drain(collector)

      expect(conflicts).toBeGreaterThanOrEqual(3)
      expect([load.count(503), load.unanswered]).toEqual([0, 0])
      await expectExactlyOnce(lake, [load], { strangers: 80 })
    },
    TEST_MS
  )
})
