import { expect, test } from "bun:test"
import { tmpdir } from "node:os"
import { Effect, Redacted } from "effect"
import { SITE } from "../../services/fixture.ts"
import { fillPostgres } from "../../support/postgres/pgWarehouse.ts"
import { freshDatabase, openClient } from "../../support/postgres/postgres.ts"
import { footfall } from "../support.ts"

/** `footfall` on a database with the events and the site of the fixture. */
const onFixture = async () => {
  const url = await freshDatabase()
  await Effect.runPromise(Effect.scoped(Effect.flatMap(openClient(url, 1), fillPostgres)))
  const run = (args: ReadonlyArray<string>, environment: Readonly<Record<string, string>> = {}) =>
    footfall(args, { DATABASE_URL: Redacted.value(url), ...environment })
  await run(["sites", "create", "--id", SITE, "--name", "Shop"])
  return run
}

test("sites stats shows a site's statistics as text and as JSON, with an exclusive end of the range", async () => {
  const run = await onFixture()
  const shown = await run(["sites", "stats", SITE, "--from", "2026-03-28", "--to", "2026-04-01"])
  expect(shown).toEqual({
    code: 0,
    err: "",
    out: [
      "Shop, 2026-03-28T00:00:00.000Z to 2026-04-01T00:00:00.000Z, from postgres",
      "",
      "visitors    5",
      "visits      10",
      "pageviews   14",
      "bounces     6 (60 %)",
      "visit time  1 min 24 s on average",
      "total time  14 min 0 s",
      "",
      "By Umami's definitions, whatever the site's are; `bun run footfall ask` uses the site's.",
      ""
    ].join("\n")
  })
  const json = async (...range: ReadonlyArray<string>) =>
    JSON.parse((await run(["sites", "stats", SITE.toUpperCase(), "--json", ...range])).out)
  expect(await json("--from", "2026-03-28T02:00:00+02:00", "--to", "2026-03-31T23:59:59.999")).toEqual({
    site: SITE,
    from: "2026-03-28T00:00:00.000Z",
    to: "2026-03-31T23:59:59.999Z",
    warehouse: "postgres",
    pageviews: 13,
    visitors: 5,
    visits: 9,
    bounces: 5,
    totaltime: 840
  })
  const march = ["--from", "2026-03-28", "--to", "2026-04-01"]
  expect(await json(...march, "--channel", "direct")).toMatchObject({ channel: "direct", pageviews: 14 })
  expect(await json(...march, "--channel", "llm")).toMatchObject({ channel: "llm", pageviews: 0 })
  const { from, to } = await json()
  expect(Date.parse(to) - Date.parse(from)).toBe(30 * 86_400_000)
  expect(await json("--from", "2001-01-01", "--to", "2001-01-02")).toMatchObject({ visits: 0, bounces: 0 })
}, 180_000)

test("an invalid range, an unknown site and an unusable warehouse are reported in one line with an exit code", async () => {
  const run = await onFixture()
  const lake = {
    STORAGE_BACKEND: "iceberg",
    PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE: `file://${tmpdir()}/footfall-empty/lake`
  }
  for (const [args, environment, code, message] of [
    [["--from", "March"], {}, 2, '--from is "March"; it accepts a day'],
    [["--channel", "ads"], {}, 2, '--channel is "ads"; it accepts direct, paidAds,'],
    [["--to", "2026-02-30"], {}, 2, '--to is "2026-02-30"'],
    [
      ["--from", "2026-02-02", "--to", "2026-02-01"],
      {},
      2,
      "--to (2026-02-01T00:00:00.000Z) must be later than --from (2026-02-02T00:00:00.000Z)."
    ],
    [["--from", "0000-01-01"], {}, 2, "not within the years 1 to 9999"],
    [[], lake, 1, "The lake has no table pa_events yet. The first flush creates it."],
    [
      [],
      { ...lake, WAREHOUSE: "postgres" },
      2,
      "WAREHOUSE=postgres cannot query what STORAGE_BACKEND=iceberg stores. Set WAREHOUSE to duckdb, trino or none"
    ],
    [[], { WAREHOUSE: "trino" }, 2, "WAREHOUSE=trino cannot query what STORAGE_BACKEND=postgres stores"],
    [[], { WAREHOUSE: "duckdb" }, 2, "WAREHOUSE=duckdb cannot query what STORAGE_BACKEND=postgres stores"],
    [[], { ...lake, WAREHOUSE: "trino" }, 2, "WAREHOUSE=trino requires TRINO_URL"],
    [[], { STORAGE_BACKEND: "iceberg", WAREHOUSE: "duckdb" }, 2, "PRODUCT_ANALYTICS_ICEBERG_S3_BUCKET is missing"],
    [
      [],
      { ...lake, WAREHOUSE: "trino", TRINO_URL: "http://127.0.0.1:1" },
      1,
      "Trino can't be reached at http://127.0.0.1:1"
    ]
  ] as const) {
    const { code: given, err, out } = await run(["sites", "stats", SITE, ...args], environment)
    expect([args, given, out, err]).toEqual([[...args], code, "", expect.stringContaining(message)])
    expect(err.trimEnd().split("\n")).toHaveLength(1)
  }
  const unknown = await run(["sites", "stats", "9999"])
  expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining('There is no site with the id "9999"')])
}, 180_000)

test("doctor reports which warehouse is used and whether it answers queries", async () => {
  const run = await onFixture()
  const warehouse = async (environment: Readonly<Record<string, string>>) => {
    const { out } = await run(["doctor", "--json", "--url", "http://localhost:1"], environment)
    return JSON.parse(out).checks.find(({ about }: { about: string }) => about === "warehouse")
  }
  expect(await warehouse({})).toEqual({
    about: "warehouse",
    state: "ok",
    found: "postgres answers queries when the replica can't, and those of commands"
  })
  const lake = {
    STORAGE_BACKEND: "iceberg",
    PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE: `file://${tmpdir()}/footfall-empty/lake`,
    SPOOL_DIR: "/dev/null/spool"
  }
  expect(await warehouse(lake)).toMatchObject({
    state: "note",
    found: "The lake has no table pa_events yet. The first flush creates it."
  })
  expect(await warehouse({ ...lake, WAREHOUSE: "trino", TRINO_URL: "http://127.0.0.1:1" })).toMatchObject({
    state: "bad",
    found: expect.stringContaining("trino does not answer queries: Trino can't be reached")
  })
  expect(await warehouse({ WAREHOUSE: "trino" })).toMatchObject({
    state: "bad",
    found: expect.stringContaining("STORAGE_BACKEND=postgres stores")
  })
}, 180_000)
