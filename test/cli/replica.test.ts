import { expect, test } from "bun:test"
import { Effect, Redacted } from "effect"
import { saveAll } from "../support/collect/records.ts"
import { until } from "../support/eventually.ts"
import { openStorage } from "../support/postgres/pgStorage.ts"
import { freshDatabase, openClient } from "../support/postgres/postgres.ts"
import { replicaFolder, startReplica } from "../support/replica/replica.ts"
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
  expect(await run("check")).toMatchObject({ code: 0, out: expect.stringContaining("all days: no differences") })

  const version = () => Effect.runSync(replica.replica.status)?.version.split(" ")[0]
  const before = version()
  expect(await run("rebuild")).toMatchObject({ code: 0, out: expect.stringContaining("1 replica will be rebuilt") })
  await until("it begins again", () => version() !== before)
  await replica.sync()
  expect(await replica.rows("SELECT count(*) FROM event")).toEqual([[100]])
}, 180_000)

test("a check says at once that the server has stopped, although its replica reported just before", async () => {
  const url = await freshDatabase()
  const DATABASE_URL = Redacted.value(url)
  // Opens the app database once, so that the replica finds its tables.
  await footfall(["sites", "list"], { DATABASE_URL })
  const folder = replicaFolder()
  const replica = await startReplica(url, { folder, keepsFolder: true })
  await replica.sync()
  expect((await footfall(["replica", "check"], { DATABASE_URL })).code).toBe(0)
  await replica[Symbol.asyncDispose]()
  const begun = performance.now()
  expect(await footfall(["replica", "check"], { DATABASE_URL })).toEqual({
    code: 1,
    out: "",
    err: expect.stringMatching(
      /No running `full` keeps a replica; the last report of one is from 20\S+Z\. Start `bun run full` with WAREHOUSE=replica/
    )
  })
  expect(performance.now() - begun).toBeLessThan(15_000)
  expect((await footfall(["replica", "status"], { DATABASE_URL })).out).toMatch(/^running +no$/m)
}, 180_000)

test("a check of a replica on another machine that reports no more ends after half a minute, and shows that it waits", async () => {
  const url = await freshDatabase()
  const DATABASE_URL = Redacted.value(url)
  await footfall(["sites", "list"], { DATABASE_URL })
  await Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(openClient(url, 1), (sql) =>
        sql.unsafe(`INSERT INTO product_analytics_replica (replica_id, token, previous_token, host, folder, reported_at)
          VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'elsewhere', '/data/replica', now())`)
      )
    )
  )
  const begun = performance.now()
  expect(await footfall(["replica", "check"], { DATABASE_URL })).toEqual({
    code: 1,
    out: "",
    err: expect.stringMatching(/ 1 replica to go …\n[\s\S]*Start `bun run full`/)
  })
  expect(performance.now() - begun).toBeLessThan(60_000)
}, 180_000)
