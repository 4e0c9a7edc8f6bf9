import { expect, test } from "bun:test"
import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Redacted } from "effect"
import { exportJWK, generateKeyPair } from "jose"
import { SITE } from "../services/fixture.ts"
import { fillPostgres } from "../support/postgres/pgWarehouse.ts"
import { freshDatabase, openClient, temporaryFolder } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"
import { footfall } from "./support.ts"

test("query answers a question in a file as a table, CSV or JSON, and points at what is wrong", async () => {
  const url = await freshDatabase()
  await Effect.runPromise(Effect.scoped(Effect.flatMap(openClient(url, 1), fillPostgres)))
  const run = (...args: ReadonlyArray<string>) => footfall(args, { DATABASE_URL: Redacted.value(url) })
  await run("sites", "create", "--id", SITE, "--name", "Shop", "--timezone", "Europe/Berlin")
  const folder = await mkdtemp(join(tmpdir(), "questions-"))
  const file = join(folder, "question.json")
  const ask = async (question: object, ...args: ReadonlyArray<string>) => {
    await Bun.write(file, JSON.stringify({ fql: 1, type: "query", source: "v_pa_events", ...question }))
    return await run("query", file, ...args)
  }
  const byDay = {
    filter: ["and", ["=", "site_id", SITE], ["between", "created_at", "2026-03-28", "2026-03-30"]],
    aggregation: [["count"], ["metric", "visits"]],
    breakout: [["field", "created_at", { "temporal-unit": "day" }]]
  }
  const shown = await ask(byDay)
  expect(shown.out.split("\n").slice(0, 4)).toEqual([
    "DAY         COUNT  VISITS",
    "2026-03-28  3      1",
    "2026-03-29  6      3",
    "2026-03-30  11     4"
  ])
  expect(shown.out).toContain("3 rows, times in Europe/Berlin")
  expect((await ask(byDay, "--format", "csv")).out).toBe(
    "Created at: day,Count,Visits\r\n2026-03-28T00:00:00,3,1\r\n2026-03-29T00:00:00,6,3\r\n2026-03-30T00:00:00,11,4\n"
  )
  expect(JSON.parse((await ask(byDay, "--format", "json")).out)).toMatchObject({
    row_count: 3,
    route: "postgres",
    truncated: false
  })
  const compared = await ask(byDay, "--compare", "2026-03-28~2026-03-29")
  expect(
    compared.out
      .split("\n")
      .slice(0, 4)
      .map((line) => line.split(/ {2,}/))
  ).toEqual([
    [
      ...["DAY", "COUNT", "VISITS", "DAY (COMPARED)"],
      ...["COUNT (COMPARED)", "COUNT (CHANGE)", "COUNT (CHANGE IN %)"],
      ...["VISITS (COMPARED)", "VISITS (CHANGE)", "VISITS (CHANGE IN %)"]
    ],
    ["2026-03-28", "3", "1", "2026-03-28", "3", "0", "0", "1", "0", "0"],
    ["2026-03-29", "6", "3", "2026-03-29", "6", "0", "0", "3", "0", "0"],
    ["2026-03-30", "11", "4", ...Array(7).fill("(none)")]
  ])
  expect(compared.out).toContain("Compared with 2026-03-28T00:00:00+01:00 up to 2026-03-30T00:00:00+02:00\n")
  expect(
    await run("ask", "count of events over 2026-03-30", "--compare", "2026-03-29", "--format", "csv")
  ).toMatchObject({
    out: "Count,Count (compared),Count (change),Count (change in %)\r\n12,6,6,100\n"
  })
  expect(await run("ask", "count of events over 2026-03-30", "--compare", "before")).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^Compare with `previous-period`, /)
  })
  const rates = ["bounce rate by weekday on Shop", "visitors by region on Shop"].map(
    (sentence) => `${sentence} over 2026-03-28`
  )
  expect((await run("ask", rates[0]!)).out.split("\n").slice(0, 2)).toEqual([
    "DAY OF WEEK  BOUNCE RATE",
    "Saturday     0.0 %"
  ])
  const byTwoDays = {
    ...byDay,
    breakout: [...byDay.breakout, ["field", "v_pa_visits.started_at", { "temporal-unit": "day" }]]
  }
  expect((await ask(byTwoDays)).out.split("\n")[0]).toBe("CREATED AT: DAY  STARTED AT: DAY  COUNT  VISITS")
  const averages = {
    filter: byDay.filter,
    aggregation: [
      ["metric", "visit-duration"],
      ["metric", "total-time"],
      ["metric", "views-per-visit"]
    ]
  }
  expect((await ask(averages)).out.split("\n")[1]).toBe("4 min 30 s      36 min 0 s  1.5")
  expect((await ask(averages, "--format", "csv")).out).toEndWith("\r\n270,2160,1.5\n")
  expect((await run("ask", rates[0]!, "--format", "csv")).out.split("\r\n")[1]).toBe("6,0\n")
  await run("sites", "update", SITE, "--week-start", "sunday")
  expect((await run("ask", rates[0]!)).out.split("\n")[1]).toBe("Saturday     0.0 %")
  expect((await run("ask", rates[1]!)).out).toMatch(/^REGION +VISITORS\n/)
  expect(await ask({ filter: ["=", "url_pth", "/"] })).toEqual({
    code: 2,
    out: "",
    err: "At /filter/1: There is no field `url_pth` in v_pa_events. Did you mean `url_path`?\n"
  })
  expect((await run("ask", "count of events by page over 2026-03-28 to 2026-03-30 top 1")).out.split("\n")[1]).toMatch(
    /^\/ +\d+$/
  )
  expect(await run("ask", "visitrs", "by", "day")).toEqual({
    code: 2,
    out: "",
    err: expect.stringMatching(/Did you mean "visitors"\?\n\n {2}visitrs by day\n {2}\^\n$/)
  })
  const misspelled = { code: 0, err: "There is no event named `sigup`. Did you mean `signup`?\n" }
  const sigups = await run("ask", "count of sigup over all time")
  expect(sigups).toMatchObject({
    ...misspelled,
    out: expect.stringMatching(/^COUNT\n0 *\n\n1 row, times in [^\n]+\n$/)
  })
  expect(await run("ask", "count of sigup over all time", "--format", "csv")).toEqual({
    ...misspelled,
    out: "Count\r\n0\n"
  })
  await run("sites", "create", "--name", "Shop in the US", "--currency", "USD")
  await run("sites", "update", SITE, "--currency", "EUR")
  expect(await run("ask", "revenue over 2026-03-30")).toMatchObject({
    code: 2,
    err: "The sites have different currencies: add `in` and a currency, as in `in EUR`, or `on` and the name of a site.\n"
  })
  expect(await run("ask", "revenue on Shop over 2026-03-30", "--format", "csv")).toMatchObject({ code: 0 })
  await Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(openClient(url, 1), (sql) =>
        sql.unsafe(`UPDATE product_analytics_event SET revenue = 24.95, currency = 'EUR' WHERE event_id IN
          (SELECT event_id FROM product_analytics_event WHERE site_id = '${SITE}' ORDER BY created_at, event_id LIMIT 2)`)
      )
    )
  )
  const amounts = {
    aggregation: [
      ["metric", "revenue"],
      ["avg", "revenue"],
      ["count", "revenue"]
    ]
  }
  expect((await ask({ ...byDay, ...amounts, breakout: [] })).out.split("\n").slice(0, 2)).toEqual([
    "REVENUE    AVERAGE OF REVENUE  COUNT OF REVENUE",
    "49.90 EUR  24.95 EUR           2"
  ])
  expect(await run("ask", "visitors on shp")).toMatchObject({
    code: 2,
    err: "There is no site `shp`. Did you mean `Shop`?\n"
  })
  expect(await run("query", join(folder, "none.json"))).toMatchObject({
    code: 2,
    err: expect.stringContaining("can't be read")
  })
}, 180_000)

