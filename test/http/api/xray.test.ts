import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, Exit, Layer, References, Scope } from "effect"
import * as LoginBuckets from "../../../layers/inprocess/LoginBuckets.ts"
import * as LocalSecretFile from "../../../layers/local/LocalSecretFile.ts"
import * as PgSavedDefinitions from "../../../layers/postgres/content/PgSavedDefinitions.ts"
import * as PgPropertyAdmin from "../../../layers/postgres/metadata/PgPropertyAdmin.ts"
import { SiteId } from "../../../src/domain/ids.ts"
import { instanceKey } from "../../../src/domain/keyScope.ts"
import { PRODUCT_ANALYTICS } from "../../../src/domain/people.ts"
import { AdminKeys } from "../../../src/ports/AdminKeys.ts"
import { Groups } from "../../../src/ports/Groups.ts"
import { Metadata } from "../../../src/ports/Metadata.ts"
import { Properties } from "../../../src/ports/Properties.ts"
import { PropertyAdmin } from "../../../src/ports/PropertyAdmin.ts"
import { QuestionEngines } from "../../../src/ports/QuestionEngines.ts"
import { FieldScanner } from "../../../src/query/metadata/FieldScanner.ts"
import { columnId, columnsOf, findColumn, propertyField, tableIdOf } from "../../../src/query/metadata/fieldIds.ts"
import { isScannedField } from "../../../src/query/metadata/scanQuestion.ts"
import type { ViewName } from "../../../src/query/metadata/views.ts"
import { XrayLimits } from "../../../src/query/xray/probe.ts"
import { OTHER_SITE, SITE } from "../../services/fixture.ts"
import { postgresEngine, startMetadata } from "../../support/metadata/metadataServices.ts"
import { contentLayer } from "../../support/postgres/content.ts"
import { controlPlane } from "../../support/postgres/controlPlane.ts"
import { pgWarehouse } from "../../support/postgres/pgWarehouse.ts"
import { freshDatabase, temporaryFolder } from "../../support/postgres/postgres.ts"
import { fillWithTraffic, OTHER_VISITORS, VISITORS } from "../../support/questions/traffic.ts"
import { type Admin, type Json, startAdmin } from "./support.ts"

// The first test waits for the server to start and for the fields to be read.
setDefaultTimeout(180_000)

const scope = Scope.makeUnsafe()
const keys = new Map<string, string>()
let admin: Admin

const SCANNED = ["v_pa_events", "v_pa_sessions", "v_pa_visits"] as const

const XRAY = "/api/automagic-dashboards"
const EVENTS = `${XRAY}/table/${tableIdOf("v_pa_events")}`
const VISITORS_TABLE = `${XRAY}/table/${tableIdOf("v_pa_sessions")}`

const call = (method: string, path: string, body?: unknown, key = "root") =>
  admin.call(method, path, { key: keys.get(key)!, ...(body !== undefined && { body }) })

const get = async (path: string, key = "root"): Promise<Json> => {
  const { body, status } = await call("GET", path, undefined, key)
  expect([path, status, body.detail]).toEqual([path, 200, undefined])
  return body
}

const encoded = (json: unknown): string => Buffer.from(JSON.stringify(json)).toString("base64url")
const titles = ({ dashcards }: Json): ReadonlyArray<string> =>
  dashcards.flatMap(({ card }: Json) => (card === null ? [] : [card.name]))
const on = (path: string, query = "") => `${path}?site=${SITE}${query}`

