import { expect, setDefaultTimeout, test } from "bun:test"
import { DuckDBInstance } from "@duckdb/node-api"
import { Redacted } from "effect"
import { lakeScans } from "../../layers/postgres/metadata/propertyScan.ts"
import { connect } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { footfall } from "./support.ts"

setDefaultTimeout(180_000)

const SITE = "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f"
const GONE = "4f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f"

const event = (name: string | null, key: string, type: number, value: string) =>
  `('2026-03-28 10:00Z'::timestamptz, gen_random_uuid(), '${SITE}'::uuid, gen_random_uuid(), ${type}, ${name === null ? "NULL" : `'${name}'`}, '${key}', '${value}')`

test("properties rebuild counts the stored properties again, keeps what an administrator declared, and removes what does not occur any more", async () => {
  const DATABASE_URL = Redacted.value(await freshDatabase())
  await using database = await connect(DATABASE_URL, 1)
  await database.query(
    `INSERT INTO product_analytics_event_data (created_at, event_id, site_id, session_id, data_type, event_name, data_key, string_value)
    VALUES ${[
      event("signup", "plan", 1, "pro"),
      event("signup", "plan", 1, "5"),
      event("signup", "trial", 3, "true"),
      event(null, "plan", 2, "7.0000"),
      event("*", "plan", 5, "[1]"),
      event("'); DROP".replaceAll("'", "''"), "'); DROP".replaceAll("'", "''"), 1, "x")
    ]}`
  )
  await database.query(
    `INSERT INTO product_analytics_session_data (created_at, session_id, site_id, data_type, data_key, string_value)
    VALUES ('2026-03-28 11:00Z', gen_random_uuid(), $1::uuid, 1, 'role', 'owner')`,
    [SITE]
  )
  await database.query(
    `INSERT INTO product_analytics_property (site_id, owner, event_name, key, n_string, first_seen, last_seen, declared_type, field_id)
    VALUES ($1::uuid, 'event', 'signup', 'plan', 99, '2026-01-01Z', '2026-01-01Z', NULL, 1), ($1::uuid, 'event', '*', 'old', 3, '2026-01-01Z', '2026-01-01Z', NULL, 2),
      ($1::uuid, 'event', '*', 'kept', 3, '2026-01-01Z', '2026-01-01Z', 'number', 3), ($2::uuid, 'event', '*', 'old', 3, '2026-01-01Z', '2026-01-01Z', NULL, 4)`,
    [SITE, GONE]
  )
  expect(await footfall(["properties", "rebuild"], { DATABASE_URL })).toEqual({
    code: 0,
    out: "1 site: 9 properties and attributes are registered, and 2 that no longer occur were removed.\n",
    err: ""
  })
  const registered = await database.query(
    `SELECT owner, event_name, key, n::int, ARRAY[n_string, n_numeric, n_number, n_boolean, n_date, n_array]::int[] AS counts
    FROM product_analytics_property ORDER BY owner, event_name COLLATE "C", key COLLATE "C"`
  )
  const row = (owner: string, name: string, key: string, counts: ReadonlyArray<number>) => ({
    owner,
    event_name: name,
    key,
    n: counts.reduce((sum, count) => sum + count, 0),
    counts
  })
  expect(registered).toEqual([
    row("event", "", "plan", [0, 0, 1, 0, 0, 0]),
    row("event", "'); DROP", "'); DROP", [1, 0, 0, 0, 0, 0]),
    row("event", "*", "'); DROP", [1, 0, 0, 0, 0, 0]),
    row("event", "*", "kept", [3, 0, 0, 0, 0, 0]),
    row("event", "*", "plan", [1, 1, 1, 0, 0, 1]),
    row("event", "*", "trial", [0, 0, 0, 1, 0, 0]),
    row("event", "signup", "plan", [1, 1, 0, 0, 0, 0]),
    row("event", "signup", "trial", [0, 0, 0, 1, 0, 0]),
    row("visitor", "*", "role", [1, 0, 0, 0, 0, 0])
  ])
}, 180_000)

test("the lake is scanned for the most frequent properties of each site, with the kinds that its strings look like", async () => {
  const instance = await DuckDBInstance.create(":memory:")
  const connection = await instance.connect()
  await connection.run(`CREATE TABLE pa_events AS SELECT * FROM (VALUES
    ('a', 'signup', TIMESTAMPTZ '2026-03-28 10:00:00Z', map {'plan': 'pro', 'seats': '5.0000'}),
    ('a', 'signup', TIMESTAMPTZ '2026-03-28 11:00:00Z', map {'plan': '7', 'trial': 'true'}),
    ('a', NULL, TIMESTAMPTZ '2026-03-28 12:00:00Z', map {'plan': '2026-03-28T00:00:00.000Z'}),
    ('a', '*', TIMESTAMPTZ '2026-03-28 13:00:00Z', map {'plan': 'x'}),
    ('b', NULL, TIMESTAMPTZ '2026-03-28 12:00:00Z', NULL)
  ) AS event (site_id, event_name, event_time, properties)`)
  await connection.run(`CREATE TABLE pa_session_data AS SELECT * FROM (VALUES
    ('a', 'role', 'owner', 1, TIMESTAMPTZ '2026-03-28 10:00:00Z'), ('a', 'age', '5', 2, TIMESTAMPTZ '2026-03-28 10:00:00Z')
  ) AS attribute (site_id, data_key, string_value, data_type, created_at)`)
  const rows = []
  for (const { sql } of lakeScans("duckdb", { keys: 2, eventKeys: 2, attributes: 1 })) {
    const found = await connection.runAndReadAll(sql)
    rows.push(
      ...found
        .getRows()
        .map((row) => row.slice(0, 10).map((value) => (typeof value === "bigint" ? Number(value) : value)))
    )
  }
  connection.closeSync()
  instance.closeSync()
  expect(rows.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))).toEqual([
    ["event", "a", "", "plan", 0, 0, 0, 0, 1, 0],
    ["event", "a", "*", "plan", 2, 1, 0, 0, 1, 0],
    ["event", "a", "*", "seats", 0, 1, 0, 0, 0, 0],
    ["event", "a", "signup", "plan", 1, 1, 0, 0, 0, 0],
    ["visitor", "a", "*", "age", 0, 0, 1, 0, 0, 0]
  ])
})