test("with a key or an address, ask and query are answered by the running server only; without either and a server, directly", async () => {
  await using all = new AsyncDisposableStack()
  const DATABASE_URL = Redacted.value(await freshDatabase())
  const { key } = JSON.parse((await footfall(["keys", "create", "--name", "asker", "--json"], { DATABASE_URL })).out)
  const full = all.use(
    await Footfall.start({
      entry: "full",
      environment: { DATABASE_URL, WAREHOUSE: "postgres", DATA_DIR: temporaryFolder() }
    })
  )
  const url = `http://localhost:${full.port}`
  const sentence = "count of events over all time"
  // An app database that does not exist shows that the server was asked.
  const nowhere = { DATABASE_URL: "postgres://missing@127.0.0.1:1/none", FOOTFALL_KEY: key }
  const asked = await footfall(["ask", sentence, "--url", url, "--format", "csv"], nowhere)
  expect(asked).toEqual({ code: 0, out: "Count\r\n0\n", err: "" })
  expect(
    await footfall(["ask", "count of events by nothing", "--url", url], { ...nowhere, FOOTFALL_KEY: "ff_wrong" })
  ).toMatchObject({
    code: 1,
    err: expect.stringContaining("unknown or was revoked")
  })
  const withoutKey = { DATABASE_URL: nowhere.DATABASE_URL, DATA_DIR: temporaryFolder() }
  expect(await footfall(["ask", sentence, "--url", url], withoutKey)).toEqual({
    code: 2,
    out: "",
    err: `${url} needs a key: pass --key, or set FOOTFALL_KEY, or set DATA_DIR to the server's folder.\n`
  })
  full.signal("SIGTERM")
  await full.ended()
  expect((await footfall(["ask", sentence, "--url", url], nowhere)).code).toBe(1)
  // That nothing listens there comes before the key, which would not help.
  expect(await footfall(["ask", sentence, "--url", url], withoutKey)).toEqual({
    code: 1,
    out: "",
    err: `${url} can't be reached: nothing listens there.\n`
  })
  const here = { DATABASE_URL, PORT: String(full.port) }
  const withKey = [
    await footfall(["ask", sentence], { ...here, FOOTFALL_KEY: key }),
    await footfall(["ask", sentence, "--key", "wrong"], here)
  ]
  for (const { code, err } of withKey) {
    expect([code, err]).toEqual([
      1,
      `http://localhost:${full.port}/api/dataset can't be reached: nothing listens there. A key is for the running server: start it, or leave out --key and FOOTFALL_KEY to ask where the events are stored.\n`
    ])
  }
  const direct = await footfall(["ask", sentence, "--format", "csv"], here)
  expect(direct).toEqual({ code: 0, out: "Count\r\n0\n", err: "" })
}, 180_000)

