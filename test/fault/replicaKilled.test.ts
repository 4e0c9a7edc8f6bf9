import { expect, setDefaultTimeout, test } from "bun:test"
import { Redacted } from "effect"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { until } from "../support/eventually.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase, temporaryFolder } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"
import { childrenOf, isAlive, signal } from "../support/process/processes.ts"

setDefaultTimeout(120_000)

const isReplica = (pid: number): boolean =>
  Bun.spawnSync(["ps", "-o", "args=", "-p", String(pid)])
    .stdout.toString()
    .includes("replicaChild")

const send = (url: string, name: string) =>
  fetch(`${url}/api/send`, {
    method: "POST",
    headers: { "user-agent": FIREFOX },
    body: JSON.stringify({ type: "event", payload: { website: SITE, name, url: "/" } }),
    keepalive: false
  })

test("full collects before its replica is ready, while its replica's process is killed, and after it was killed itself", async () => {
  const instance = { ...(await prepareInstance(Redacted.value(await freshDatabase()))), DATA_DIR: temporaryFolder() }
  await using database = await connect(instance.DATABASE_URL, 1)
  const reported = async () => {
    const rows = await database.query<{ phase: string; usable: boolean; report: string }>(
      "SELECT status->>'phase' AS phase, (status->>'isUsable')::bool AS usable, reported_at::text AS report FROM product_analytics_replica"
    )
    return rows[0]
  }
  const first = await Footfall.start({ entry: "full", environment: instance })
  expect((await send(first.url, "before")).status).toBe(200)
  await until("the replica follows", async () => (await reported())?.usable === true, 20_000)

  const child = () => childrenOf(first.pid).find(isReplica)
  const killed = child()!
  signal(killed, "SIGKILL")
  expect((await send(first.url, "meanwhile")).status).toBe(200)
  await until("another process has the replica", () => child() !== undefined && child() !== killed, 20_000)

  const orphan = child()!
  await first.kill()
  await until("the replica's process ends with full", () => !isAlive(orphan))
  const before = (await reported())?.report
  await using second = await Footfall.start({ entry: "full", environment: instance })
  expect((await send(second.url, "after")).status).toBe(200)
  await until(
    "the replica follows again",
    async () => {
      const now = await reported()
      return now?.usable === true && now.report !== before
    },
    20_000
  )
  const begun = performance.now()
  second.signal("SIGTERM")
  await second.ended()
  expect(performance.now() - begun).toBeLessThan(10_000)
})
