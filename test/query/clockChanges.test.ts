import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { askQuestion } from "../../src/query/answer.ts"
import { SITE } from "../services/fixture.ts"
import { openClient } from "../support/postgres/postgres.ts"
import { questionContext } from "../support/questions/context.ts"
import { type FixtureEngines, openFixtureEngines } from "../support/questions/fixtureEngines.ts"

const ZONE = "Australia/Lord_Howe"

/** Six hours around the changes of the clock on Lord Howe Island, by half an hour: a pageview every ten minutes, seven of each visitor. */
const NIGHTS = ["2026-04-04T12:00:00Z", "2026-10-03T12:00:00Z"] as const
const EVENTS_OF_A_NIGHT = 37

const statements = NIGHTS.flatMap((start, night) => {
  const visitor = (n: string) => `('0000000${night + 1}-0000-4000-9000-' || lpad((${n})::text, 12, '0'))::uuid`
  return [
    `INSERT INTO product_analytics_session (session_id, site_id, created_at, updated_at)
     SELECT ${visitor("n")}, '${SITE}', '${start}', now() FROM generate_series(0, 5) AS n`,
    `INSERT INTO product_analytics_event (event_id, site_id, session_id, visit_id, event_type, url_path, created_at)
     SELECT gen_random_uuid(), '${SITE}', ${visitor("n / 7")}, gen_random_uuid(), 1, '/x', '${start}'::timestamptz + n * interval '10 minutes'
     FROM generate_series(0, ${EVENTS_OF_A_NIGHT - 1}) AS n`
  ]
})

let engines: FixtureEngines

beforeAll(async () => {
  engines = await openFixtureEngines((url) =>
    Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(openClient(url, 1), (sql) =>
          Effect.forEach(statements, (one) => sql.unsafe(one), { discard: true })
        )
      )
    )
  )
}, 180_000)

afterAll(() => engines[Symbol.asyncDispose]())

/** What clocks on the island show at each pageview, by `Intl`: the hour and its offset, with the first minute of that hour. */
const hoursByIntl = (start: string): ReadonlyMap<string, number> => {
  const format = new Intl.DateTimeFormat("sv", {
    timeZone: ZONE,
    dateStyle: "short",
    timeStyle: "medium"
  })
  const offset = new Intl.DateTimeFormat("en", { timeZone: ZONE, timeZoneName: "longOffset" })
  const hours = new Map<string, number>()
  const labelAt = (at: number) => {
    const zone = offset
      .formatToParts(at)
      .find(({ type }) => type === "timeZoneName")!
      .value.replace("GMT", "")
    return { hour: `${format.format(at).slice(0, 13)} ${zone}`, label: `${format.format(at).replace(" ", "T")}${zone}` }
  }
  for (let n = 0; n < EVENTS_OF_A_NIGHT; n++) {
    const at = Date.parse(start) + n * 600_000
    const { hour } = labelAt(at)
    let first = at
    while (labelAt(first - 60_000).hour === hour) first -= 60_000
    const { label } = labelAt(first)
    hours.set(label, (hours.get(label) ?? 0) + 1)
  }
  return hours
}

describe.each(["postgres", "replica"])("an hour in which the clock changes by half an hour, asked of %s", (engine) => {
  const rowsOf = async (from: string, until: string, aggregation: ReadonlyArray<unknown>, rest: object = {}) => {
    const { data } = await Effect.runPromise(
      askQuestion(engines.get(engine), questionContext({ now: Temporal.Instant.from("2026-12-10T12:00:00Z") }), {
        fql: 1,
        type: "query",
        source: "v_pa_events",
        filter: ["and", ["=", "site_id", SITE], ["between", "created_at", from, until]],
        aggregation: [aggregation],
        breakout: [["field", "created_at", { "temporal-unit": "hour" }]],
        settings: { timezone: ZONE },
        ...rest
      })
    )
    return data.rows
  }

  test("is two hours in autumn, the second of which begins with the change", async () => {
    const hours = [
      ["2026-04-05T00:00:00+11:00", 6],
      ["2026-04-05T01:00:00+11:00", 6],
      ["2026-04-05T01:30:00+10:30", 3],
      ["2026-04-05T02:00:00+10:30", 6],
      ["2026-04-05T03:00:00+10:30", 6]
    ]
    const night = ["2026-04-05", "2026-04-05T03:59:59"] as const
    expect(await rowsOf(...night, ["count"])).toEqual(hours)
    expect(await rowsOf(...night, ["metric", "pageviews"])).toEqual(hours)
    expect(await rowsOf(...night, ["metric", "visits"])).toEqual([
      ["2026-04-05T00:00:00+11:00", 2],
      ["2026-04-05T01:00:00+11:00", 2],
      ["2026-04-05T01:30:00+10:30", 1],
      ["2026-04-05T02:00:00+10:30", 1],
      ["2026-04-05T03:00:00+10:30", 2]
    ])
  })

  test("is a half in spring, and keeps its rows", async () => {
    const night = ["2026-10-04T01:00:00", "2026-10-04T03:59:59"] as const
    const hours = [
      ["2026-10-04T01:00:00+10:30", 6],
      ["2026-10-04T02:30:00+11:00", 3],
      ["2026-10-04T03:00:00+11:00", 6]
    ]
    expect(await rowsOf(...night, ["count"])).toEqual(hours)
    expect(await rowsOf(...night, ["metric", "pageviews"])).toEqual(hours)
    expect(await rowsOf(...night, ["metric", "visitors"])).toEqual([
      ["2026-10-04T01:00:00+10:30", 1],
      ["2026-10-04T02:30:00+11:00", 1],
      ["2026-10-04T03:00:00+11:00", 2]
    ])
  })

  test("is the one that clocks show, with the empty hours of the days around it", async () => {
    for (const [start, from, until, hours] of [
      [NIGHTS[0], "2026-04-04", "2026-04-06", 73],
      [NIGHTS[1], "2026-10-03", "2026-10-05", 72]
    ] as const) {
      const rows = await rowsOf(from, until, ["count"])
      expect(rows.length).toBe(hours)
      expect(rows.filter(([, count]) => count !== 0)).toEqual([...hoursByIntl(start)])
    }
  })

  test("is as long in a custom column as in a field", async () => {
    const moved = { expressions: { same: ["coalesce", ["field", "created_at"], ["field", "created_at"]] } }
    const rows = await rowsOf("2026-10-04T01:00:00", "2026-10-04T03:59:59", ["count"], {
      ...moved,
      breakout: [["expression", "same", { "temporal-unit": "hour" }]]
    })
    expect(rows).toEqual([
      ["2026-10-04T01:00:00+10:30", 6],
      ["2026-10-04T02:30:00+11:00", 3],
      ["2026-10-04T03:00:00+11:00", 6]
    ])
  })
})
