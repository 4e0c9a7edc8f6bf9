import { FIELD_CONDITIONS, INTERVAL_CONDITIONS } from "../fql/conditions.ts"
import type { Clause, Query } from "../fql/schema.ts"
import { viewOf } from "../metadata/views.ts"
import { EXTRACTION_UNITS, TRUNCATION_UNITS, type TruncationUnit } from "../plan/plan.ts"

type Json = unknown
type Dimension = string | Clause

/** Metrics that the visits of a range know as well as its rows do. */
const METRICS: ReadonlySet<Json> = new Set([
  "visitors",
  "visits",
  "pageviews",
  "bounces",
  "bounce-rate",
  "total-time",
  "visit-duration",
  "views-per-visit"
])

const CONDITIONS: ReadonlySet<Json> = new Set(FIELD_CONDITIONS)

/** Conditions on the time that say which rows are read, and leave nothing to check in a row. */
const PERIODS: Readonly<Record<string, number>> = { "=": 1, "<": 1, "<=": 1, ">": 1, ">=": 1, between: 2 }
const INTERVALS: ReadonlySet<Json> = new Set(INTERVAL_CONDITIONS)

/** Parts of a time that are the same within an hour, and those that change within one; other parts are the same within a day. */
const PARTS_OF_HOURS: ReadonlySet<Json> = new Set(["hour-of-day"])
const PARTS_OF_MINUTES: ReadonlySet<Json> = new Set(["second-of-minute", "minute-of-hour"])

/** The question says something that the visits do not know. */
class Unknown extends Error {}

const isArray = (json: Json): json is ReadonlyArray<Json> => Array.isArray(json)

const EVENTS = new Set(viewOf("v_pa_events").columns.map(({ name }) => name))
const VISITORS = new Set(viewOf("v_pa_sessions").columns.map(({ name }) => name))

/** What a field of events is called among visits, if it is the same for all rows of a visit. */
const nameOf = (name: string): string => {
  if (name.startsWith("v_pa_visits.")) return name.slice("v_pa_visits.".length)
  if (name.startsWith("v_pa_sessions.") || name.startsWith("v_pa_sites.")) return name
  // Of events, too, it is the visit's.
  if (name === "channel") return name
  if (name === "site_id" || name === "session_id") return name
  if (VISITORS.has(name) && !EVENTS.has(name)) return `v_pa_sessions.${name}`
  throw new Unknown()
}

/** The unit of `["field", "created_at", {"temporal-unit": …}]`; null for anything else. */
const timeUnit = (dimension: Json): Json => {
  if (!isArray(dimension) || dimension[0] !== "field" || dimension[1] !== "created_at") return null
  const options = dimension[2] as Readonly<Record<string, Json>> | null | undefined
  return Object.keys(options ?? {}).join() === "temporal-unit" ? options!["temporal-unit"] : null
}

const VIEWS_BY_KEY: Readonly<Record<string, string>> = {
  visit_id: "v_pa_visits",
  session_id: "v_pa_sessions",
  site_id: "v_pa_sites"
}

/** A field that a foreign key of events leads to. */
const nameThrough = (key: Json, name: string): string => {
  const view = typeof key === "string" ? VIEWS_BY_KEY[key] : undefined
  if (view === undefined) throw new Unknown()
  return nameOf(name.startsWith(`${view}.`) ? name : `${view}.${name}`)
}

/** A unit or a part of the time at which a visit is present. */
const presentAt = (unit: Json): Clause => ["field", "present_at", { "temporal-unit": unit }]

const dimensionOf = (dimension: Json): Dimension => {
  if (typeof dimension === "string") return nameOf(dimension)
  if (!isArray(dimension)) throw new Unknown()
  const [kind, name, given] = dimension
  if (kind === "attr" || kind === "expression") return dimension as Clause
  if (kind !== "field" || typeof name !== "string") throw new Unknown()
  const { "source-field": key, ...options } = (given ?? {}) as Readonly<Record<string, Json>>
  const renamed = key === undefined ? nameOf(name) : nameThrough(key, name)
  return Object.keys(options).length === 0 ? ["field", renamed] : ["field", renamed, options]
}

/** A dimension of groups, which may be a time. */
const groupOf = (dimension: Json): Dimension => {
  const unit = timeUnit(dimension)
  return unit === null ? dimensionOf(dimension) : presentAt(unit)
}

/** Whether custom columns use the day of an event; the only thing they may say of its time. */
interface Custom {
  readonly expressions: Readonly<Record<string, Json>>
  readonly usesDay: boolean
}

const customOf = (given: Readonly<Record<string, Json>>): Custom => {
  let usesDay = false
  const renamed = (json: Json): Json => {
    if (!isArray(json)) return json
    const [name, ...args] = json
    if (name === "field" || name === "attr" || name === "prop") return dimensionOf(json)
    if (name === "date" && args.length === 1 && isTime(args[0])) {
      usesDay = true
      return ["date", ["field", "present_at"]]
    }
    const isNamed = CONDITIONS.has(name) && typeof args[0] === "string"
    return isNamed ? [name, dimensionOf(args[0]), ...args.slice(1).map(renamed)] : json.map(renamed)
  }
  const expressions = Object.fromEntries(Object.entries(given).map(([name, one]) => [name, renamed(one)]))
  return { expressions, usesDay }
}

