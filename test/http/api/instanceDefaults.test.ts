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

/** The zone of an answer, the first of its weeks, and its warnings. The first of April 2026 is a Wednesday. */
const weeksOf = async (sites: ReadonlyArray<string>, settings: object = {}) => {
  const { body } = await admin.call("POST", "/api/dataset", {
    body: {
      fql: 1,
      type: "query",
      source: "v_pa_events",
      filter: [
        "and",
        ["between", "created_at", "2026-04-01", "2026-04-20"],
        ...(sites.length === 0 ? [] : [["=", "site_id", ...sites]])
      ],
      aggregation: [["count"]],
      breakout: [["field", "created_at", { "temporal-unit": "week" }]],
      settings
    }
  })
  return [body.data.results_timezone, body.data.rows[0][0], body.warnings.map(({ code }: { code: string }) => code)]
}

test("a question about one site has the site's time zone and first day of the week", async () => {
  expect(await weeksOf([BERLIN])).toEqual(["Europe/Berlin", "2026-03-30T00:00:00", []])
  expect(await weeksOf([LIMA])).toEqual(["America/Lima", "2026-03-29T00:00:00", []])
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
