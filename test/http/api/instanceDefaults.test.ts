import { afterAll, expect, test } from "bun:test"
import { SiteId } from "../../../src/domain/ids.ts"
import { SITE_DEFAULTS, Site } from "../../../src/domain/Site.ts"
import * as MemorySites from "../../support/memory/MemorySites.ts"
import { startAdmin } from "./support.ts"

const BERLIN = SiteId.make("00000000-0000-4000-8000-000000000001")
const LIMA = SiteId.make("00000000-0000-4000-8000-000000000002")

const site = (id: SiteId, timezone: string, weekStart: Site["weekStart"]) =>
  new Site({
    ...SITE_DEFAULTS,
    id,
    name: timezone,
    timezone,
    weekStart,
    archived: false,
    createdAt: new Date(0),
    updatedAt: new Date(0)
  })

const admin = await startAdmin({
  environment: { INSTANCE_TIMEZONE: "Asia/Tokyo", INSTANCE_WEEK_START: "sunday" },
  sites: MemorySites.layer([site(BERLIN, "Europe/Berlin", "monday"), site(LIMA, "America/Lima", "sunday")])
})
afterAll(() => admin.close())

const ask = (conditions: ReadonlyArray<unknown>, settings: object = {}) =>
  admin.call("POST", "/api/dataset", {
    body: {
      fql: 1,
      type: "query",
      source: "v_pa_events",
      filter: ["and", ["between", "created_at", "2026-04-01", "2026-04-20"], ...conditions],
      aggregation: [["count"]],
      breakout: [["field", "created_at", { "temporal-unit": "week" }]],
      settings
    }
  })

/** The zone of an answer, the first of its weeks, and its warnings. The first of April 2026 is a Wednesday. */
const weeksWhere = async (conditions: ReadonlyArray<unknown>, settings: object = {}) => {
  const { body } = await ask(conditions, settings)
  return [body.data.results_timezone, body.data.rows[0][0], body.warnings.map(({ code }: { code: string }) => code)]
}

test("a question about one site has the site's time zone and first day of the week", async () => {
  expect(await weeksOf([BERLIN])).toEqual(["Europe/Berlin", "2026-03-30T00:00:00", []])
  expect(await weeksOf([LIMA])).toEqual(["America/Lima", "2026-03-29T00:00:00", []])
})

const weeksOf = (sites: ReadonlyArray<string>, settings: object = {}) =>
  weeksWhere(sites.length === 0 ? [] : [["=", "site_id", ...sites]], settings)

test("a question that names its site has that site's time zone and first day of the week", async () => {
  const expected = ["America/Lima", "2026-03-29T00:00:00", []]
  for (const field of [
    "v_pa_sites.name",
    ["field", "v_pa_sites.name"],
    ["field", "name", { "source-field": "site_id" }],
    "name"
  ]) {
    expect(await weeksWhere([["and", ["=", field, "America/Lima"]]])).toEqual(expected)
  }
  expect(await weeksWhere([["=", "v_pa_sites.name", "America/Lima", "Europe/Berlin"]])).toEqual(await weeksOf([]))
  expect(
    await weeksWhere([
      ["=", "site_id", LIMA, BERLIN],
      ["=", "v_pa_sites.name", "America/Lima"]
    ])
  ).toEqual(expected)
})

test("a name that no site has is refused with the nearest one, and one with a part of a name with the whole", async () => {
  const refused = async (name: string) => {
    const { body, status } = await ask([["=", "v_pa_sites.name", name]])
    return [status, body.code, body.pointer, body.detail]
  }
  const place = [404, "not-found", "/filter/2/2"]
  expect(await refused("Europe/Berlni")).toEqual([
    ...place,
    "There is no site `Europe/Berlni`. Did you mean `Europe/Berlin`?"
  ])
  expect(await refused("lima")).toEqual([...place, "There is no site `lima`. Did you mean `America/Lima`?"])
  expect(await refused("My shop")).toEqual([...place, "There is no site `My shop`."])
  // Elsewhere, a name is text like any other.
  expect((await ask([["!=", "v_pa_sites.name", "My shop"]])).status).toBe(200)
  expect((await ask([["or", ["=", "v_pa_sites.name", "My shop"], ["=", "event_type", 1]]])).status).toBe(200)
})

test("a question about sites that differ has the instance's, and a warning about their zones", async () => {
  const expected = ["Asia/Tokyo", "2026-03-29T00:00:00", ["several-timezones"]]
  expect(await weeksOf([BERLIN, LIMA])).toEqual(expected)
  expect(await weeksOf([])).toEqual(expected)
})

test("what the question itself says comes first", async () => {
  expect(await weeksOf([BERLIN, LIMA], { timezone: "UTC", "week-start": "monday" })).toEqual([
    "UTC",
    "2026-03-30T00:00:00",
    []
  ])
})
