import type { Clause } from "../fql/schema.ts"
import type { TableRecord } from "../metadata/Catalog.ts"
import { findView, type View, type ViewName } from "../metadata/views.ts"
import type { TruncationUnit } from "../plan/plan.ts"
import {
  custom,
  growth,
  lastDays,
  named,
  numberOf,
  numberSummary,
  overTime,
  perDimension,
  perSeason,
  perValue,
  totals,
  type XrayCard
} from "./cards.ts"
import { namesIn } from "./cellFilter.ts"
import { dimensionsOf, type PropertyFilter, type XrayDimension } from "./dimensions.ts"
import { type Metric, type Subject, timeOf } from "./Subject.ts"

/** What is known when an x-ray is made. */
export interface XrayContext {
  /** The views with the fields that the caller may see, and what the site's values are like. */
  readonly tables: ReadonlyArray<TableRecord>
  readonly unit: TruncationUnit
}

interface SubjectFields {
  readonly filter?: Clause
  readonly noun?: string
  readonly metrics?: Subject["metrics"]
  readonly hasProperty?: PropertyFilter
}

const noProperties: PropertyFilter = ({ source }) => source === "attribute"

/** The names of the fields that a condition decides: what kind an event is decides whether it has a name. */
const fixedBy = (filter: Clause | undefined): ReadonlySet<string> => {
  const names = namesIn(filter)
  return names.has("event_type") ? new Set([...names, "event_name"]) : names
}

/** The rows of a view, with its dimensions; those that a condition fixes are left out. */
export const subjectOf = (
  { tables, unit }: XrayContext,
  name: ViewName,
  { filter, hasProperty = noProperties, metrics, noun }: SubjectFields = {}
): Subject => {
  const view = findView(name)!
  const title = noun ?? tables.find((table) => table.view.name === name)?.displayName ?? view.label
  const fixed = fixedBy(filter)
  return {
    view,
    noun: title,
    metrics: metrics ?? [{ clause: ["count"], title }],
    filter: filter ?? null,
    parts: {},
    dimensions: dimensionsOf(view, tables, hasProperty).filter(({ field }) => !fixed.has(field.name)),
    time: timeOf(view),
    unit
  }
}

/** A kind of x-ray of rows. */
export interface Template {
  /** Its name in addresses. */
  readonly name: string
  readonly title: (noun: string, value: string) => string
  readonly description: string
  /** The view whose x-rays offer it; null: every view. */
  readonly view: ViewName | null
  /** The column whose value it is about; null: it is about all rows. */
  readonly of: { readonly view: ViewName; readonly column: string } | null
  readonly subject: (context: XrayContext, value: string, view: ViewName) => Subject
  readonly cards: (subject: Subject, value: string, context: XrayContext) => ReadonlyArray<XrayCard>
}

const find = ({ dimensions }: Subject, name: string): XrayDimension | null =>
  dimensions.find(({ field }) => field.name === name && field.property === null) ?? null

/** A card about a dimension, if the subject has it. */
const per = (subject: Subject, name: string, title: string, score: number): ReadonlyArray<XrayCard> => {
  const dimension = find(subject, name)
  return dimension === null ? [] : [perValue(subject, dimension, { title, score })]
}

/** The cards about dimensions that do not have a card of their own already. */
const others = (subject: Subject, ...names: ReadonlyArray<string>): ReadonlyArray<XrayCard> =>
  perDimension({ ...subject, dimensions: subject.dimensions.filter(({ field }) => !names.includes(field.name)) })

const isVisitors = ({ view }: Subject): boolean => view.name === "v_pa_sessions"

/** A visitor's row is dated by the first visit, so a range has the visitors who were new in it. */
const recent = (subject: Subject): string =>
  isVisitors(subject) ? `New ${subject.noun} in the last 30 days` : `${subject.noun} in the last 30 days`

const overview = (subject: Subject): ReadonlyArray<XrayCard> => [
  ...totals(subject, ({ title }) => `Total ${title}`),
  ...lastDays(subject, recent(subject)),
  ...overTime(subject, `${subject.noun} over time`),
  ...perDimension(subject),
  ...perSeason(subject)
]

