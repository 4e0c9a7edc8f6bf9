import { NOT_VIEWS } from "../../domain/Event.ts"
import { below, FqlError } from "../fql/FqlError.ts"
import { didYouMean } from "../fql/suggest.ts"
import { call, columnOf, type Expression, type Relation, value } from "../plan/plan.ts"
import { type Grouping, ratio } from "./aggregations.ts"
import { resolveFilter } from "./filters.ts"
import { type Labeled, plainLabel, type SelectScope } from "./SelectScope.ts"

/** Numbers with a definition of their own, the only way to ask for visits and bounces per group: label, semantic type and unit. */
const LABELS = {
  visitors: ["Visitors", "Quantity", null],
  visits: ["Visits", "Quantity", null],
  pageviews: ["Pageviews", "Quantity", null],
  events: ["Events", "Quantity", null],
  bounces: ["Bounces", "Quantity", null],
  "bounce-rate": ["Bounce rate", "Percentage", null],
  "total-time": ["Total time", "Duration", "s"],
  "visit-duration": ["Visit duration", "Duration", "s"],
  "views-per-visit": ["Views per visit", null, null],
  entries: ["Entries", "Quantity", null],
  exits: ["Exits", "Quantity", null],
  conversions: ["Conversions", "Quantity", null],
  "conversion-rate": ["Conversion rate", "Percentage", null],
  revenue: ["Revenue", "Income", null],
  arpu: ["Revenue per visitor", "Income", null]
} as const satisfies Readonly<
  Record<string, readonly [display: string, semantic: Labeled["label"]["semantic"], unit: string | null]>
>
export type Metric = keyof typeof LABELS
const METRICS = Object.keys(LABELS) as ReadonlyArray<Metric>

/** Columns of the distinct visits of each group, which the metrics of visits count. */
export const VISIT = { bounce: "v0", duration: "v1", entry: "v2", exit: "v3", id: "v4" } as const

type Options = Readonly<Record<string, unknown>>

interface Request {
  readonly grouping: Grouping
  readonly metric: Metric
  readonly options: Options
  readonly pointer: string
}

const aggregate = (
  name: "count" | "sum" | "distinct",
  of: Expression | null,
  where: Expression | null,
  type: "integer" | "decimal" = "integer"
): Expression => ({
  kind: "aggregate",
  name,
  of,
  where,
  type
})

const boolean = (name: Parameters<typeof call>[0], ...args: ReadonlyArray<Expression>) => call(name, "boolean", ...args)
const typeIs = (rows: SelectScope, types: ReadonlyArray<number>): Expression => ({
  kind: "in",
  of: columnOf(rows.from, "event_type", "integer"),
  values: types
})

/** Rows that count as views: everything but custom events and web vitals. */
export const isView = (rows: SelectScope): Expression => boolean("not", typeIs(rows, NOT_VIEWS))

const perRow = (
  given: Request,
  key: string,
  make: (rows: SelectScope) => Expression,
  type: "integer" | "decimal" = "integer"
): Expression => {
  // Made at once, so that what it needs of the rows is joined before they are grouped.
  const expression = make(given.grouping.rows)
  return given.grouping.leaf(`metric ${key}`, "rows", type, () => expression)
}

const perVisit = (given: Request, key: string, make: (visits: Relation) => Expression): Expression =>
  given.grouping.leaf(`metric ${key}`, "visits", "integer", (_scope, visits) => make(visits!))

const visitFlag = (visits: Relation, name: keyof typeof VISIT): Expression => columnOf(visits, VISIT[name], "boolean")

/** The visitor, or the person if the operator's ids are to be used. */
const visitorOf = (given: Request, rows: SelectScope): Expression => {
  const session = rows.visitor(given.pointer)
  if (given.options["by"] === undefined || given.options["by"] === "session") return session
  if (given.options["by"] !== "distinct-id") {
    throw new FqlError("bad-ast", below(given.pointer, 2), '`by` is "session" or "distinct-id".')
  }
  return call("coalesce", "text", rows.field("distinct_id", given.pointer).expression, call("to-text", "text", session))
}

