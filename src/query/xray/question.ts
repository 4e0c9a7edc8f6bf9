import { type Clause, isClause, type Query } from "../fql/schema.ts"
import { findView, type View, type ViewName } from "../metadata/views.ts"
import type { TruncationUnit } from "../plan/plan.ts"
import { lastDays, overTime, perDimension, perSeason, totals, type XrayCard } from "./cards.ts"
import { DEFAULT_DATE, daysOf, unitFor, unitOfDate } from "./period.ts"
import type { Metric, Subject } from "./Subject.ts"
import { subjectOf, type XrayContext } from "./templates.ts"

/** The conditions that must all hold. */
const conditions = (filter: Clause | undefined): ReadonlyArray<Clause> => {
  if (filter === undefined) return []
  return filter[0] === "and" ? filter.slice(1).filter(isClause).flatMap(conditions) : [filter]
}

/** The name of the field that a condition is about; null if it is about something else. */
const fieldOf = (operand: unknown): string | null => {
  const name = isClause(operand) && operand[0] === "field" ? operand[1] : operand
  return typeof name === "string" ? name.split(".").at(-1)! : null
}

/** The view of a question; null if it is built on another question, whose columns say too little. */
export const viewOfQuestion = ({ source }: Query): View | null =>
  typeof source === "string" ? (findView(source) ?? null) : null

/** The site that a question names, if it names exactly one. */
export const siteOfQuestion = ({ filter }: Query, view: View): string | null => {
  const named = conditions(filter).find(([name, operand]) => name === "=" && fieldOf(operand) === view.site)
  return named !== undefined && named.length === 3 && typeof named[2] === "string" ? named[2].toLowerCase() : null
}

/** The conditions on the time of the view's rows. */
const timesOf = ({ filter }: Query, { time }: View): ReadonlyArray<Clause> =>
  time === null ? [] : conditions(filter).filter(([, operand]) => fieldOf(operand) === time)

/** The date that an x-ray of a question begins with, and its unit: a question that says its time itself keeps it. */
export const periodOfQuestion = (
  query: Query,
  view: View,
  given: string | null
): { readonly date: string; readonly unit: TruncationUnit } => {
  const times = timesOf(query, view)
  const [own] = times
  if (given !== null || own === undefined) {
    const date = given ?? DEFAULT_DATE
    return { date, unit: unitOfDate(date) ?? "day" }
  }
  return { date: "all", unit: unitFor(times.length === 1 ? daysOf(own) : null) }
}

/** Metrics of one x-ray. */
const MAX_METRICS = 3

/** Whether an aggregation needs the order of its groups, so that it means nothing in other groups. */
const isOrdered = (aggregation: unknown): boolean =>
  Array.isArray(aggregation) &&
  (["cum-count", "cum-sum", "offset"].includes(aggregation[0]) || aggregation.slice(1).some(isOrdered))

/** The numbers that a question computes, with the titles of their columns. */
const metricsOf = (query: Query, titles: ReadonlyArray<string>): ReadonlyArray<Metric> =>
  (query.aggregation ?? [])
    .map((clause, index) => ({ clause, title: titles[index] ?? String(clause[0]) }))
    .filter(({ clause }) => !isOrdered(clause))
    .slice(0, MAX_METRICS)

/** The event whose properties describe a question's rows; null if it asks about several. */
const eventOf = ({ filter }: Query): string | null => {
  const named = conditions(filter).find(([name, operand]) => name === "=" && fieldOf(operand) === "event_name")
  return named !== undefined && named.length === 3 && typeof named[2] === "string" ? named[2] : null
}

/** Each card says on its own whether it sums up other groups. */
const withoutOther = ({ other: _, ...settings }: NonNullable<Query["settings"]>) => settings

/** What an x-ray of a question is about. `titles` are those of its aggregations. */
export const subjectOfQuestion = (context: XrayContext, query: Query, titles: ReadonlyArray<string>): Subject => {
  const { compat, expressions, filter, joins, settings, source } = query
  const event = eventOf(query)
  const subject = subjectOf(context, source as ViewName, {
    ...(filter !== undefined && { filter }),
    hasProperty: ({ property, source: kind }) => kind === "attribute" || (event !== null && property?.event === event)
  })
  const [first, ...more] = metricsOf(query, titles)
  return {
    ...subject,
    metrics: first === undefined ? subject.metrics : [first, ...more],
    noun: first !== undefined && first.clause[0] !== "count" && more.length === 0 ? first.title : subject.noun,
    parts: {
      ...(compat !== undefined && { compat }),
      ...(expressions !== undefined && { expressions }),
      ...(joins !== undefined && { joins }),
      ...(settings !== undefined && { settings: withoutOther(settings) })
    }
  }
}

/** The cards about a question: its numbers, over time, and in groups. */
export const questionCards = (subject: Subject, query: Query): ReadonlyArray<XrayCard> => [
  ...totals(subject, ({ title }) => `Total ${title}`),
  ...(timesOf(query, subject.view).length === 0
    ? lastDays(subject, `${subject.metrics[0].title} in the last 30 days`)
    : []),
  ...overTime(subject, `${subject.noun} over time`),
  ...perDimension(subject),
  ...perSeason(subject)
]