test("without a license, ask, query and status on the server's machine say so and fail, with and without the server", async () => {
  await using all = new AsyncDisposableStack()
  const { publicKey } = await generateKeyPair("EdDSA", { extractable: true })
  const environment = {
    DATABASE_URL: Redacted.value(await freshDatabase()),
    DATA_DIR: temporaryFolder(),
    WAREHOUSE: "postgres",
    FEATURE_GATE: "token",
    LICENSE_PUBLIC_KEY: JSON.stringify(await exportJWK(publicKey))
  }
  const full = all.use(await Footfall.start({ entry: "full", environment }))
  const here = { ...environment, PORT: String(full.port) }
  expect(await footfall(["ask", "visitors"], here)).toMatchObject({
    code: 1,
    out: "",
    err: `http://localhost:${full.port} can't answer: Product analytics requires a valid license: no license token is set; set LICENSE_TOKEN.\n`
  })
  const { code, out } = await footfall(["status"], here)
  expect(code).toBe(1)
  expect(out).toMatch(/^ready +no: events get 402$/m)
  expect(out).toMatch(/^details +denied with 402: Product analytics requires a valid license: no license token is set/m)
  await full.kill()
  expect(await footfall(["ask", "visitors"], here)).toEqual({
    code: 1,
    out: "",
    err: "Product analytics requires a valid license: no license token is set; set LICENSE_TOKEN.\n"
  })
}, 180_000)
