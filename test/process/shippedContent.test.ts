import { expect, test } from "bun:test"
import { Redacted } from "effect"
import { until } from "../support/eventually.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

test("two full processes that start at the same time, and one after them, ship each question and dashboard once", async () => {
  const instance = await prepareInstance(Redacted.value(await freshDatabase()))
  await using database = await connect(instance.DATABASE_URL)
  const state = async () =>
    (
      await database.query<{ readonly items: number; readonly revisions: number; readonly collections: number }>(
        `SELECT count(*)::int AS items, sum(revision)::int AS revisions,
          (SELECT count(*)::int FROM product_analytics_collection WHERE entity_id = 'pA7xR2k-QeeHWB8_58vno') AS collections
          FROM product_analytics_content WHERE shipped_checksum IS NOT NULL`
      )
    )[0]!
  const expected = { items: 68, revisions: 68, collections: 1 }
  const options = { entry: "full", environment: { ...instance, WAREHOUSE: "postgres" } } as const
  {
    await using first = Footfall.spawn(options)
    await using second = Footfall.spawn(options)
    await until("everything is shipped", async () => (await state()).items === expected.items)
    await Promise.all([first, second].map((process) => process.prints(/listens? on/)))
    await first.kill()
    await second.kill()
  }
  expect(await state()).toEqual(expected)
  // As if a newer version had brought this one, and a person had copied another.
  await database.query(
    "UPDATE product_analytics_content SET shipped_checksum = 'old', name = 'Old' WHERE name = 'Page Views'"
  )
  await using third = await Footfall.start(options)
  await until("the changed one is updated", async () => (await state()).revisions === 69)
  const [changed] = await database.query<{ name: string }>(
    "SELECT name FROM product_analytics_content WHERE revision = 2"
  )
  expect(changed).toEqual({ name: "Page Views" })
  expect(await third.health()).toBe(200)
}, 180_000)