beforeAll(async () => {
  const url = await freshDatabase()
  await fillWithTraffic(url)
  const quiet = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.runPromise(effect.pipe(Effect.provideService(References.MinimumLogLevel, "Error")))
  await quiet(
    Effect.flatMap(PropertyAdmin, ({ rebuild }) => rebuild).pipe(
      Effect.provide(PgPropertyAdmin.layer.pipe(Layer.provide(pgWarehouse(url)), Layer.provide(controlPlane(url))))
    )
  )
  const services = await startMetadata(url, await postgresEngine(url, scope), scope)
  const { scan } = Context.get(services, FieldScanner)
  const properties = await quiet(Context.get(services, Properties).list({ sites: [SITE], limit: 100 }))
  const fields = [...SCANNED.flatMap(columnsOf).filter(isScannedField), ...properties.map(propertyField)]
  const secrets = [columnId("v_pa_events", "url_path"), columnId("v_pa_sessions", "city")].map((id) => findColumn(id)!)
  await quiet(Effect.forEach(secrets, (field) => Effect.retry(scan(field, SiteId.make(OTHER_SITE)), { times: 5 })))
  await quiet(Effect.forEach(fields, (field) => Effect.retry(scan(field, SiteId.make(SITE)), { times: 5 })))
  const content = contentLayer(url)
  const folder = temporaryFolder()
  admin = await startAdmin({
    control: Layer.mergeAll(controlPlane(url), LoginBuckets.layer, LocalSecretFile.layerIn(Effect.succeed(folder))),
    engines: Layer.succeed(QuestionEngines, Context.get(services, QuestionEngines)),
    properties: Layer.succeed(Properties, Context.get(services, Properties)),
    metadata: Layer.mergeAll(
      Layer.succeed(Metadata, Context.get(services, Metadata)),
      Layer.succeed(FieldScanner, Context.get(services, FieldScanner)),
      Layer.succeed(XrayLimits, { card: 60_000, total: 120_000 })
    ),
    content,
    saved: PgSavedDefinitions.layer.pipe(Layer.provide(content))
  })
  const adminKeys = Context.get(services, AdminKeys)
  const groups = Context.get(services, Groups)
  keys.set("root", (await quiet(adminKeys.create("root", instanceKey("admin")))).key)
  const group = await quiet(groups.create({ name: "limited", siteLimit: [SiteId.make(SITE)] }))
  const { revision } = await quiet(groups.graph)
  await quiet(groups.setGraph(revision, new Map([[group.id, new Map([[PRODUCT_ANALYTICS.id, "read" as const]])]])))
  keys.set(
    "limited",
    (await quiet(adminKeys.create("limited", { role: null, isReadOnly: false, group: group.id }))).key
  )
})

