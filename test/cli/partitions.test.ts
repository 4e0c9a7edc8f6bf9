import { expect, test } from "bun:test"
import { Redacted } from "effect"
import { connect } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { footfall } from "./support.ts"

test("partitions merge moves a month with few events back to the default partition; with --dry-run it only says so", async () => {
  const DATABASE_URL = Redacted.value(await freshDatabase())
  await using database = await connect(DATABASE_URL, 1)
  await database.query("SELECT product_analytics_ensure_month($1, '2004-03-01')", ["product_analytics_event"])
  await database.query(
    `INSERT INTO product_analytics_event (created_at, event_id, site_id, session_id, visit_id, event_type, url_path)
    VALUES ('2004-03-05', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, '/')`
  )
  const stored = async () =>
    (
      await database.query<{ table: string }>('SELECT tableoid::regclass::text AS "table" FROM product_analytics_event')
    )[0]
  expect(await footfall(["partitions", "merge", "--dry-run"], { DATABASE_URL })).toEqual({
    code: 0,
    out: "2004-03: 1 event\n1 month would be merged into the default partition.\n",
    err: ""
  })
  expect(await stored()).toEqual({ table: "product_analytics_event_2004_03" })
  expect(await footfall(["partitions", "merge"], { DATABASE_URL })).toMatchObject({
    code: 0,
    out: "2004-03: 1 event\n1 month merged into the default partition.\n"
  })
  expect(await stored()).toEqual({ table: "product_analytics_event_default" })
  expect(await footfall(["partitions", "merge", "--json"], { DATABASE_URL })).toMatchObject({
    code: 0,
    out: expect.stringContaining('"months": []')
  })
}, 180_000)