const generic = (name: "EventTable" | "GenericTable", entity: View["entity"]): Template => ({
  name,
  title: (noun) => `A look at your ${noun}`,
  description:
    entity === "EventTable"
      ? "How many there are, when they happened, and what they have in common."
      : "How many there are, when they were recorded, and what they are like.",
  view: null,
  of: null,
  subject: (context, _value, view) => subjectOf(context, view),
  cards: overview
})

const EVENT_TABLE = generic("EventTable", "EventTable")
const GENERIC_TABLE = generic("GenericTable", "GenericTable")

const PAGEVIEWS: Clause = ["=", "event_type", 1]
const VISITORS: Metric = { clause: ["metric", "visitors"], title: "Visitors" }
const isOfPages: PropertyFilter = ({ property, source }) => source === "attribute" || property?.event === ""

const WEB_ANALYTICS: Template = {
  name: "WebAnalytics",
  title: () => "Web Analytics",
  description: "Pageviews: how many, of which pages, by whom, and where they come from.",
  view: "v_pa_events",
  of: null,
  subject: (context) =>
    subjectOf(context, "v_pa_events", { filter: PAGEVIEWS, noun: "Pageviews", hasProperty: isOfPages }),
  cards: (subject) => [
    ...totals(subject, () => "Total Pageviews"),
    ...lastDays(subject, "Pageviews in the last 30 days"),
    ...growth(subject, "Growth of Pageviews"),
    ...overTime(subject, "Pageviews over time"),
    ...overTime({ ...subject, metrics: [VISITORS] }, "Visitors over time", 96),
    ...per(subject, "url_path", "Top pages", 100),
    ...per(subject, "referrer_domain", "Pageviews per Referrer domain", 92),
    ...per(subject, "channel", "Pageviews per Channel", 92),
    ...others(subject, "url_path", "referrer_domain", "channel"),
    ...perSeason(subject)
  ]
}

const VISITS_METRIC: Metric = { clause: ["count"], title: "Visits" }

/** Entry pages, pages and exit pages, and the steps between pages. */
const FUNNEL_FLOWS: Template = {
  name: "FunnelFlows",
  title: () => "Funnel Flows",
  description: "Where visits begin, which pages they take people to, and where they end.",
  view: "v_pa_events",
  of: null,
  subject: (context) => subjectOf(context, "v_pa_events", { filter: PAGEVIEWS, noun: "Pageviews" }),
  cards: (subject, _value, context) => {
    const visits = subjectOf(context, "v_pa_visits", { metrics: [VISITS_METRIC] })
    const flows = subjectOf(context, "v_pa_user_flows")
    const pages = { size: [12, 8], group: "pages" } as const
    const ends = (column: string) => ({
      filter: ["not-null", column] as Clause,
      aggregation: [["count"], ["distinct", "session_id"]] as ReadonlyArray<Clause>,
      breakout: [column],
      "order-by": [["desc", ["aggregation", 0]]] as const,
      limit: 10
    })
    return [
      custom(visits, "Where visits begin", ends("entry_path"), { ...pages, score: 100 }),
      custom(visits, "Where visits end", ends("exit_path"), { ...pages, score: 98 }),
      custom(
        flows,
        "User Flows",
        {
          aggregation: [named(["sum", "value"], "value", "Steps")],
          breakout: ["source", "target"],
          "order-by": [["desc", ["aggregation", 0]]],
          limit: 50
        },
        {
          display: "sankey",
          settings: { "sankey.source": "source", "sankey.target": "target", "sankey.value": "value" },
          group: "pages",
          size: [24, 10],
          score: 97
        }
      ),
      ...per(subject, "url_path", "Most viewed pages", 108),
      custom(
        visits,
        "Pages per visit",
        { aggregation: [["count"]], breakout: ["pageviews"], limit: 50 },
        { display: "bar", group: "numbers", score: 90 }
      ),
      ...overTime(visits, "Visits over time", 95)
    ]
  }
}

const VISITORS_AND_LOCATIONS: Template = {
  name: "VisitorsAndLocations",
  title: () => "Visitors & Locations",
  description: "How many visitors there are, when they first came, and where they are.",
  view: "v_pa_sessions",
  of: null,
  subject: (context) => subjectOf(context, "v_pa_sessions"),
  cards: (subject) => [
    ...totals(subject, ({ title }) => `Total ${title}`),
    ...lastDays(subject, recent(subject)),
    ...growth(subject, `Growth of ${subject.noun}`),
    ...overTime(subject, `${subject.noun} over time`),
    ...perDimension(subject),
    ...perSeason(subject, 2)
  ]
}

