import { expect, test } from "bun:test"
import { ensureTable } from "../../layers/lake/ensureTable.ts"
import { PA_EVENTS } from "../../layers/lake/schema.ts"
import { Load } from "../support/collect/load.ts"
import { openFolderLake } from "../support/lake/folderLake.ts"
import { drain, expectExactlyOnce, type LakeUnderTest } from "../support/lake/LakeUnderTest.ts"
import { connect } from "../support/postgres/database.ts"
import type { PostgresServer } from "../support/postgres/postgresServer.ts"

/** The first commit to the table, which writes its second metadata file. */
const FIRST_COMMIT = /\/pa_events-[^/]*\/metadata\/00001-/

/** Drops the table like another engine. */
const drop = async ({ url }: PostgresServer): Promise<void> => {
  await using database = await connect(url, 1)
  await database.query("DELETE FROM iceberg_tables WHERE table_name = 'pa_events'")
}

const create = (lake: LakeUnderTest) =>
  lake.use(({ catalog, namespace }) => ensureTable(catalog, { namespace, name: "pa_events" }, PA_EVENTS))

const light = (lake: LakeUnderTest) =>
  new Load({ port: lake.port, connections: 3, batchConnections: 1, identityConnections: 1, pauseMs: 20 })

test("a table that is dropped and recreated during its first commit gets every event once", async () => {
  await using all = new AsyncDisposableStack()
  const { catalog, lake, server } = await openFolderLake(all)
  const replaced = catalog.first(FIRST_COMMIT, async () => {
    await drop(server)
    await create(lake)
    return undefined
  })
  const load = all.use(light(lake))
  const collector = all.use(await lake.start())
  await replaced
  await load.stores(100)
  await lake.hasEvents(100)
  await load.stop()
  await drain(collector)

  expect(load.count(503)).toBe(0)
  await expectExactlyOnce(lake, [load])
}, 180_000)

test("a table that is dropped while collectors run is recreated and gets every later event once", async () => {
  await using all = new AsyncDisposableStack()
  const { lake, server } = await openFolderLake(all)
  const before = all.use(light(lake))
  const collector = all.use(await lake.start())
  await before.stores(100)
  await lake.hasEvents(100)
  await before.stop()
  await drop(server)
  const load = all.use(light(lake))
  await load.stores(100)
  await lake.hasEvents(100)
  await load.stop()
  await drain(collector)

  await expectExactlyOnce(lake, [load], { strangers: "any" })
}, 300_000)