const visitors = (given: Request): Expression =>
  perRow(given, `visitors ${JSON.stringify(given.options["by"] ?? null)}`, (rows) => {
    if (rows.view?.name !== "v_pa_events") return aggregate("distinct", visitorOf(given, rows), null)
    const counted = rows.build.compat === "umami" ? isView(rows) : boolean("not", typeIs(rows, [5]))
    return aggregate("distinct", visitorOf(given, rows), counted)
  })

const everyone = (given: Request): Expression =>
  perRow(given, "everyone", (rows) => aggregate("distinct", visitorOf({ ...given, options: {} }, rows), null))

/** A number over visits, whether the source is events or the visits themselves. */
const overVisits = (
  given: Request,
  key: string,
  ofVisit: (visits: Relation) => Expression,
  ofRow: (rows: SelectScope) => Expression
): Expression =>
  given.grouping.rows.view?.name === "v_pa_visits" ? perRow(given, key, ofRow) : perVisit(given, key, ofVisit)

const entered = (given: Request, visits: Relation): Expression | null =>
  given.grouping.page !== null && given.grouping.rows.build.compat === "strict" ? visitFlag(visits, "entry") : null

const also = (condition: Expression, other: Expression | null): Expression =>
  other === null ? condition : boolean("and", condition, other)

/** In Umami's reading, a visit that two visitors share is one. */
const countVisits = (given: Request, visits: Relation, where: Expression | null): Expression =>
  given.grouping.rows.build.compat === "umami" && where === null
    ? aggregate("distinct", columnOf(visits, VISIT.id, "uuid"), null)
    : aggregate("count", null, where)

const visits = (given: Request): Expression =>
  overVisits(
    given,
    "visits",
    (all) => countVisits(given, all, null),
    () => aggregate("count", null, null)
  )

/** The visits whose bounces and time are those of the group. */
const counted = (given: Request): Expression =>
  given.grouping.page !== null && given.grouping.rows.build.compat === "strict" ? entries(given) : visits(given)

const field = (rows: SelectScope, name: string): Expression => rows.field(name, "").expression

const bounces = (given: Request): Expression =>
  overVisits(
    given,
    "bounces",
    (all) => aggregate("count", null, also(visitFlag(all, "bounce"), entered(given, all))),
    (rows) => aggregate("count", null, field(rows, "is_bounce"))
  )

const totalTime = (given: Request): Expression =>
  overVisits(
    given,
    "total-time",
    (all) => aggregate("sum", columnOf(all, VISIT.duration, "integer"), entered(given, all)),
    (rows) => aggregate("sum", field(rows, "duration_s"), null)
  )

const ends = (given: Request, end: "entry" | "exit"): Expression =>
  overVisits(
    given,
    end,
    (all) => aggregate("count", null, visitFlag(all, end)),
    (rows) => aggregate("count", null, boolean("not", boolean("is-null", field(rows, `${end}_path`))))
  )
const entries = (given: Request): Expression => ends(given, "entry")

const pageviews = (given: Request): Expression =>
  perRow(given, "pageviews", (rows) =>
    rows.view?.name === "v_pa_visits"
      ? aggregate("sum", field(rows, rows.build.presence === null ? "pageviews" : "present_pageviews"), null)
      : aggregate("count", null, isView(rows))
  )

const events = (given: Request): Expression =>
  perRow(given, "events", (rows) =>
    rows.view?.name === "v_pa_visits"
      ? aggregate("sum", field(rows, "events"), null)
      : aggregate("count", null, typeIs(rows, [2]))
  )

const conversions = (given: Request): Expression => {
  const { goal } = given.options
  if (goal === undefined) {
    throw new FqlError(
      "bad-ast",
      given.pointer,
      `Say what converts, as in ["metric", "${given.metric}", {"goal": ["=", "event_name", "signup"]}].`
    )
  }
  return perRow(given, `conversions ${JSON.stringify(goal)}`, (rows) =>
    aggregate(
      "distinct",
      visitorOf({ ...given, options: {} }, rows),
      resolveFilter(rows, goal, below(given.pointer, 2, "goal"))
    )
  )
}

