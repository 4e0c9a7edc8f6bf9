import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Redacted } from "effect"
import { startEmbeddedPostgres } from "../../layers/postgres/embedded/EmbeddedPostgres.ts"
import { expectHonest, Load } from "../support/collect/load.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { temporaryFolder } from "../support/postgres/postgres.ts"
import { PostgresServer } from "../support/postgres/postgresServer.ts"
import { Footfall } from "../support/process/footfallProcess.ts"
import { childrenOf, signal } from "../support/process/processes.ts"

test("while Postgres is down clients get 503, and the collector recovers without a restart", async () => {
  await using all = new AsyncDisposableStack()
  const postgres = all.use(await PostgresServer.start())
  const environment = { ...(await prepareInstance(postgres.url)), STORAGE_TIMEOUT_SECONDS: "1" }
  const collector = all.use(await Footfall.start({ environment }))
  const load = all.use(new Load({ port: collector.port }))

  for (let kill = 1; kill <= 2; kill++) {
    await load.stores(500)
    await postgres.kill()
    await load.isRefused(40)
    expect(await collector.health()).toBe(503)
    await postgres.start()
    await load.stores(500)
    await collector.becomesHealthy()
  }
  await load.stop()

  expect(load.unanswered).toBe(0)
  await expectHonest(all.use(await connect(postgres.url)), load)
}, 180_000)

test("clients do not notice a restart of Postgres within the write deadline", async () => {
  await using all = new AsyncDisposableStack()
  const postgres = all.use(await PostgresServer.start())
  const environment = { ...(await prepareInstance(postgres.url)), STORAGE_TIMEOUT_SECONDS: "30" }
  const collector = all.use(await Footfall.start({ environment }))
  const load = all.use(new Load({ port: collector.port }))

  await load.stores(500)
  await postgres.kill()
  await postgres.start()
  await load.stores(500)
  await load.stop()

  expect([load.unanswered, load.count(503)]).toEqual([0, 0])
  await expectHonest(all.use(await connect(postgres.url)), load)
}, 180_000)

const onEmbedded = <A>(folder: string, use: (url: string) => Promise<A>): Promise<A> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(startEmbeddedPostgres(folder), ({ url }) => Effect.promise(() => use(Redacted.value(url))))
    )
  )

test("a killed embedded Postgres is restarted by the server that uses it", async () => {
  await using all = new AsyncDisposableStack()
  const folder = temporaryFolder()
  const { APP_SECRET } = await onEmbedded(folder, prepareInstance)
  const full = all.use(await Footfall.start({ entry: "full", environment: { DATA_DIR: folder, APP_SECRET } }))
  const load = all.use(new Load({ port: full.port }))

  await load.stores(500)
  const postmaster = Number(readFileSync(join(folder, "postgres", "postmaster.pid"), "utf8").split("\n")[0])
  for (const pid of [...childrenOf(postmaster), postmaster]) signal(pid, "SIGKILL")
  await full.prints("The embedded Postgres has exited; restarting it.")
  await load.stores(500)
  await load.stop()
  full.signal("SIGTERM")

  expect(await full.ended()).toBe(0)
  expect(load.unanswered).toBe(0)
  await onEmbedded(folder, async (url) => expectHonest(all.use(await connect(url)), load))
}, 180_000)
