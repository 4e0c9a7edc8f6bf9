import { expect, test } from "bun:test"
import { Redacted } from "effect"
import { DEMO_SITE_ID } from "../../src/pipeline/demo/demoEvents.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { startReplica } from "../support/replica/replica.ts"
import { footfall, onFreshDatabase } from "./support.ts"

test("demo creates a site with 90 days to ask about, once, and demo remove leaves nothing of it", async () => {
  const run = await onFreshDatabase()
  const created = await run(["demo", "--json"])
  expect(created).toMatchObject({ code: 0, err: expect.any(String) })
  const { events, name, site_id: id } = JSON.parse(created.out)
  expect([id, name]).toEqual([DEMO_SITE_ID, "Demo: Acme Notes"])
  expect(events).toBeGreaterThan(30_000)
  const again = await run(["demo"])
  expect(again).toMatchObject({ code: 1, err: expect.stringContaining("demo remove") })

  const ask = async (sentence: string) => JSON.parse((await run(["ask", sentence, "--format", "json"])).out).data.rows
  expect(await ask('count of events on "Demo: Acme Notes" over all time')).toEqual([[events]])
  const days = await ask("visitors by day over last 90 days")
  expect(days).toHaveLength(90)
  const visitors = days.slice(0, 89).map(([, count]: [string, number]) => count)
  expect(Math.min(...visitors)).toBeGreaterThan(20)
  // Sources, conversions and properties look like a site's.
  const channels = (await ask("visits by channel over last 90 days")).map(([channel]: [string]) => channel)
  expect(channels).toEqual(expect.arrayContaining(["direct", "organicSearch", "paidAds", "email", "llm"]))
  const plans = Object.fromEntries(await ask("count of signup by plan over last 90 days"))
  expect(plans.free).toBeGreaterThan(plans.plus)
  expect(plans.plus).toBeGreaterThan(plans.team)
  const [[rate]] = await ask("bounce rate over last 90 days")
  expect(rate).toBeGreaterThan(0.3)
  expect(rate).toBeLessThan(0.7)

  const removed = await run(["demo", "remove", "--json"])
  expect(JSON.parse(removed.out).events).toBe(events)
  expect(JSON.parse((await run(["sites", "list", "--json"])).out)).toEqual([])
  expect(await ask("count of events over all time")).toEqual([[0]])
  expect(await run(["demo", "remove"])).toEqual({
    code: 1,
    out: "",
    err: "There is no demo site. `bun run footfall demo` creates it.\n"
  })
}, 240_000)

test("demo ends when the running server's replica has the events", async () => {
  const url = await freshDatabase()
  const DATABASE_URL = Redacted.value(url)
  await footfall(["sites", "list"], { DATABASE_URL })
  await using replica = await startReplica(url)
  await replica.sync()
  const { code, out } = await footfall(["demo", "--json"], { DATABASE_URL })
  const [[count]] = (await replica.rows("SELECT count(*) FROM event")) as [[number]]
  expect([code, count]).toEqual([0, JSON.parse(out).events])
}, 240_000)

test("sites reset asks for --yes, and then deletes the site's events", async () => {
  const run = await onFreshDatabase()
  await run(["demo"])
  expect(await run(["sites", "reset", DEMO_SITE_ID])).toMatchObject({ code: 2, err: expect.stringContaining("--yes") })
  expect((await run(["sites", "reset", DEMO_SITE_ID, "--yes"])).out).toMatch(
    /^Deleted \d\d,\d{3} events and \d,\d{3} visitors of "Demo: Acme Notes"\.\n\d+ visitors of the last day stay as empty rows, /
  )
  expect(JSON.parse((await run(["sites", "list", "--json"])).out)).toMatchObject([{ id: DEMO_SITE_ID }])
}, 240_000)