afterAll(async () => {
  await admin.close()
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

/** Asks a card as a client does: its question with the defaults of the parameters that are mapped to it. */
const rowsOf = async ({ parameters }: Json, { card, parameter_mappings: mappings }: Json, key = "root") => {
  const values = mappings.flatMap(({ parameter_id: id, target }: Json) => {
    const { default: value = null, type } = parameters.find((one: Json) => one.id === id)
    return value === null ? [] : [{ type, target, value }]
  })
  const { body, status } = await call("POST", "/api/dataset", { ...card.dataset_query, parameters: values }, key)
  expect([card.name, status, body.detail]).toEqual([card.name, 200, undefined])
  return body.data.rows as ReadonlyArray<ReadonlyArray<unknown>>
}

const cardsOf = ({ dashcards }: Json): ReadonlyArray<Json> => dashcards.filter(({ card }: Json) => card !== null)
const cardNamed = (xray: Json, name: string): Json => {
  const found = cardsOf(xray).find(({ card }) => card.name === name)
  expect([titles(xray), found === undefined]).toEqual([titles(xray), false])
  return found
}
const linksOf = (xray: Json, way: string): ReadonlyArray<string> => xray.related[way].map(({ url }: Json) => url)
const codesOf = ({ notes }: Json): ReadonlyArray<string> => notes.map(({ code }: Json) => code)

test("an x-ray of events is a dashboard of at most 15 cards, each with something to show for its defaults", async () => {
  const xray = await get(on(EVENTS))
  expect(xray).toMatchObject({ name: "A look at your Events", transient: true, can_write: false, more: true })
  expect(titles(xray)).toEqual([
    "Total Events",
    "Events in the last 30 days",
    "Events over time",
    "Events per URL path",
    "Events per Country",
    "Events per Region",
    "Events per City",
    "Events per Browser",
    "Events per Event type",
    "Events per Event name",
    "Events per Referrer domain",
    "Events per UTM source",
    "Events per UTM campaign",
    "Events per Hostname",
    "Events per day of the week"
  ])
  expect(xray.parameters.map(({ default: value, id }: Json) => [id, value ?? null])).toEqual([
    ["site", SITE],
    ["date", "past30days"],
    ["country", null],
    ["browser", null],
    ["event_name", null]
  ])
  for (const dashcard of cardsOf(xray)) expect((await rowsOf(xray, dashcard)).length).toBeGreaterThan(0)
  // 600 first views, 300 of the prices, 200 signups and 50 purchases.
  expect(await rowsOf(xray, cardNamed(xray, "Total Events"))).toEqual([[1_150]])
  expect(await rowsOf(xray, cardNamed(xray, "Events per Event name"))).toEqual([
    [null, 900],
    ["signup", 200],
    ["purchase", 50]
  ])
  expect(await rowsOf(xray, cardNamed(xray, "Events over time"))).toHaveLength(30)
})

test("related x-rays lead into details, back out and sideways, and each of them exists", async () => {
  const xray = await get(on(EVENTS))
  const inwards = linksOf(xray, "zoom-in").join(" ")
  for (const part of ["rule/WebAnalytics", "rule/FunnelFlows", "rule/Event?value=signup", "field/"]) {
    expect(inwards).toContain(part)
  }
  expect(linksOf(xray, "zoom-out")).toEqual([])
  const funnel = await get(`${XRAY}/${linksOf(xray, "zoom-in").find((url) => url.includes("FunnelFlows"))}`)
  expect(funnel.name).toBe("Funnel Flows")
  expect(linksOf(funnel, "zoom-out")).toEqual([`table/${tableIdOf("v_pa_events")}?site=${SITE}`])
  for (const url of linksOf(xray, "other")) expect((await get(`${XRAY}/${url}`)).dashcards.length).toBeGreaterThan(2)
})

test("an x-ray of visitors has a map of countries, and leads to Visitors & Locations", async () => {
  const xray = await get(on(VISITORS_TABLE))
  expect(cardNamed(xray, "Visitors per Country").card.display).toBe("map")
  expect(await rowsOf(xray, cardNamed(xray, "New Visitors in the last 30 days"))).toEqual([[VISITORS]])
  expect(linksOf(xray, "zoom-in")[0]).toContain("rule/VisitorsAndLocations")
})

const RULES: ReadonlyArray<readonly [view: ViewName, rule: string, name: string, cards: ReadonlyArray<string>]> = [
  ["v_pa_events", "EventTable", "A look at your Events", ["Events over time"]],
  ["v_pa_events", "WebAnalytics", "Web Analytics", ["Growth of Pageviews", "Top pages", "Pageviews per Channel"]],
  [
    "v_pa_events",
    "FunnelFlows",
    "Funnel Flows",
    ["Where visits begin", "Where visits end", "Most viewed pages", "User Flows"]
  ],
  [
    "v_pa_events",
    "Event",
    "A look at the event signup",
    ["signup per Plan", "Seats in numbers", "Conversions per entry page"]
  ],
  ["v_pa_events", "Path", "A look at the page /pricing", ["Where visitors come from", "Events on this page"]],
  ["v_pa_sessions", "VisitorsAndLocations", "Visitors & Locations", ["Growth of Visitors", "Visitors per Country"]],
  ["v_pa_visits", "Visits", "A look at your Visits", ["Bounce rate", "Where visits begin"]],
  [
    "v_pa_visits",
    "Campaign",
    "A look at the campaign spring",
    ["Total Visits", "Bounce rate", "What these visitors do"]
  ],
  ["v_pa_visits", "Country", "A look at the visits from DE", ["Visits per Browser", "Visit duration"]]
]

test.each(RULES)("the template for %s called %s shows its cards, all answered", async (view, rule, name, cards) => {
  const xray = await get(on(`${XRAY}/table/${tableIdOf(view)}/rule/${rule}`))
  expect([xray.name, codesOf(xray).includes("failed")]).toEqual([name, false])
  expect(titles(xray)).toEqual(expect.arrayContaining([...cards]))
})

test("a template is about the value that is asked for, as it is", async () => {
  const purchase = await get(on(`${EVENTS}/rule/Event`, "&value=purchase"))
  expect(await rowsOf(purchase, cardNamed(purchase, "Count of purchase"))).toEqual([[50]])
  const odd = `'); DROP TABLE x; --`
  const none = await get(on(`${EVENTS}/rule/Event`, `&value=${encodeURIComponent(odd)}`))
  expect([none.name, none.dashcards, codesOf(none)]).toEqual([`A look at the event ${odd}`, [], ["no-data"]])
})

const FIELDS: ReadonlyArray<readonly [view: ViewName, field: string, cards: ReadonlyArray<string>]> = [
  ["v_pa_visits", "pageviews", ["Pageviews in numbers", "How Pageviews is distributed", "Average Pageviews over time"]],
  [
    "v_pa_sessions",
    "browser",
    ["Visitors per Browser", "Share of each Browser", "Browser over time", "Visitors without Browser"]
  ],
  ["v_pa_events", "created_at", ["Events over time, by Created at", "Events per day of the week"]],
  [
    "v_pa_events",
    "url_path",
    ["Most frequent values of URL path", "Length of URL path", "New values of URL path per day"]
  ],
  ["v_pa_events", "seats", ["Seats in numbers", "How Seats is distributed"]],
  ["v_pa_events", "plan", ["signup per Plan", "Share of each Plan"]]
]

test.each(FIELDS)("an x-ray of %s.%s shows what its kind of values is like", async (view, name, cards) => {
  const { tables } = await get(`/api/database/13371338/metadata?site=${SITE}`)
  const { fields: all } = tables.find((one: Json) => one.name === view)
  const { id } = all.find((one: Json) => one.name === name)
  const xray = await get(on(`${XRAY}/field/${id}`))
  expect([titles(xray), codesOf(xray).includes("failed")]).toEqual([expect.arrayContaining([...cards]), false])
})

test("a clicked point is compared with the rest, the most different categories first", async () => {
  const xray = await get(on(`${VISITORS_TABLE}/cell/${encoded(["=", "country", "DE"])}`))
  // All 150 visitors from Germany have phones, and 90 of the other 450.
  expect(xray.differences).toContainEqual({ field: "Device", value: "mobile", share: 1, rest: 0.2, lift: 4, n: 240 })
  const compared = titles(xray).filter((title) => title.endsWith("compared with the rest"))
  // Where in Germany they are says nothing, and languages hardly differ.
  expect(compared.slice(0, 2)).toEqual(["Visitors over time, compared with the rest", "Device, compared with the rest"])
  expect(compared).not.toContain("City, compared with the rest")
  const shares = await rowsOf(xray, cardNamed(xray, "Device, compared with the rest"))
  expect(shares).toEqual([
    ["Selected", "mobile", 150],
    ["The rest", "desktop", 360],
    ["The rest", "mobile", 90]
  ])
})

test("a clicked bucket of time stands for its whole day", async () => {
  const overview = await get(on(EVENTS))
  const [day, count] = (await rowsOf(overview, cardNamed(overview, "Events over time")))[15]!
  const clicked = ["=", ["field", "created_at", { "temporal-unit": "day" }], day]
  const xray = await get(on(`${EVENTS}/cell/${encoded(clicked)}`))
  expect(await rowsOf(xray, cardNamed(xray, "Selected Events"))).toEqual([[count]])
})

test("an x-ray of a question keeps its conditions, its numbers and its own time", async () => {
  const query = {
    fql: 1,
    type: "query",
    source: "v_pa_events",
    filter: ["and", ["=", "event_name", "signup"], ["time-interval", "created_at", -7, "day"]],
    aggregation: [["metric", "visitors"]],
    breakout: ["country"]
  }
  const saved = await call("POST", "/api/card", { name: "Signups by country", dataset_query: query })
  const ofCard = await get(on(`${XRAY}/card/${saved.body.id}`))
  expect(ofCard.name).toBe("A closer look at Signups by country")
  expect(ofCard.parameters.find(({ id }: Json) => id === "date").default).toBe("all")
  const adhoc = await get(on(`${XRAY}/adhoc/${encoded(query)}`))
  expect(titles(adhoc)).toEqual(titles(ofCard))
  const [[total]] = (await rowsOf(adhoc, cardNamed(adhoc, "Total Visitors"))) as [[number]]
  expect(total).toBeGreaterThan(0)
  expect(total).toBeLessThan(200)
  expect(await rowsOf(adhoc, cardNamed(adhoc, "Visitors over time"))).toHaveLength(7)
})

test("rows are compared with those of a segment, a cohort, the table or another question", async () => {
  const signups = ["=", "event_name", "signup"]
  const { body: segment } = await call("POST", "/api/segment", { name: "Signups", filter: signups })
  const question = { fql: 1, type: "query", source: "v_pa_events", filter: signups }
  const paths = [
    `${EVENTS}/compare/segment/${segment.id}`,
    `${EVENTS}/compare/adhoc/${encoded(question)}`,
    `${XRAY}/adhoc/${encoded(question)}/compare/table/${tableIdOf("v_pa_events")}`
  ]
  for (const path of paths) {
    const xray = await get(on(path))
    const { card } = cardNamed(xray, "Events per Country")
    const rows = await rowsOf(xray, cardNamed(xray, "Events per Country"))
    const sums = [1, 2].map((column) => rows.reduce((sum, row) => sum + Number(row[column]), 0))
    expect([card.display, sums.toSorted((a, b) => a - b)]).toEqual(["bar", [200, 1_150]])
  }
  const { body: cohort } = await call("POST", "/api/cohort", { name: "Who signed up", filter: signups })
  const people = await get(on(`${EVENTS}/compare/cohort/${cohort.id}`))
  const rows = await rowsOf(people, cardNamed(people, "Events per Country"))
  // Of the 200 who signed up: a first view and a signup each, 100 views of the prices and 50 purchases.
  expect(rows.reduce((sum, [, , count]) => sum + Number(count), 0)).toBe(550)
  const german = encoded(["=", ["field", "country", { "source-field": "session_id" }], "DE"])
  const cell = await get(on(`${EVENTS}/cell/${german}/compare/table/${tableIdOf("v_pa_events")}`))
  expect(cell.name).toBe("Selected compared with All Events")
  const other = await call("GET", on(`${EVENTS}/compare/table/${tableIdOf("v_pa_visits")}`))
  expect([other.status, other.body.detail]).toEqual([400, "Only rows of the same table can be compared."])
})

test("the same metadata gives the same x-ray", async () => {
  const timeless = (xray: Json) => JSON.stringify(xray).replaceAll(/"(?:created|updated)_at":"[^"]+"/g, "")
  expect(timeless(await get(on(EVENTS)))).toBe(timeless(await get(on(EVENTS))))
})

test("show=all has every card, and the dates choose the unit of time", async () => {
  const all = await get(on(EVENTS, "&show=all"))
  expect([titles(all).length > 15, all.more]).toEqual([true, false])
  const unitOf = async (date: string) => {
    const xray = await get(on(EVENTS, `&date=${date}`))
    return cardNamed(xray, "Events over time").card.dataset_query.breakout[0][2]["temporal-unit"]
  }
  expect([await unitOf("past3days"), await unitOf("past92days"), await unitOf("past20weeks")]).toEqual([
    "hour",
    "day",
    "week"
  ])
})

test("a template without a value is about the most frequent one, also before the site's fields were read", async () => {
  const of = (path: string) => get(`${path}?site=${OTHER_SITE}`)
  const visits = `${XRAY}/table/${tableIdOf("v_pa_visits")}`
  expect((await of(`${EVENTS}/rule/Event`)).name).toBe(
    (await get(`${EVENTS}/rule/Event?site=${OTHER_SITE}&value=signup`)).name
  )
  expect((await of(`${visits}/rule/Campaign`)).dashcards.length).toBeGreaterThan(0)
  const early = await get(`${EVENTS}/rule/Event?site=${OTHER_SITE}&date=2001-01`)
  expect([early.name.includes("signup"), codesOf(early)]).toEqual([true, ["no-data-in-range"]])
  const { body: empty } = await call("POST", "/api/ee/product-analytics/sites", { name: "Not used yet" })
  const { body, status } = await call("GET", `${EVENTS}/rule/Event?site=${empty.id}`)
  expect([status, body.detail]).toEqual([
    400,
    "Say in `value` what the template Event is about; the site has none yet."
  ])
})

test("a group that is limited to a site gets neither rows nor values of another, whatever it asks", async () => {
  const limited = (path: string) => call("GET", path, undefined, "limited")
  const ofOther = { fql: 1, type: "query", source: "v_pa_events", filter: ["=", "site_id", OTHER_SITE] }
  for (const path of [
    `${EVENTS}?site=${OTHER_SITE}`,
    `${EVENTS}/rule/Path?site=${OTHER_SITE}`,
    `${XRAY}/adhoc/${encoded(ofOther)}`,
    `${VISITORS_TABLE}/cell/${encoded(["=", "country", "DE"])}?site=${OTHER_SITE}`
  ]) {
    expect([path, (await limited(path)).status]).toEqual([path, 403])
  }
  const secret = await get(`${EVENTS}?site=${OTHER_SITE}&show=all`)
  expect(JSON.stringify(secret)).toContain("secret")
  for (const path of [EVENTS, VISITORS_TABLE, `${EVENTS}/rule/Path`, `${XRAY}/table/${tableIdOf("v_pa_sites")}`]) {
    const xray = await get(`${path}?show=all`, "limited")
    expect(JSON.stringify(xray).toLowerCase()).not.toContain("secret")
    for (const dashcard of cardsOf(xray).slice(0, 8)) {
      // Neither as it is, nor without the site's condition.
      const { body } = await call("POST", "/api/dataset", dashcard.card.dataset_query, "limited")
      expect(JSON.stringify([await rowsOf(xray, dashcard, "limited"), body.data.rows]).toLowerCase()).not.toContain(
        "secret"
      )
    }
  }
  expect((await limited(on(`${EVENTS}/rule/Path`, "&value=/secret/1"))).body.dashcards).toEqual([])
})

test("a saved x-ray is a dashboard with questions of its own, which answer the same", async () => {
  const xray = await get(on(VISITORS_TABLE))
  const saved = await call("POST", "/api/dashboard/save", { ...xray, name: "Our visitors" })
  expect([saved.status, saved.body.detail]).toEqual([200, undefined])
  const { transient, notes, differences, related, more, ...dashboard } = xray
  expect(Object.keys(saved.body).toSorted()).toEqual(Object.keys(dashboard).toSorted())
  const stored = await get(`/api/dashboard/${saved.body.id}`)
  expect([stored.name, stored.can_write, titles(stored)]).toEqual(["Our visitors", true, titles(xray)])
  expect(
    new Set(cardsOf(stored).map(({ card_id: id }) => id)).isDisjointFrom(
      new Set(cardsOf(xray).map(({ card_id: id }) => id))
    )
  ).toBe(true)
  const country = cardNamed(stored, "Visitors per Country")
  const path = `/api/dashboard/${stored.id}/dashcard/${country.id}/card/${country.card_id}/query`
  const { body } = await call("POST", path, {})
  expect(body.data.rows).toEqual(await rowsOf(xray, cardNamed(xray, "Visitors per Country")))
})

test("saving needs write access, checks every question, and stores all or nothing", async () => {
  const xray = await get(on(VISITORS_TABLE))
  expect((await call("POST", "/api/dashboard/save", xray, "limited")).status).toBe(403)
  const countOf = async () => (await get("/api/card")).total
  const before = await countOf()
  const broken = structuredClone(xray)
  const at = broken.dashcards.findLastIndex(({ card }: Json) => card !== null)
  broken.dashcards[at].card.dataset_query.breakout = ["contry"]
  const refused = await call("POST", "/api/dashboard/save", broken)
  expect([refused.status, refused.body.pointer]).toEqual([400, `/dashcards/${at}/card/dataset_query/breakout/0`])
  const overlapping = structuredClone(xray)
  overlapping.dashcards[1].row = overlapping.dashcards[0].row
  expect((await call("POST", "/api/dashboard/save", overlapping)).status).toBe(400)
  expect(await countOf()).toBe(before)
})

test("a site without events, and a time without any, get an explanation in place of cards", async () => {
  const { body: site } = await call("POST", "/api/ee/product-analytics/sites", { name: "New" })
  const unused = await get(`${EVENTS}?site=${site.id}`)
  expect([unused.dashcards, codesOf(unused)]).toEqual([[], ["no-data"]])
  const early = await get(on(EVENTS, "&date=2001-01-01~2001-01-31"))
  expect([early.dashcards, codesOf(early)]).toEqual([[], ["no-data-in-range"]])
  expect(early.notes[0].detail).toContain("Choose another period")
})

test.each<readonly [path: string, status: number, detail: string]>([
  [`${XRAY}/table/1`, 404, "There is no table"],
  [`${XRAY}/table/x`, 404, "There is no table"],
  [`${XRAY}/field/1`, 404, "There is no field"],
  [`${XRAY}/card/1`, 404, "There is no question"],
  [`${EVENTS}/compare/table/${tableIdOf("v_pa_events")}`, 400, "Both sides are all rows"],
  [`${XRAY}/planet/1`, 400, "must be one of `table`, `field`"],
  [`${EVENTS}/rule/Nonsense`, 404, "there are: `EventTable`, `WebAnalytics`"],
  [`${EVENTS}/rule/Campaign`, 404, "There is no template"],
  [`${EVENTS}/rule/Event?value=%00`, 400, "NUL"],
  [`${XRAY}/field/${columnId("v_pa_events", "id")}`, 400, "holds ids"],
  [`${EVENTS}?date=someday`, 400, "`date` can't be"],
  [`${EVENTS}?site=7`, 404, "There is no site"],
  [`${EVENTS}?show=some`, 400, "all"],
  [`${EVENTS}/cell/***`, 400, "base64url"],
  [`${EVENTS}/cell/${encoded({ not: "a clause" })}`, 400, "base64url"],
  [`${EVENTS}/cell/${encoded(["=", "url_pth", "/"])}`, 400, "Did you mean `url_path`"],
  [
    `${XRAY}/adhoc/${encoded({ type: "native", native: { query: "SELECT 1" } })}`,
    403,
    "Native queries are not allowed"
  ],
  [
    `${XRAY}/adhoc/${encoded({ fql: 1, type: "query", source: "pg_user", aggregation: [["count"]] })}`,
    403,
    "only allowed"
  ],
  [
    `${XRAY}/adhoc/${encoded({ fql: 1, type: "query", source: { query: { fql: 1, type: "query", source: "v_pa_events", aggregation: [["count"]], breakout: ["url_path"] } } })}`,
    400,
    "built on another question"
  ]
])("GET %s is answered with %d", async (path, status, detail) => {
  const { body, status: answered } = await call("GET", path)
  expect([answered, body.detail]).toEqual([status, expect.stringContaining(detail)])
})

test("a question's parameters apply over /api/dataset, also in exports, and what is wrong with them is said", async () => {
  const question = { fql: 1, type: "query", source: "v_pa_sessions", aggregation: [["count"]] }
  const parameter = (value: unknown, field = "country") => ({
    ...question,
    parameters: [{ type: "string/=", target: ["dimension", ["field", field]], value }]
  })
  expect((await call("POST", "/api/dataset", parameter(["DE"]))).body.data.rows).toEqual([[150 + 30]])
  expect((await call("POST", "/api/dataset/csv?format_rows=false", parameter("DE"))).body).toContain("180")
  expect((await call("POST", "/api/dataset", parameter(null))).body.data.rows).toEqual([[VISITORS + OTHER_VISITORS]])
  expect((await call("POST", "/api/dataset", parameter("DE", "contry"))).body).toMatchObject({
    status: 400,
    code: "unknown-field"
  })
  const malformed = await call("POST", "/api/dataset", { ...question, parameters: "x" })
  expect(malformed.body).toMatchObject({ status: 400, pointer: "/parameters" })
})
