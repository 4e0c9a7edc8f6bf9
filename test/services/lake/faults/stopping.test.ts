import { describe, expect, test } from "bun:test"
import { drain, expectExactlyOnce, type LakeUnderTest, lakeSettings } from "../../../support/lake/LakeUnderTest.ts"
import { Load } from "../../../support/load.ts"
import { areUp } from "../../areUp.ts"
import { openProxiedLake } from "./ProxiedLake.ts"

const load = (lake: LakeUnderTest, port = lake.port) =>
  new Load({ port, connections: 4, batchConnections: 2, identityConnections: 1, leaveWhenAsked: true })

/** So long that nothing gets into the lake before the end. */
const never = lakeSettings({ FLUSH_INTERVAL_SECONDS: "3600", FLUSH_BATCH_SIZE: "10000000" })

describe.skipIf(!(await areUp("postgres", "seaweedfs")))("a collector with a lake in S3 that stops", () => {
  test("under load exits with 0, answers what was sent, and has every 200 in the lake", async () => {
    await using all = new AsyncDisposableStack()
    const { lake } = await openProxiedLake(all, never)
    const collector = all.use(await lake.start())
    const clients = all.use(load(lake))
    await clients.stores(500)
    await drain(collector)
    await clients.stop()

    expect(clients.unanswered).toBe(0)
    await expectExactlyOnce(lake, [clients])
  }, 60_000)

  test("while its store hangs exits with 1 at its deadline, and the next start brings in every 200 once", async () => {
    await using all = new AsyncDisposableStack()
    const { lake, s3 } = await openProxiedLake(all, { SHUTDOWN_TIMEOUT_SECONDS: "3" })
    const first = all.use(await lake.start())
    const clients = all.use(load(lake))
    await clients.stores(500)
    s3.always(/^PUT /, "hang")
    await clients.stores(500)
    const began = performance.now()
    first.signal("SIGTERM")
    expect(await first.ended()).toBe(1)
    expect(performance.now() - began).toBeLessThan(5_000)
    expect(first.output).toContain("Not stopped within 3 s (SHUTDOWN_TIMEOUT_SECONDS)")
    await clients.stop()
    s3.well()
    const second = all.use(await lake.start())
    await lake.hasEvents(clients.stored.size)
    await drain(second)

    expect(clients.unanswered).toBe(0)
    await expectExactlyOnce(lake, [clients])
  }, 60_000)

  test("while its store is gone exits with 0 in time, says what stays, and the next start brings it in once", async () => {
    await using all = new AsyncDisposableStack()
    const { lake, s3 } = await openProxiedLake(all)
    const first = all.use(await lake.start())
    const clients = all.use(load(lake))
    await clients.stores(500)
    s3.setDown(true)
    await clients.stores(500)
    first.signal("SIGTERM")
    expect(await first.ended()).toBe(0)
    expect(first.output).toMatch(/[1-9]\d* bytes stay in \S+\/spool\/0 for the next start/)
    await clients.stop()
    s3.setDown(false)
    const second = all.use(await lake.start())
    await lake.hasEvents(clients.stored.size)
    await drain(second)

    expect(clients.unanswered).toBe(0)
    await expectExactlyOnce(lake, [clients])
  }, 60_000)

  test("for good leaves its log to another one of its folder, which brings it in once", async () => {
    await using all = new AsyncDisposableStack()
    const { lake } = await openProxiedLake(all)
    const one = all.use(await lake.start(never))
    const two = all.use(await lake.start({ ...never, PORT: "0" }))
    const clients = [all.use(load(lake)), all.use(load(lake, two.port))]
    await Promise.all(clients.map((each) => each.stores(200)))
    await two.kill()
    await one.kill()
    await Promise.all(clients.map((each) => each.stop()))
    const heir = all.use(await lake.start())
    expect(await heir.prints(/(Flushed \d+ rows that another collector left in \S+)\./)).toContain("/spool/1")
    await drain(heir)

    await expectExactlyOnce(lake, clients)
  }, 60_000)
})
