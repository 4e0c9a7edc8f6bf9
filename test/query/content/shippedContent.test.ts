import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Effect, Result } from "effect"
import { itemReferences } from "../../../src/domain/content/bodies.ts"
import type { CardBody } from "../../../src/domain/content/Card.ts"
import type { DashboardBody } from "../../../src/domain/content/Dashboard.ts"
import type { ParameterValue } from "../../../src/domain/content/Parameter.ts"
import { type Answer, askQuestion, type Cell } from "../../../src/query/answer.ts"
import { shippedContent } from "../../../src/query/content/shippedContent.ts"
import { parseQuery } from "../../../src/query/fql/schema.ts"
import { applyParameters } from "../../../src/query/passes/applyParameters.ts"
import { parameterValues } from "../../../src/query/passes/parameterValues.ts"
import { SITE } from "../../services/fixture.ts"
import { run } from "../../support/postgres/controlPlane.ts"
import { openClient } from "../../support/postgres/postgres.ts"
import { questionContext } from "../../support/questions/context.ts"
import { QUESTION_SITES } from "../../support/questions/events.ts"
import { type FixtureEngines, openFixtureEngines } from "../../support/questions/fixtureEngines.ts"

const EMPTY_SITE = "00001000-0000-4000-8000-000000000009"

const cards = shippedContent.flatMap((item) => (item.kind === "card" ? [{ ...item, body: item.body as CardBody }] : []))
const dashboards = shippedContent.flatMap((item) =>
  item.kind === "dashboard" ? [{ ...item, body: item.body as DashboardBody }] : []
)

const context = questionContext({
  sites: [...QUESTION_SITES, { ...QUESTION_SITES[0]!, id: EMPTY_SITE, name: "Empty" }],
  segments: new Map([[SITE, ["=", "event_type", 1]]])
})

let engines: FixtureEngines

/** The amounts' currency comes from the site's row, and web vitals and attributes from rows of their own. */
const MORE = [
  ...context.sites.map(
    ({ currency, id, name }) =>
      `INSERT INTO product_analytics_site (id, name, timezone, week_start, currency) VALUES ('${id}', '${name}', 'UTC', 'monday', '${currency}')`
  ),
  `UPDATE product_analytics_event SET lcp = 1200, inp = 80, cls = 0.02 WHERE event_type = 5 AND created_at < '2026-03-30'`,
  `UPDATE product_analytics_session SET device = 'desktop', browser = 'firefox', os = 'Linux', language = 'de', screen = '1920x1080', distinct_id = 'ada' WHERE country = 'DE'`
]

beforeAll(async () => {
  engines = await openFixtureEngines((url) =>
    run(Effect.flatMap(openClient(url, 1), (sql) => Effect.forEach(MORE, (one) => sql.unsafe(one))))
  )
}, 180_000)

afterAll(() => engines[Symbol.asyncDispose]())

/** Asks a shipped question with these values of its parameters. */
const ask = (
  engine: string,
  { dataset_query: json, parameters }: CardBody,
  given: Readonly<Record<string, ParameterValue>>
): Promise<Answer> => {
  const values = parameterValues(
    parameters,
    new Map(Object.entries(given).map(([id, value]) => [id, { value, pointer: "" }])),
    SITE
  )
  const question = Result.flatMap(parseQuery(json), (query) =>
    applyParameters(
      query,
      parameters.map(({ id, name, target, type }) => ({ name, type, target, ...values.get(id)! }))
    )
  )
  return Effect.runPromise(askQuestion(engines.get(engine), context, Result.getOrThrow(question)))
}

const IN_FIXTURE = { site: SITE, date: "2026-03-28~2026-04-01" }
const named = (name: string): CardBody => cards.find((card) => card.name === name)!.body

describe.each(cards.map((card) => [card.name, card.body] as const))("the shipped question %s", (_, body) => {
  test("has an answer, the same on Postgres and the replica", async () => {
    const [postgres, columnar] = await Promise.all(
      ["postgres", "replica"].map((engine) => ask(engine, body, IN_FIXTURE))
    )
    expect(columnar!.data).toEqual(postgres!.data)
    expect(postgres!.warnings).toEqual([])
  })

  test("has an answer on a site without events, and with its defaults", async () => {
    const empty = { ...IN_FIXTURE, site: EMPTY_SITE }
    const answers = await Promise.all(["postgres", "replica"].map((engine) => ask(engine, body, empty)))
    for (const { data } of answers) {
      expect(data.rows.every((row) => row.slice(1).every((cell) => cell === 0 || cell === null))).toBe(true)
    }
    expect((await ask("postgres", body, {})).data.cols.length).toBeGreaterThan(0)
  })

  test("takes every value of its parameters at once", async () => {
    const everything = {
      ...IN_FIXTURE,
      compare: "previous-period",
      segment: SITE,
      country: ["DE", "US"],
      device: ["desktop"],
      browser: ["firefox"],
      event: ["signup"],
      hostname: ["www.example.com"]
    }
    const known = Object.fromEntries(
      Object.entries(everything).filter(([id]) => body.parameters.some((parameter) => parameter.id === id))
    )
    const { comparison, row_count: count } = await ask("postgres", body, known)
    expect(comparison?.rows.length ?? null).toBe(known["compare"] === undefined ? null : count)
  })
})

