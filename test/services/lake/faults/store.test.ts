import { describe, expect, test } from "bun:test"
import { Load } from "../../../support/collect/load.ts"
import { drain, expectExactlyOnce, type LakeUnderTest } from "../../../support/lake/LakeUnderTest.ts"
import { peakMemory } from "../../../support/process/processes.ts"
import { SLOW_DOWN } from "../../../support/proxy/FaultProxy.ts"
import { areUp } from "../../areUp.ts"
import { openProxiedLake } from "./ProxiedLake.ts"
import { commitSteps, TABLES } from "./steps.ts"

/** Peak memory of a collector that flushes a quarter of a gigabyte, in MiB; idle, it takes 180. */
const MEMORY_MIB = 600
/** The smallest allowed: four segments. */
const SPOOL_BYTES = 256 << 20
const REQUEST = /^(?:PUT|GET|HEAD|POST|DELETE) /
/** Events that are answered during each fault before it ends. */
const EVENTS = 100

const light = (lake: LakeUnderTest) =>
  new Load({ port: lake.port, connections: 3, batchConnections: 1, identityConnections: 1, pauseMs: 20 })

describe.skipIf(!(await areUp("postgres", "seaweedfs")))("faults of the object store", () => {
  test("a store that stores any file and loses the answer has every event once", async () => {
    await using all = new AsyncDisposableStack()
    const { catalog, lake, s3 } = await openProxiedLake(all)
    const load = all.use(light(lake))
    const collector = all.use(await lake.start())
    await load.stores(EVENTS)
    for (const { matches, of } of TABLES.flatMap(commitSteps)) {
      await (of === "s3" ? s3 : catalog).first(matches, "loseAnswer", 2)
    }
    await load.stop()
    await drain(collector)

    expect([load.count(503), load.unanswered]).toEqual([0, 0])
    await expectExactlyOnce(lake, [load])
  }, 300_000)

  test("a store that refuses connections, asks to slow down or hangs affects no client", async () => {
    await using all = new AsyncDisposableStack()
    const { lake, s3 } = await openProxiedLake(all)
    const load = all.use(light(lake))
    const collector = all.use(await lake.start())
    await load.stores(EVENTS)
    await lake.hasEvents(EVENTS)
    const faults: ReadonlyArray<readonly [begin: () => void, end: () => void]> = [
      [() => s3.setDown(true), () => s3.setDown(false)],
      [() => s3.always(REQUEST, SLOW_DOWN), () => s3.reset()],
      [
        () => s3.always(REQUEST, "hang"),
        () => {
          s3.reset()
          // A restart of the server ends the connections that hang.
          s3.setDown(true)
          s3.setDown(false)
        }
      ]
    ]
    for (const [begin, end] of faults) {
      begin()
      await load.stores(EVENTS * 5)
      expect(await collector.health()).toBe(200)
      end()
      await lake.hasEvents(load.stored.size)
    }
    await load.stop()
    await drain(collector)

    expect([load.count(503), load.unanswered]).toEqual([0, 0])
    await expectExactlyOnce(lake, [load])
  }, 300_000)

  test("clients get 503 when the store is unreachable until the spool is full, and every acknowledged event is stored once it is back", async () => {
    await using all = new AsyncDisposableStack()
    const { lake, s3 } = await openProxiedLake(all, { SPOOL_MAX_BYTES: String(SPOOL_BYTES) })
    const collector = all.use(await lake.start())
    s3.setDown(true)
    const load = all.use(
      new Load({ port: lake.port, connections: 8, batchConnections: 4, batchItems: 20, large: true })
    )
    await load.isRefused(100)
    // The last bytes are too few for a large event but not for small ones.
    const small = all.use(light(lake))
    await small.isRefused(20)
    await Promise.all([load.stop(), small.stop()])
    const storedCount = load.stored.size + small.stored.size
    s3.setDown(false)
    await lake.hasEvents(storedCount)
    const after = all.use(light(lake))
    await after.stores(EVENTS)
    const refused = after.count(503)
    await after.stores(EVENTS)
    await after.stop()
    const memory = peakMemory(collector.pid)
    await drain(collector)

    expect(storedCount).toBeGreaterThan(5_000)
    expect(after.count(503)).toBe(refused)
    expect(memory).toBeLessThan(MEMORY_MIB)
    await expectExactlyOnce(lake, [load, small, after])
  }, 480_000)
})
