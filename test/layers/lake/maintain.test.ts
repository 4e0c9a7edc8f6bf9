import { expect, test } from "bun:test"
import { Effect } from "effect"
import { maintain } from "../../../layers/lake/maintain.ts"
import { appendEvents, NAMESPACE } from "../../support/lake/lakeTables.ts"
import { MemoryCatalog } from "../../support/lake/MemoryCatalog.ts"

const OPTIONS = { snapshotMaxAgeMs: 1_000, snapshotsMin: 1, orphanAgeMs: 86_400_000, compactionBytes: 1 << 20 }

test("a defect in one part of maintenance is reported and stops no other part", async () => {
  const catalog = new MemoryCatalog()
  await Effect.runPromise(
    Effect.gen(function* () {
      for (let index = 0; index < 3; index++) yield* appendEvents(catalog, { log: "log-a", day: 20_000, count: 5 })
    })
  )
  catalog.store.readRange = () => Effect.die(new RangeError("Out of bounds access"))
  const orphan = "memory://lake/product_analytics/pa_events/data/orphan.parquet"
  catalog.store.now = Date.now() - 2 * 86_400_000
  await Effect.runPromise(catalog.store.write(orphan, Buffer.from("x")))

  const [events, sessions] = await Effect.runPromise(maintain({ catalog, namespace: NAMESPACE }, OPTIONS))
  expect(events).toMatchObject({
    compacted: null,
    orphansRemoved: 1,
    failures: ["compacting: Out of bounds access"]
  })
  expect(catalog.store.files.has(orphan)).toBe(false)
  expect(sessions?.failures).toEqual([])
})