/** `units`: gets the units of time that the condition is about. */
const conditionOf = (clause: Json, units: Array<Json>): Clause => {
  if (!isArray(clause)) throw new Unknown()
  const [name, ...args] = clause
  if (name === "and" || name === "or" || name === "not") return [name, ...args.map((one) => conditionOf(one, units))]
  if (!CONDITIONS.has(name) || args.slice(1).some(isArray)) throw new Unknown()
  const unit = timeUnit(args[0])
  if (unit !== null) units.push(unit)
  return [name as string, groupOf(args[0]), ...args.slice(1)]
}

/** Metrics that count nothing twice if a visit is in a group more than once, with its views of different times. */
const METRICS_OF_PARTS: ReadonlySet<Json> = new Set(["visitors", "pageviews"])

/** What a question says of the times at which visits are present. */
interface Times {
  /** The units and parts that it groups by. */
  readonly groups: ReadonlyArray<Json>
  /** Those of its conditions. */
  readonly conditions: ReadonlyArray<Json>
  readonly usesDay: boolean
}

/**
 * The longest unit within which all these units of time are the same, and the day if it is used. Visits of minutes would be no fewer than
 * their rows. A group of other units, such as Mondays, may hold several parts of a visit, and so may the times that meet a condition.
 */
const commonUnit = (
  { conditions, groups, usesDay }: Times,
  aggregation: ReadonlyArray<Clause>
): TruncationUnit | null => {
  const units = [...groups, ...conditions]
  const [first, ...others] = units
  if (first === undefined && !usesDay) return null
  if (units.some((unit) => unit === "minute" || PARTS_OF_MINUTES.has(unit))) throw new Unknown()
  const isUnit =
    conditions.length === 0 && TRUNCATION_UNITS.some((unit) => unit === first) && (first === "day" || !usesDay)
  if (isUnit && others.every((unit) => unit === first)) return first as TruncationUnit
  if (!aggregation.every(([name, metric]) => name === "metric" && METRICS_OF_PARTS.has(metric))) throw new Unknown()
  const all: ReadonlyArray<Json> = [...TRUNCATION_UNITS, ...EXTRACTION_UNITS]
  if (!units.every((unit) => all.includes(unit))) throw new Unknown()
  return units.some((unit) => unit === "hour" || PARTS_OF_HOURS.has(unit)) ? "hour" : "day"
}

const isTime = (field: Json): boolean =>
  field === "created_at" || (isArray(field) && field.length === 2 && field[1] === "created_at")

const topCondition = (clause: Clause, units: Array<Json>): Clause => {
  const [name, field, ...values] = clause
  if (name === "and") return [name, ...clause.slice(1).map((one) => topCondition(one as Clause, units))]
  if (!isTime(field)) return conditionOf(clause, units)
  const isPeriod = PERIODS[name] === values.length && values.every((value) => typeof value === "string")
  if (!isPeriod && !INTERVALS.has(name)) throw new Unknown()
  return [name, ["field", "started_at"], ...values]
}

const isMetric = (aggregation: Clause): boolean => {
  if (aggregation[0] === "metric") return METRICS.has(aggregation[1]) && aggregation[2] === undefined
  return (
    ["+", "-", "*", "/"].includes(aggregation[0]) &&
    aggregation.slice(1).every((one) => typeof one === "number" || (isArray(one) && isMetric(one as Clause)))
  )
}

type Ordering = NonNullable<Query["order-by"]>[number]

const orderOf = ([direction, by]: Ordering): Ordering =>
  isArray(by) && by[0] === "aggregation" ? [direction, by] : [direction, groupOf(by)]

/** The same question about events, without web vitals: they are no part of a visit, and make no group of their own. */
export const withoutVitals = (query: Query): Query => {
  const others: Clause = ["!=", "event_type", 5]
  return { ...query, filter: query.filter === undefined ? others : ["and", query.filter, others] }
}

/** A question about visits, which are split by `presence` if there is one. */
export interface VisitQuestion {
  readonly query: Query
  readonly presence: TruncationUnit | null
}

/**
 * The same question about visits, if it asks of events only what their visits know: how many there are, of how many visitors, with how many
 * views, how many bounce and how long they take; in groups, and under conditions, that all rows of a visit share. A visit has a fraction
 * of its rows' size, and a replica keeps visits ready. Null for other questions. For `strict` visits only. In groups by
 * time, a visit counts in each that it has a row in.
 */
export const visitsInsteadOfEvents = (query: Query): VisitQuestion | null => {
  const { aggregation = [], breakout = [], expressions, filter, having, joins } = query
  if (query.source !== "v_pa_events" || aggregation.length === 0 || !aggregation.every(isMetric)) return null
  if (having !== undefined || joins !== undefined) return null
  try {
    const order = query["order-by"]
    const custom = expressions === undefined ? null : customOf(expressions)
    const conditions: Array<Json> = []
    const kept = filter === undefined ? undefined : topCondition(filter, conditions)
    const groups = breakout.map(timeUnit).filter((unit) => unit !== null)
    const presence = commonUnit({ groups, conditions, usesDay: custom?.usesDay ?? false }, aggregation)
    // Several groups as one could hold several parts of a visit.
    if (presence !== null && query.settings?.other === true) return null
    return {
      presence,
      query: {
        ...query,
        source: "v_pa_visits",
        ...(custom !== null && { expressions: custom.expressions }),
        ...(kept !== undefined && { filter: kept }),
        breakout: breakout.map(groupOf),
        ...(order !== undefined && { "order-by": order.map(orderOf) })
      }
    }
  } catch (error) {
    if (error instanceof Unknown) return null
    throw error
  }
}
