import { describe, expect, test } from "bun:test"
import { Load } from "../../../support/collect/load.ts"
import { allowing } from "../../../support/eventually.ts"
import { drain, expectExactlyOnce, type LakeUnderTest, lakeSettings } from "../../../support/lake/LakeUnderTest.ts"
import { areUp } from "../../areUp.ts"
import { openProxiedLake } from "./ProxiedLake.ts"

const load = (lake: LakeUnderTest, port = lake.port) =>
  new Load({ port, connections: 4, batchConnections: 2, identityConnections: 1, leaveWhenAsked: true })

/** Nothing is flushed before the collector stops. */
const onlyAtEnd = lakeSettings({ FLUSH_INTERVAL_SECONDS: "3600", FLUSH_BATCH_SIZE: "10000000" })

describe.skipIf(!(await areUp("postgres", "seaweedfs")))("stopping a collector with a lake in S3", () => {
  test("a collector that stops under load exits with 0, answers every request and has every acknowledged event in the lake", async () => {
    await using all = new AsyncDisposableStack()
    const { lake } = await openProxiedLake(all, onlyAtEnd)
    const collector = all.use(await lake.start())
    const clients = all.use(load(lake))
    await clients.stores(500)
    await drain(collector)
    await clients.stop()

    expect(clients.unanswered).toBe(0)
    await expectExactlyOnce(lake, [clients])
  }, 180_000)

  test("a collector that stops while its store hangs exits with 0 before its deadline, since the rest is safe on the disk, and the next start flushes every acknowledged event once", async () => {
    await using all = new AsyncDisposableStack()
    const { lake, s3 } = await openProxiedLake(all, { SHUTDOWN_TIMEOUT_SECONDS: "3" })
    const first = all.use(await lake.start())
    const clients = all.use(load(lake))
    await clients.stores(500)
    s3.always(/^PUT /, "hang")
    await clients.stores(500)
    const began = performance.now()
    first.signal("SIGTERM")
    expect(await first.ended()).toBe(0)
    expect(performance.now() - began).toBeLessThan(allowing(5_000))
    expect(first.output).toMatch(
      /[1-9]\d* bytes of accepted events are on the disk in \S+\/spool\/0, and the next start flushes them\./
    )
    await clients.stop()
    s3.reset()
    const second = all.use(await lake.start())
    await lake.hasEvents(clients.stored.size)
    await drain(second)

    expect(clients.unanswered).toBe(0)
    await expectExactlyOnce(lake, [clients])
  }, 180_000)

  test("a collector that stops while its store is unreachable exits with 0, reports what is left, and the next start flushes it once", async () => {
    await using all = new AsyncDisposableStack()
    const { lake, s3 } = await openProxiedLake(all)
    const first = all.use(await lake.start())
    const clients = all.use(load(lake))
    await clients.stores(500)
    s3.setDown(true)
    await clients.stores(500)
    first.signal("SIGTERM")
    expect(await first.ended()).toBe(0)
    expect(first.output).toMatch(
      /[1-9]\d* bytes of accepted events are on the disk in \S+\/spool\/0, and the next start flushes them/
    )
    await clients.stop()
    s3.setDown(false)
    const second = all.use(await lake.start())
    await lake.hasEvents(clients.stored.size)
    await drain(second)

    expect(clients.unanswered).toBe(0)
    await expectExactlyOnce(lake, [clients])
  }, 180_000)

  test("the spool of a collector that is gone is adopted by another one on the same folder and flushed once", async () => {
    await using all = new AsyncDisposableStack()
    const { lake } = await openProxiedLake(all)
    const one = all.use(await lake.start(onlyAtEnd))
    const two = all.use(await lake.start({ ...onlyAtEnd, PORT: "0" }))
    const clients = [all.use(load(lake)), all.use(load(lake, two.port))]
    await Promise.all(clients.map((client) => client.stores(200)))
    await two.kill()
    await one.kill()
    await Promise.all(clients.map((client) => client.stop()))
    const adopter = all.use(await lake.start())
    expect(await adopter.prints(/(Flushed \d+ rows that another collector left in \S+)\./)).toContain("/spool/1")
    await drain(adopter)

    await expectExactlyOnce(lake, clients)
  }, 180_000)
})
