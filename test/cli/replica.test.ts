import { expect, test } from "bun:test"
import { Effect, Redacted } from "effect"
import { saveAll } from "../support/collect/records.ts"
import { until } from "../support/eventually.ts"
import { openStorage } from "../support/postgres/pgStorage.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { startReplica } from "../support/replica/replica.ts"
import { randomFrom, traffic } from "../support/replica/traffic.ts"
import { footfall } from "./support.ts"

test("the replica commands show, check and rebuild the replicas of running servers, without a key", async () => {
  const url = await freshDatabase()
  const DATABASE_URL = Redacted.value(url)
  const run = (command: string, ...more: ReadonlyArray<string>) =>
    footfall(["replica", command, ...more], { DATABASE_URL })
  expect(await run("status")).toMatchObject({
    code: 0,
    out: expect.stringContaining("No replica follows this database.")
  })
  expect(await run("check")).toMatchObject({
    code: 1,
    err: expect.stringContaining("No running `full` keeps a replica")
  })

  const visitors = traffic(randomFrom(23), Date.now)
  await Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(openStorage(url), (storage) => saveAll(storage, Array.from({ length: 100 }, visitors.next)))
    )
  )
  await using replica = await startReplica(url)
  await replica.sync()
  const { out } = await run("status", "--json")
  expect(JSON.parse(out)).toMatchObject({
    replicas: [{ folder: replica.folder, running: true, phase: "following", usable: true, checked_at: null }]
  })
  expect(await run("check")).toMatchObject({ code: 0, out: expect.stringContaining("everything: no differences") })

  const version = () => Effect.runSync(replica.replica.status)?.version.split(" ")[0]
  const before = version()
  expect(await run("rebuild")).toMatchObject({ code: 0, out: expect.stringContaining("1 replica will be rebuilt") })
  await until("it begins again", () => version() !== before)
  await replica.sync()
  expect(await replica.rows("SELECT count(*) FROM event")).toEqual([[100]])
}, 180_000)