/** Amounts of different currencies are never added. */
const revenue = (given: Request): Expression => {
  const currency = given.options["currency"] ?? siteCurrency(given)
  if (typeof currency !== "string") {
    throw new FqlError(
      "several-currencies",
      given.pointer,
      'The sites have different currencies: say which, as in ["metric", "revenue", {"currency": "EUR"}].'
    )
  }
  return perRow(
    given,
    `revenue ${currency}`,
    (rows) =>
      aggregate(
        "sum",
        field(rows, "revenue"),
        { kind: "in", of: field(rows, "currency"), values: [currency.toUpperCase()] },
        "decimal"
      ),
    "decimal"
  )
}

const siteCurrency = ({ grouping }: Request): string | null => {
  const { build, rows } = grouping.rows
  const sites = build.context.sites.filter(({ id }) => rows.sites === null || rows.sites.includes(id))
  const currencies = new Set(sites.map(({ currency }) => currency))
  return currencies.size === 1 ? [...currencies][0]! : null
}

/** A sum that is 0 without rows. */
const orZero =
  (make: (given: Request) => Expression) =>
  (given: Request): Expression =>
    call("coalesce", "integer", make(given), value("integer", 0))

const MAKERS: Readonly<Record<Metric, (given: Request) => Expression>> = {
  visitors,
  visits,
  pageviews: orZero(pageviews),
  events: orZero(events),
  bounces,
  "bounce-rate": (given) => ratio(bounces(given), counted(given)),
  "total-time": orZero(totalTime),
  "visit-duration": (given) => ratio(totalTime(given), counted(given)),
  "views-per-visit": (given) => ratio(pageviews(given), visits(given)),
  entries,
  exits: (given) => ends(given, "exit"),
  conversions,
  "conversion-rate": (given) => ratio(conversions(given), everyone(given)),
  revenue,
  arpu: (given) => ratio(revenue(given), everyone(given))
}

/** Metrics that sources other than events have. */
const SOURCES: Readonly<Record<string, ReadonlyArray<Metric>>> = {
  v_pa_events: METRICS,
  v_pa_visits: [
    "visitors",
    "visits",
    "pageviews",
    "events",
    "bounces",
    "bounce-rate",
    "total-time",
    "visit-duration",
    "views-per-visit",
    "entries",
    "exits"
  ],
  v_pa_sessions: ["visitors"]
}

const OPTIONS: ReadonlyArray<string> = ["by", "goal", "currency"]

/** `["metric", "visitors"]`, with options for some. */
export const metricOf = (grouping: Grouping, args: ReadonlyArray<unknown>, pointer: string): Labeled => {
  const [name, options = {}, ...more] = args
  const metric = METRICS.find((one) => one === name)
  if (metric === undefined) {
    throw new FqlError(
      "bad-ast",
      below(pointer, 1),
      `There is no metric ${JSON.stringify(name) ?? ""}: use ${METRICS.join(", ")}.${typeof name === "string" ? didYouMean(name, METRICS) : ""}`
    )
  }
  if (
    more.length > 0 ||
    typeof options !== "object" ||
    options === null ||
    Array.isArray(options) ||
    Object.keys(options).some((key) => !OPTIONS.includes(key))
  ) {
    throw new FqlError("bad-ast", below(pointer, 2), `The options of a metric are ${OPTIONS.join(", ")}.`)
  }
  const source = grouping.rows.view?.name
  if (source === undefined || SOURCES[source]?.includes(metric) !== true) {
    throw new FqlError(
      "bad-ast",
      pointer,
      `The metric \`${metric}\` needs the source v_pa_events${SOURCES["v_pa_visits"]!.includes(metric) ? " or v_pa_visits" : ""}.`
    )
  }
  const [display, semantic, unit] = LABELS[metric]
  return {
    expression: MAKERS[metric]({ grouping, metric, options: options as Options, pointer }),
    label: { ...plainLabel(metric.replaceAll("-", "_"), display), semantic, unit }
  }
}

/** Whole seconds between two times. */
export const secondsBetween = (first: Expression, last: Expression): Expression =>
  call("seconds-between", "integer", first, last, value("integer", 1))
