import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { type Answer, askQuestion } from "../../src/query/answer.ts"
import { SITE } from "../services/fixture.ts"
import { openClient } from "../support/postgres/postgres.ts"
import { questionContext } from "../support/questions/context.ts"
import { type FixtureEngines, openFixtureEngines } from "../support/questions/fixtureEngines.ts"

/** As a site sends them: the columns of an event are made of these properties. `price` is not one of them. */
const PROPERTIES = ["revenue", "currency", "price"].map(
  (key) => `INSERT INTO product_analytics_event_data
    (created_at, event_id, site_id, session_id, data_type, event_name, data_key, string_value, number_value)
    SELECT created_at, event_id, site_id, session_id, ${key === "currency" ? 1 : 2}, event_name, '${key}',
      ${key === "currency" ? "currency, NULL" : "revenue::text, revenue"}
    FROM product_analytics_event WHERE revenue IS NOT NULL`
)

let engines: FixtureEngines

beforeAll(async () => {
  engines = await openFixtureEngines((url) =>
    Effect.runPromise(
      Effect.scoped(Effect.flatMap(openClient(url, 1), (sql) => Effect.forEach(PROPERTIES, (one) => sql.unsafe(one))))
    )
  )
}, 180_000)

afterAll(() => engines[Symbol.asyncDispose]())

const ALL = ["and", ["=", "site_id", SITE], ["between", "created_at", "2026-03-28", "2026-04-01"]]
const PAID = { filter: [...ALL, ["not-null", "revenue"]] }
const of = (key: string) => ["prop", key, { event: "purchase", type: "number" }]

describe.each(["postgres", "replica"])("the property `revenue`, asked of %s,", (engine) => {
  const ask = (question: object): Promise<Answer> =>
    Effect.runPromise(
      askQuestion(engines.get(engine), questionContext({ propertyType: () => "number" }), {
        fql: 1,
        type: "query",
        source: "v_pa_events",
        ...question
      })
    )
  const sumOf = async (key: string, more: object = {}) => {
    const { data, warnings } = await ask({ filter: ALL, aggregation: [["sum", of(key)]], ...more })
    return [data.rows.flat().at(-1), warnings.map(({ code }) => code)]
  }

  test("has a warning if its amounts are in several currencies", async () => {
    expect(await sumOf("revenue")).toEqual([169.9, ["several-currencies"]])
    expect(await sumOf("revenue", { filter: [...ALL, ["=", "currency", "EUR"]] })).toEqual([149.9, []])
    expect(await sumOf("revenue", { ...PAID, breakout: ["currency"] })).toEqual([20, []])
    expect(await sumOf("revenue", { ...PAID, breakout: [["prop", "currency", { type: "text" }]] })).toEqual([20, []])
    expect((await ask({ filter: ALL, aggregation: [["count", of("revenue")]] })).warnings).toEqual([])
  })

  test("is the only property that is known to be an amount", async () => {
    expect(await sumOf("price")).toEqual([169.9, []])
  })
})