describe.each(["postgres", "replica"])("shipped questions about the fixture, asked of %s", (engine) => {
  test.each<[string, ReadonlyArray<ReadonlyArray<Cell>>]>([
    ["Visitors", [[5]]],
    ["Pageviews", [[14]]],
    ["Visits", [[10]]],
    // B's first visit, C's second and A's last. E's last is not one: the range has the purchase that follows its view.
    ["Bounce rate", [[0.3]]],
    ["Transactions", [[2]]],
    ["Average amount", [[74.95]]],
    ["Revenue", [[149.9]]],
    ["Revenue per visitor", [[29.98]]],
    [
      "Top Pages",
      [
        ["/", 6],
        ["/pricing", 4],
        ["/blog", 3],
        ["/thanks", 1]
      ]
    ],
    [
      "Referrer Domains",
      [
        ["google.com", 1, 1],
        ["t.co", 1, 1]
      ]
    ],
    ["Traffic Sources", [["google", 1, 1]]],
    [
      "Sessions by Country",
      [
        ["US", 2],
        ["DE", 1],
        ["FR", 1],
        [null, 1]
      ]
    ],
    [
      "Events",
      [
        ["purchase", 3, 3, 1],
        ["signup", 3, 3, 1]
      ]
    ],
    ["Identified visitors", [[0.2]]],
    ["Largest contentful paint", [[1200]]],
    ["Numbers in event properties", [["signup", "seats", 2, 4, 2, 2, 1, 3]]],
    [
      "Pages per visit",
      [
        [1, 6],
        [2, 4]
      ]
    ]
  ])("%s", async (name, rows) => {
    expect((await ask(engine, named(name), IN_FIXTURE)).data.rows).toEqual(rows)
  })

  test("a filter of the dashboard keeps the visits of the people that it names", async () => {
    expect((await ask(engine, named("Visits"), { ...IN_FIXTURE, country: "DE" })).data.rows).toEqual([[3]])
    expect((await ask(engine, named("Visitors"), { ...IN_FIXTURE, event: "purchase" })).data.rows).toEqual([[3]])
    expect((await ask(engine, named("Pages per visit"), { ...IN_FIXTURE, device: "desktop" })).data.rows).toEqual([
      [1, 1],
      [2, 2]
    ])
  })
})

describe("shipped dashboards", () => {
  test("have the contract's names, and the parameters of all", () => {
    expect(dashboards.map(({ name }) => name)).toEqual([
      "Overview",
      "Acquisition",
      "Audience",
      "Behavior",
      "Events",
      "Revenue",
      "Web vitals"
    ])
    for (const { body } of dashboards) {
      expect(body.parameters.map(({ default: value, id, required }) => [id, value ?? null, required ?? false])).toEqual(
        [
          ["site", null, true],
          ["date", "past30days", false],
          ["compare", null, false],
          ["segment", null, false],
          ["country", null, false],
          ["device", null, false],
          ["browser", null, false],
          ["event", null, false],
          ["hostname", null, false]
        ]
      )
    }
  })

  test("show each shipped question, and every question with the site and, where it has a time, the date", () => {
    const shown = new Set(dashboards.flatMap(({ body }) => body.dashcards.flatMap(({ card_id: id }) => id ?? [])))
    expect(shown).toEqual(new Set(cards.map(({ id }) => id)))
    for (const { body, name } of cards) {
      const ids = body.parameters.map(({ id }) => id)
      const hasTime = body.dataset_query["source"] !== "v_pa_session_data"
      expect([name, ids.includes("site"), ids.includes("date")]).toEqual([name, true, hasTime])
    }
  })

  test("refer only to what ships before them, under ids that are unique and fixed", () => {
    const known = new Set<string>()
    for (const { body, id, kind } of shippedContent) {
      expect(known.has(id)).toBe(false)
      for (const reference of itemReferences(kind, body).keys()) expect(known.has(reference)).toBe(true)
      known.add(id)
    }
    const idOf = (name: string) => shippedContent.find((item) => item.name === name)!.id as string
    // Users refer to these: they must never change.
    expect([idOf("Overview"), idOf("Page Views"), idOf("Top Pages")]).toEqual([
      "e1d99f1f-3f86-5ed9-8df9-c6f524bded64",
      "f5658b10-5cba-5618-a671-4bbf9e21ad52",
      "d23b1d50-1a1b-573c-9572-cd8753c567c9"
    ])
  })
})
