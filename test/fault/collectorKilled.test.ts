import { expect, test } from "bun:test"
import { Redacted } from "effect"
import { freePort } from "../../bench/support/server.ts"
import { expectHonest, Load } from "../support/collect/load.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

test("a collector killed under load loses no acknowledged event, and works immediately after a restart", async () => {
  await using all = new AsyncDisposableStack()
  const url = Redacted.value(await freshDatabase())
  const database = all.use(await connect(url))
  const environment = { ...(await prepareInstance(url)), PORT: String(freePort()) }

  let collector = all.use(await Footfall.start({ environment }))
  const load = all.use(new Load({ port: collector.port }))
  for (let kill = 1; kill <= 3; kill++) {
    await load.stores(500)
    await collector.kill()
    collector = all.use(await Footfall.start({ environment }))
  }
  await load.stores(500)
  await load.stop()

  expect(await collector.health()).toBe(200)
  // Each kill interrupted requests, otherwise this tests nothing.
  expect(load.unanswered).toBeGreaterThanOrEqual(3)
  await expectHonest(database, load)
}, 180_000)
