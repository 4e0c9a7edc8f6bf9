import { describe, expect, test } from "bun:test"
import { Duration, Effect, Exit, Fiber, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import { DashboardBody } from "../../src/domain/content/Dashboard.ts"
import type { FieldStats } from "../../src/domain/FieldStats.ts"
import { LOCAL_COMMAND } from "../../src/domain/Principal.ts"
import { QueryError } from "../../src/ports/QueryEngine.ts"
import type { Answer, Cell } from "../../src/query/answer.ts"
import type { Clause } from "../../src/query/fql/schema.ts"
import type { TableRecord } from "../../src/query/metadata/Catalog.ts"
import { columnsOf, tableIdOf } from "../../src/query/metadata/fieldIds.ts"
import { fieldRecord } from "../../src/query/metadata/fieldRecord.ts"
import { VIEWS } from "../../src/query/metadata/views.ts"
import type { Questions } from "../../src/query/run/Questions.ts"
import { binsOf, niceWidth } from "../../src/query/xray/bins.ts"
import { custom, type XrayCard } from "../../src/query/xray/cards.ts"
import { cellFilter, namesIn } from "../../src/query/xray/cellFilter.ts"
import { differencesIn } from "../../src/query/xray/comparison.ts"
import { layOut, mappingsOf, parametersFor, ranked, SHOWN_CARDS } from "../../src/query/xray/dashboard.ts"
import { dimensionsOf } from "../../src/query/xray/dimensions.ts"
import { fieldCards } from "../../src/query/xray/fieldCards.ts"
import { unitOfDate } from "../../src/query/xray/period.ts"
import { emptiness, probe } from "../../src/query/xray/probe.ts"
import { subjectOf, TEMPLATES } from "../../src/query/xray/templates.ts"

const stats = (distinct: number, fields: Partial<FieldStats> = {}): FieldStats => ({
  rows: 1_000,
  nulls: 0,
  distinct,
  isPartial: false,
  text: null,
  number: null,
  time: null,
  top: [],
  ...fields
})
const values = (count: number): FieldStats["top"] => Array.from({ length: count }, (_, at) => [`v${at}`, 100 - at])

/** How many different values the fields have. Those that are not listed have one, so that they are left out. */
const KNOWN: Readonly<Record<string, FieldStats>> = {
  "v_pa_events.created_at": stats(900),
  "v_pa_events.event_type": stats(3),
  "v_pa_events.event_name": stats(8, { nulls: 700, top: values(8) }),
  "v_pa_events.url_path": stats(40, { top: values(10) }),
  "v_pa_events.referrer_domain": stats(30, { top: values(10) }),
  "v_pa_events.hostname": stats(1),
  "v_pa_events.utm_source": stats(5, { nulls: 951 }),
  "v_pa_events.revenue": stats(90, {
    number: { rows: 300, min: 5, max: 480, sum: 9_000, squares: 90, q1: 20, q3: 60 }
  }),
  "v_pa_sessions.country": stats(12, { top: values(10) }),
  "v_pa_sessions.device": stats(4, { top: values(4) })
}

const tablesWith = (known: Readonly<Record<string, FieldStats>>): ReadonlyArray<TableRecord> =>
  VIEWS.map((view) => ({
    id: tableIdOf(view.name),
    view,
    displayName: view.label,
    description: view.description,
    fields: columnsOf(view.name).map((field) =>
      fieldRecord(field, {}, { stats: known[`${view.name}.${field.column.name}`] ?? stats(1), values: null })
    )
  }))
const tables = tablesWith(KNOWN)
const viewNamed = (name: string) => VIEWS.find((view) => view.name === name)!
const events = subjectOf({ tables, unit: "day" }, "v_pa_events")

describe("the fields of an x-ray", () => {
  test("are those with several values that are rarely empty, the best ones first, with those of visitors", () => {
    expect(
      dimensionsOf(viewNamed("v_pa_events"), tables, () => true).map((one) => [one.title, one.class, one.score])
    ).toEqual([
      ["Created at", "timestamp", 100],
      ["Country", "country", 95],
      ["URL path", "url", 90],
      ["Revenue", "number", 80],
      ["Event name", "category", 75],
      ["Referrer domain", "large", 70],
      ["Event type", "low", 50],
      ["Device", "low", 50]
    ])
  })

  test("are all offered while their values are not known", () => {
    const unknown = tables.map((table) => ({
      ...table,
      fields: columnsOf(table.view.name).map((field) => fieldRecord(field, {}, { stats: null, values: null }))
    }))
    const titles = dimensionsOf(viewNamed("v_pa_visits"), unknown, () => true).map(({ title }) => title)
    expect(titles).toEqual(expect.arrayContaining(["Country", "Channel", "Duration", "Region"]))
    expect(titles).not.toContain("ID")
  })

  test("that administrators hid are left out", () => {
    const [hidden] = columnsOf("v_pa_events").filter(({ column }) => column.name === "url_path")
    const record = fieldRecord(hidden!, { visibility: "details-only" }, { stats: stats(40), values: null })
    const changed = tables.map((table) => ({
      ...table,
      fields: table.fields.map((field) => (field.id === record.id ? record : field))
    }))
    const titles = dimensionsOf(viewNamed("v_pa_events"), changed, () => true).map(({ title }) => title)
    expect(titles).not.toContain("URL path")
  })
})

test("the x-ray of events is always the same for the same metadata", () => {
  const [template] = TEMPLATES
  const chosen = parametersFor(events.dimensions, { site: null, date: "past30days", hasTime: true })
  const cards = ranked(template!.cards(events, "", { tables, unit: "day" })).slice(0, SHOWN_CARDS)
  const { cards: byId, dashcards } = layOut(cards, (card) => mappingsOf(card, chosen, tables))
  const shown = dashcards.map(({ card_id: id, col, row, size_x, size_y, visualization_settings: settings }) => [
    id === null ? `# ${settings["text"]}` : byId.get(id)!.title,
    ...[row, col, size_x, size_y]
  ])
  expect(shown).toEqual([
    ["# Summary", 0, 0, 24, 1],
    ["Total Events", 1, 0, 8, 3],
    ["Events in the last 30 days", 1, 8, 8, 3],
    ["# Over time", 4, 0, 24, 1],
    ["Events over time", 5, 0, 24, 6],
    ["# Pages", 11, 0, 24, 1],
    ["Events per URL path", 12, 0, 12, 6],
    ["# Where", 18, 0, 24, 1],
    ["Events per Country", 19, 0, 12, 8],
    ["# Which", 27, 0, 24, 1],
    ["Events per Event name", 28, 0, 12, 6],
    ["Events per Referrer domain", 28, 12, 12, 6],
    ["Events per Event type", 34, 0, 12, 6],
    ["Events per Device", 34, 12, 12, 6],
    ["# Numbers", 40, 0, 24, 1],
    ["How Revenue is distributed", 41, 0, 12, 6],
    ["# When", 47, 0, 24, 1],
    ["Events per day of the week", 48, 0, 12, 6],
    ["Events per hour of the day", 48, 12, 12, 6],
    ["Events per day of the month", 54, 0, 12, 6],
    ["Events per month of the year", 54, 12, 12, 6],
    ["Events per quarter of the year", 60, 0, 12, 6]
  ])
  expect(dashcards[1]!.id).toBe("f570f862-34f8-52a1-9b4e-de74c6aa28dd")
  const body = { parameters: chosen.parameters, tabs: [], dashcards, auto_apply_filters: true, width: "fixed" }
  expect(Schema.is(DashboardBody)(body)).toBe(true)
})

test("a property with dates is drawn by its own dates", () => {
  const renewal = { ...events.dimensions[0]!, class: "timestamp" as const, title: "Renewal" }
  const clause = ["prop", "renewal", { event: "signup" }] as const
  const breakouts = fieldCards(events, { ...renewal, clause }).map(({ query }) => query.breakout)
  expect(breakouts).toEqual(
    ["day", "day-of-week", "hour-of-day"].map((unit) => [
      ["prop", "renewal", { event: "signup", "temporal-unit": unit }] as unknown as Clause
    ])
  )
})

test("what has many values, such as pages and regions, shows the ten most frequent, and sums up the others", () => {
  const known = { ...KNOWN, "v_pa_sessions.subdivision1": stats(30, { top: values(10) }) }
  const withRegions = tablesWith(known)
  const cards = TEMPLATES[0]!.cards(subjectOf({ tables: withRegions, unit: "day" }, "v_pa_events"), "", {
    tables: withRegions,
    unit: "day"
  })
  const partsOf = (title: string) => {
    const { limit, settings } = cards.find((card) => card.title === title)!.query
    return [limit, settings?.other]
  }
  expect(partsOf("Events per Referrer domain")).toEqual([10, true])
  expect(partsOf("Events per URL path")).toEqual([10, true])
  expect(partsOf("Events per Region")).toEqual([10, true])
  expect(partsOf("Events per Device")).toEqual([100, undefined])
})

test.each<readonly [date: string, unit: string | undefined]>([
  ["today", "hour"],
  ["past3days", "hour"],
  ["past4days", "day"],
  ["past30days", "day"],
  ["past92days", "day"],
  ["past93days", "week"],
  ["thisquarter", "day"],
  ["past2years", "month"],
  ["past104weeks", "week"],
  ["past5years", "month"],
  ["2026-03", "day"],
  ["Q1-2026", "day"],
  ["2026-03-28", "hour"],
  ["2026-01-01~2026-12-31", "week"],
  ["2026-03-01~", "month"],
  ["all", "month"],
  ["someday", undefined]
])("the dates %s are drawn by %s", (date, unit) => {
  expect(unitOfDate(date)).toBe(unit as never)
})

test.each<readonly [min: number, max: number, isWhole: boolean, width: number | null]>([
  [0, 100, false, 10],
  [5, 480, false, 25],
  [0, 1, false, 0.1],
  [0, 3, true, 1],
  [1, 7, true, 1],
  [-40, 40, false, 5],
  [0, 1_000_000, true, 100_000],
  [3, 3, false, null]
])("numbers from %d to %d are drawn in bins of a round width", (min, max, isWhole, width) => {
  const found = niceWidth({ min, max, isWhole })
  expect(found).toBe(width)
  if (found !== null) expect(binsOf({ min, max }, found)).toBeLessThanOrEqual(20)
})

describe("a clicked point", () => {
  const day: Clause = ["field", "created_at", { "temporal-unit": "day" }]
  const plain = ["field", "created_at"]

  test.each<readonly [what: string, clicked: Clause, condition: Clause]>([
    ["a value", ["=", "country", "DE"], ["=", "country", "DE"]],
    [
      "a day",
      ["=", day, "2026-03-29T00:00:00"],
      ["and", [">=", plain, "2026-03-29T00:00:00"], ["<", plain, "2026-03-30T00:00:00"]]
    ],
    [
      "a month",
      ["=", ["field", "created_at", { "temporal-unit": "month" }], "2026-01-01T00:00:00"],
      ["and", [">=", plain, "2026-01-01T00:00:00"], ["<", plain, "2026-02-01T00:00:00"]]
    ],
    [
      "an hour with its offset",
      ["=", ["field", "created_at", { "temporal-unit": "hour" }], "2026-10-25T02:00:00+02:00"],
      ["and", [">=", plain, "2026-10-25T02:00:00+02:00"], ["<", plain, "2026-10-25T01:00:00Z"]]
    ],
    [
      "a bin of a histogram",
      ["=", ["prop", "seats", { event: "signup", binning: { strategy: "bin-width", "bin-width": 5 } }], 10],
      ["and", [">=", ["prop", "seats", { event: "signup" }], 10], ["<", ["prop", "seats", { event: "signup" }], 15]]
    ],
    [
      "a weekday, which is not a range",
      ["=", ["field", "created_at", { "temporal-unit": "day-of-week" }], 3],
      ["=", ["field", "created_at", { "temporal-unit": "day-of-week" }], 3]
    ]
  ])("that is %s stands for its rows", (_, clicked, condition) => {
    expect(cellFilter(clicked)).toEqual(condition)
    expect(cellFilter(["and", clicked, ["=", "device", "mobile"]])).toEqual([
      "and",
      condition,
      ["=", "device", "mobile"]
    ])
  })

  test("names the fields that need no comparison any more", () => {
    const condition = ["and", ["=", "v_pa_sessions.country", "device"], ["not", ["=", ["prop", "plan"], "pro"]]]
    expect([...namesIn(condition)]).toEqual(["country", "plan"])
  })
})

const answer = (columns: ReadonlyArray<"breakout" | "aggregation">, rows: ReadonlyArray<ReadonlyArray<Cell>>): Answer =>
  ({ data: { cols: columns.map((source) => ({ source })), rows } }) as unknown as Answer

test("the values whose shares differ most come first, if there are enough rows of them", () => {
  const rows = [
    ["Selected", "mobile", 60],
    ["Selected", "desktop", 40],
    ["The rest", "mobile", 300],
    ["The rest", "desktop", 675],
    ["The rest", "tablet", 25],
    ["Selected", "watch", 0]
  ]
  expect(differencesIn("Device", answer(["breakout", "breakout", "aggregation"], rows))).toEqual([
    { field: "Device", value: "mobile", share: 0.6, rest: 0.3, lift: 1, n: 360 },
    { field: "Device", value: "desktop", share: 0.4, rest: 0.675, lift: 0.4 / 0.675 - 1, n: 715 }
  ])
  const few = rows.map(([side, value, count]) => [side!, value!, Math.floor(Number(count) / 4)])
  expect(differencesIn("Device", answer(["breakout", "breakout", "aggregation"], few))).toEqual([])
})

test("an answer is worth showing if it has a number that is not 0, and several groups where it is about groups", () => {
  const card = { needsGroups: true, showsZero: false }
  const grouped = (...rows: ReadonlyArray<ReadonlyArray<Cell>>) =>
    emptiness(card, answer(["breakout", "aggregation"], rows))
  expect([grouped(), grouped(["DE", 0]), grouped(["DE", 5]), grouped(["DE", 5], ["FR", 1])]).toEqual([
    "empty",
    "empty",
    "one-value",
    null
  ])
  const rate = { needsGroups: false, showsZero: true }
  expect([emptiness(rate, answer(["aggregation"], [[0]])), emptiness(rate, answer(["aggregation"], [[null]]))]).toEqual(
    [null, "empty"]
  )
})

describe("the cards of an x-ray", () => {
  const cards = (count: number): ReadonlyArray<XrayCard> =>
    Array.from({ length: count }, (_, at) =>
      custom(events, `card ${at}`, { aggregation: [["count"]], limit: at + 1 }, { group: "summary", score: 100 - at })
    )

  /** Asks cards of an engine that answers each after this many milliseconds, or fails. */
  const ask = (answering: (limit: number) => Effect.Effect<number, QueryError>, count = 6, enough = 3) => {
    const questions = {
      ask: (_: unknown, { limit }: { limit: number }) =>
        Effect.map(answering(limit), (value) => ({ answer: answer(["aggregation"], [[value]]) }))
    } as unknown as Questions["Service"]
    const asking = {
      questions,
      principal: LOCAL_COMMAND,
      limits: { card: 3_000, total: 10_000 },
      parameters: [],
      mappingsFor: () => []
    }
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(probe(asking, cards(count), enough))
      yield* TestClock.adjust("60 seconds")
      const { dropped, kept } = yield* Fiber.join(fiber)
      return {
        kept: kept.map(({ card }) => card.title),
        dropped: dropped.map(({ card, reason }) => [card.title, reason])
      }
    }).pipe(Effect.provide(TestClock.layer()), Effect.provideService(References.MinimumLogLevel, "Fatal"))
  }

  test("are asked until enough have something to show; empty ones are replaced by the next", async () => {
    const outcome = await Effect.runPromise(ask((limit) => Effect.succeed(limit === 2 ? 0 : 7)))
    expect(outcome).toEqual({ kept: ["card 0", "card 2", "card 3"], dropped: [["card 1", "empty"]] })
  })

  test("are left out after 3 s each", async () => {
    const slow = (limit: number) =>
      Effect.delay(Effect.succeed(1), limit === 1 ? Duration.seconds(4) : Duration.millis(10))
    expect(await Effect.runPromise(ask(slow))).toEqual({
      kept: ["card 1", "card 2", "card 3"],
      dropped: [["card 0", "slow"]]
    })
  })

  test("are left out once all together have taken 10 s", async () => {
    const took = await Effect.runPromise(ask(() => Effect.delay(Effect.succeed(1), Duration.millis(2_900)), 15, 15))
    expect(took.kept).toHaveLength(9)
    expect(new Set(took.dropped.map(([, reason]) => reason))).toEqual(new Set(["out-of-time"]))
  })

  test("that the engine refuses are left out, and if it is down, the x-ray fails", async () => {
    const failure = (reason: "Invalid" | "Timeout" | "Unavailable") => new QueryError({ reason, message: reason })
    const refused = await Effect.runPromise(
      ask((limit) => (limit < 3 ? Effect.fail(failure(limit === 1 ? "Invalid" : "Timeout")) : Effect.succeed(1)))
    )
    expect(refused).toEqual({
      kept: ["card 2", "card 3", "card 4"],
      dropped: [
        ["card 0", "failed"],
        ["card 1", "slow"]
      ]
    })
    expect(Exit.isFailure(await Effect.runPromiseExit(ask(() => Effect.fail(failure("Unavailable")))))).toBe(true)
  })
})