const BOUNCE_RATE: Metric = { clause: ["metric", "bounce-rate"], title: "Bounce rate" }
const DURATION: Metric = { clause: ["metric", "visit-duration"], title: "Visit duration" }
const styled = (column: string, style: "percent" | "duration") => ({
  column_settings: { [`["name","${column}"]`]: { number_style: style } }
})

/** Numbers of visits that any subject whose rows are visits has. */
const visitNumbers = (subject: Subject): ReadonlyArray<XrayCard> => [
  numberOf(subject, VISITORS, { score: 96 }),
  numberOf(subject, BOUNCE_RATE, { score: 95, settings: styled("bounce_rate", "percent"), showsZero: true }),
  numberOf(subject, DURATION, { score: 94, settings: styled("visit_duration", "duration"), showsZero: true })
]

const VISITS: Template = {
  name: "Visits",
  title: (noun) => `A look at your ${noun}`,
  description: "How many visits there are, how long they take, where they begin, and where they come from.",
  view: "v_pa_visits",
  of: null,
  subject: (context) => subjectOf(context, "v_pa_visits"),
  cards: (subject) => [
    ...totals(subject, ({ title }) => `Total ${title}`),
    ...lastDays(subject, recent(subject)),
    ...visitNumbers(subject),
    ...overTime(subject, `${subject.noun} over time`),
    ...overTime({ ...subject, metrics: [BOUNCE_RATE] }, "Bounce rate over time", 70),
    ...per(subject, "entry_path", "Where visits begin", 100),
    ...per(subject, "exit_path", "Where visits end", 96),
    ...others(subject, "entry_path", "exit_path"),
    ...perSeason(subject, 2)
  ]
}

/** The pages on which visits began, with how many of their visitors did something. */
const conversions = (context: XrayContext, goal: Clause, score: number): XrayCard => {
  const entry: Clause = ["field", "entry_path", { "source-field": "visit_id" }]
  return custom(
    subjectOf(context, "v_pa_events"),
    "Conversions per entry page",
    {
      filter: ["not-null", entry],
      aggregation: [
        ["metric", "conversions", { goal }],
        ["metric", "conversion-rate", { goal }],
        ["metric", "visitors"]
      ],
      breakout: [entry],
      "order-by": [["desc", ["aggregation", 0]]],
      limit: 10
    },
    { group: "pages", score, settings: styled("conversion_rate", "percent"), isAside: true }
  )
}

const isNamed = (name: string): Clause => ["and", ["=", "event_type", 2], ["=", "event_name", name]]

const EVENT: Template = {
  name: "Event",
  title: (_noun, value) => `A look at the event ${value}`,
  description: "How often it happens, who does it, on which pages, and what its properties are.",
  view: "v_pa_events",
  of: { view: "v_pa_events", column: "event_name" },
  subject: (context, value) =>
    subjectOf(context, "v_pa_events", {
      filter: isNamed(value),
      noun: value,
      hasProperty: ({ property, source }) => source === "attribute" || property?.event === value
    }),
  cards: (subject, value, context) => {
    const properties = subject.dimensions.filter(({ field }) => field.source === "property")
    const rest = subject.dimensions.filter(({ field }) => field.source !== "property")
    return [
      ...totals(subject, () => `Count of ${value}`),
      ...lastDays(subject, `${value} in the last 30 days`),
      numberOf(subject, VISITORS, { score: 98 }),
      ...overTime(subject, `${value} over time`),
      ...perDimension({ ...subject, dimensions: properties }).map((card) => ({ ...card, score: card.score + 20 })),
      ...properties
        .filter((dimension) => dimension.class === "number")
        .map((dimension) => numberSummary(subject, dimension, 90)),
      conversions(context, isNamed(value), 88),
      ...perDimension({ ...subject, dimensions: rest }),
      ...perSeason(subject, 2)
    ]
  }
}

