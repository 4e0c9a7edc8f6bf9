import { expect, test } from "bun:test"
import { cpSync, rmSync } from "node:fs"
import { Load } from "../support/collect/load.ts"
import { drain, expectExactlyOnce, LakeUnderTest, lakeSettings } from "../support/lake/LakeUnderTest.ts"
import { PostgresServer } from "../support/postgres/postgresServer.ts"

/** Nothing is flushed until a flush is requested. */
const onRequestOnly = lakeSettings({ FLUSH_INTERVAL_SECONDS: "3600", FLUSH_BATCH_SIZE: "10000000" })

/** Saves this many events and a few attributes; all are answered 200. */
const send = async ({ port }: LakeUnderTest, events: number): Promise<Load> => {
  await using load = new Load({ port, connections: 3, batchConnections: 1, identityConnections: 1 })
  await load.stores(events)
  await load.stop()
  expect(load.unanswered).toBe(0)
  return load
}

test("a restored copy of a spool that grows past the lake's watermark loses no acknowledged event and adds none twice", async () => {
  await using all = new AsyncDisposableStack()
  const server = all.use(await PostgresServer.start())
  const lake = all.use(await LakeUnderTest.open(server.url, { environment: () => onRequestOnly }))
  const copy = `${lake.folder}/copy`
  const first = all.use(await lake.start())
  const sent = [await send(lake, 100)]
  cpSync(lake.spools, copy, { recursive: true })
  sent.push(await send(lake, 100))
  await lake.lake(["flush"])
  sent.push(await send(lake, 100))
  await drain(first)
  rmSync(lake.spools, { recursive: true })
  cpSync(copy, lake.spools, { recursive: true })

  const second = all.use(await lake.start())
  sent.push(await send(lake, 50))
  // None of it is in the lake.
  await second.kill()
  const third = all.use(await lake.start())
  sent.push(await send(lake, 500))
  await lake.lake(["flush"])
  sent.push(await send(lake, 50))
  await third.kill()
  const fourth = all.use(await lake.start())
  await drain(fourth)

  expect(third.output.match(/The spool in \S+ ends at \d+ but the lake is at/g)).toHaveLength(1)
  expect(fourth.output).not.toContain("but the lake is at")
  await expectExactlyOnce(lake, sent)
}, 300_000)