/** The steps to or from a page. */
const steps = (context: XrayContext, path: string, way: "to" | "from"): XrayCard => {
  const [fixed, shown] = way === "from" ? ["source", "target"] : ["target", "source"]
  return custom(
    subjectOf(context, "v_pa_user_flows"),
    way === "from" ? "Where visitors go next" : "Where visitors come from",
    {
      filter: ["=", fixed!, path],
      aggregation: [named(["sum", "value"], "value", "Steps")],
      breakout: [shown!],
      "order-by": [["desc", ["aggregation", 0]]],
      limit: 10
    },
    { group: "pages", score: way === "from" ? 94 : 93, display: "row", isAside: true }
  )
}

const PATH: Template = {
  name: "Path",
  title: (_noun, value) => `A look at the page ${value}`,
  description: "How often it is viewed, by whom, what leads to it, and what happens next.",
  view: "v_pa_events",
  of: { view: "v_pa_events", column: "url_path" },
  subject: (context, value) =>
    subjectOf(context, "v_pa_events", {
      filter: ["and", PAGEVIEWS, ["=", "url_path", value]],
      noun: "Pageviews",
      hasProperty: isOfPages
    }),
  cards: (subject, value, context) => [
    ...totals(subject, () => "Total Pageviews"),
    ...lastDays(subject, "Pageviews in the last 30 days"),
    numberOf(subject, VISITORS, { score: 98 }),
    ...overTime(subject, "Pageviews over time"),
    steps(context, value, "to"),
    steps(context, value, "from"),
    custom(
      subjectOf(context, "v_pa_events"),
      "Events on this page",
      {
        filter: ["and", ["=", "event_type", 2], ["=", "url_path", value]],
        aggregation: [["count"], ["metric", "visitors"]],
        breakout: ["event_name"],
        "order-by": [["desc", ["aggregation", 0]]],
        limit: 10
      },
      { group: "pages", score: 90, isAside: true }
    ),
    ...perDimension(subject),
    ...perSeason(subject, 2)
  ]
}

/** An x-ray of the visits that have this value in a column of their own. */
const ofVisits = (
  fields: Pick<Template, "name" | "title" | "description"> & { readonly column: string }
): Template => ({
  ...fields,
  view: "v_pa_visits",
  of: { view: "v_pa_visits", column: fields.column },
  subject: (context, value) => subjectOf(context, "v_pa_visits", { filter: ["=", fields.column, value] }),
  cards: (subject, value, context) => [
    ...totals(subject, ({ title }) => `Total ${title}`),
    ...lastDays(subject, recent(subject)),
    ...visitNumbers(subject),
    ...overTime(subject, `${subject.noun} over time`),
    custom(
      subjectOf(context, "v_pa_events"),
      "What these visitors do",
      {
        filter: ["and", ["=", "event_type", 2], ["=", ["field", fields.column, { "source-field": "visit_id" }], value]],
        aggregation: [["count"], ["metric", "visitors"]],
        breakout: ["event_name"],
        "order-by": [["desc", ["aggregation", 0]]],
        limit: 10
      },
      { group: "pages", score: 92, isAside: true }
    ),
    ...perDimension(subject),
    ...perSeason(subject, 2)
  ]
})

const CAMPAIGN = ofVisits({
  name: "Campaign",
  column: "utm_campaign",
  title: (_noun, value) => `A look at the campaign ${value}`,
  description: "The visits that it brought, what they are like, and what they led to."
})

const COUNTRY = ofVisits({
  name: "Country",
  column: "country",
  title: (_noun, value) => `A look at the visits from ${value}`,
  description: "How many visits a country has, where in it they come from, and what they led to."
})

/** Every kind of x-ray of rows. */
export const TEMPLATES: ReadonlyArray<Template> = [
  EVENT_TABLE,
  GENERIC_TABLE,
  WEB_ANALYTICS,
  FUNNEL_FLOWS,
  VISITORS_AND_LOCATIONS,
  VISITS,
  EVENT,
  PATH,
  CAMPAIGN,
  COUNTRY
]

/** The x-ray of a view unless another one is asked for. */
export const templateOf = ({ entity, name }: View): Template => {
  if (name === "v_pa_visits") return VISITS
  return entity === "EventTable" ? EVENT_TABLE : GENERIC_TABLE
}

/** The x-rays that a view's own x-ray leads to. */
export const templatesFor = (view: View): ReadonlyArray<Template> =>
  TEMPLATES.filter((template) => template.view === view.name && template !== templateOf(view))
