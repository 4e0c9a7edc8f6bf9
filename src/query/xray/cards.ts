import type { VisualizationSettings } from "../../domain/content/Card.ts"
import type { Clause, Query } from "../fql/schema.ts"
import type { ExtractionUnit } from "../plan/plan.ts"
import { niceWidth } from "./bins.ts"
import { isCategory, type XrayDimension } from "./dimensions.ts"
import { type Metric, questionAbout, type Subject } from "./Subject.ts"

/** The headings of an x-ray, in their order. */
export const GROUPS = {
  summary: "Summary",
  time: "Over time",
  comparison: "Compared with the rest",
  pages: "Pages",
  location: "Where",
  categories: "Which",
  numbers: "Numbers",
  season: "When"
} as const
export type Group = keyof typeof GROUPS

/** A question that an x-ray may show. */
export interface XrayCard {
  readonly title: string
  readonly description: string | null
  readonly display: string
  readonly settings: VisualizationSettings
  readonly query: Query
  readonly group: Group
  /** The higher, the sooner it is shown. */
  readonly score: number
  /** Columns and rows of the grid. */
  readonly size: readonly [columns: number, rows: number]
  /** Whether the dashboard's date applies. */
  readonly isDated: boolean
  /** Whether it says nothing if all rows are in one group. */
  readonly needsGroups: boolean
  /** Whether 0 says something, as of a rate, which is null if there are no rows. */
  readonly showsZero: boolean
  /** Whether it is about other rows than the x-ray, which may exist when the x-ray's do not. */
  readonly isAside: boolean
}

type Details = Partial<Omit<XrayCard, "title" | "query" | "group" | "score">>

const card = (
  title: string,
  query: Query,
  { group, score, ...details }: Details & Pick<XrayCard, "group" | "score">
): XrayCard => ({
  title,
  query,
  group,
  score,
  description: null,
  display: "table",
  settings: {},
  size: [12, 6],
  isDated: true,
  needsGroups: false,
  showsZero: false,
  isAside: false,
  ...details
})

const NUMBER = { display: "scalar", size: [8, 3] } as const
const SERIES = { display: "line", size: [24, 6] } as const

const clausesOf = (metrics: ReadonlyArray<Metric>): ReadonlyArray<Clause> => metrics.map(({ clause }) => clause)
const LARGEST_FIRST: Query["order-by"] = [["desc", ["aggregation", 0]]]
/** Values of what may have many that are shown; the others are summed up. */
export const SHOWN_VALUES = 10
/** Groups of what has few values, should it have become more since they were counted. */
const MAX_GROUPS = 100

const FEW: ReadonlySet<XrayDimension["class"]> = new Set(["low", "category", "country"])

/** A named aggregation. */
export const named = (clause: Clause, name: string, title: string): Clause => [
  "aggregation-options",
  clause,
  { name, "display-name": title }
]

/** A field or a property of times, in units of time. */
export const inUnit = ([kind, name, options]: Clause, unit: string): Clause => [
  kind,
  name,
  { ...(options as object | undefined), "temporal-unit": unit }
]

/**
 * The parts of a question that show the values of a dimension: all of them if there are few, otherwise the most frequent ones, and the
 * others summed up.
 */
export const valuesOf = (
  { parts }: Subject,
  { class: found, clause, isText }: XrayDimension
): Pick<Query, "breakout" | "order-by" | "limit" | "settings"> => {
  const isFew = FEW.has(found)
  return {
    breakout: [clause],
    "order-by": LARGEST_FIRST,
    limit: isFew ? MAX_GROUPS : SHOWN_VALUES,
    ...(!isFew && isText && { settings: { ...parts.settings, other: true } })
  }
}

const scored = (score: number, dimension: XrayDimension): number => (score * dimension.score) / 100

/** One number for each metric. */
export const totals = (subject: Subject, title: (metric: Metric) => string, score = 100): ReadonlyArray<XrayCard> =>
  subject.metrics.map((metric, index) =>
    card(title(metric), questionAbout(subject, { aggregation: [metric.clause] }), {
      ...NUMBER,
      group: "summary",
      score: score - index,
      isDated: false
    })
  )

/** The number of the last 30 complete days, whatever date is chosen. */
export const lastDays = (subject: Subject, title: string): ReadonlyArray<XrayCard> =>
  subject.time === null
    ? []
    : [
        card(
          title,
          questionAbout(subject, {
            filter: ["time-interval", subject.time, -30, "day"],
            aggregation: [subject.metrics[0].clause]
          }),
          { ...NUMBER, group: "summary", score: 99, isDated: false }
        )
      ]

/** A number of the chosen dates. */
export const numberOf = (
  subject: Subject,
  metric: Metric,
  details: Pick<XrayCard, "score"> & Partial<Pick<XrayCard, "settings" | "showsZero">>
): XrayCard =>
  card(metric.title, questionAbout(subject, { aggregation: [metric.clause] }), {
    ...NUMBER,
    group: "summary",
    ...details
  })

export const overTime = (subject: Subject, title: string, score = 98): ReadonlyArray<XrayCard> =>
  subject.time === null
    ? []
    : [
        card(
          title,
          questionAbout(subject, {
            aggregation: clausesOf(subject.metrics),
            breakout: [inUnit(subject.time, subject.unit)]
          }),
          { ...SERIES, group: "time", score }
        )
      ]

/** The number of the last bucket, and how it changed from the one before. */
export const growth = (subject: Subject, title: string): ReadonlyArray<XrayCard> =>
  subject.time === null
    ? []
    : [
        card(
          title,
          questionAbout(subject, {
            aggregation: [subject.metrics[0].clause],
            breakout: [inUnit(subject.time, subject.unit)]
          }),
          { ...NUMBER, display: "smartscalar", group: "summary", score: 97 }
        )
      ]

const DISPLAYS: Readonly<Partial<Record<XrayDimension["class"], string>>> = { low: "pie", country: "map", url: "table" }
const groupOfDimension = (dimension: XrayDimension): Group => {
  const { class: found } = dimension
  if (found === "country" || found === "state" || found === "city") return "location"
  return found === "url" || found === "name" ? "pages" : "categories"
}

const mapSettings = (subject: Subject, { field }: XrayDimension): VisualizationSettings => ({
  "map.type": "region",
  "map.region": "world_countries",
  "map.dimension": field.name,
  "map.metric": metricColumn(subject.metrics[0].clause)
})

/** The name of a metric's column in an answer. */
const metricColumn = ([kind, first, options]: Clause): string => {
  if (kind === "aggregation-options") return String((options as { readonly name?: unknown }).name)
  return kind === "metric" ? String(first).replaceAll("-", "_") : kind.replaceAll("-", "_")
}

/** A card about the values of a dimension. A map shows one number; what is compared is drawn as bars. */
export const perValue = (
  subject: Subject,
  dimension: XrayDimension,
  { score, title }: { readonly title: string; readonly score: number }
): XrayCard => {
  const isMap = dimension.class === "country" && subject.metrics.length === 1
  const display = subject.metrics.length > 1 ? "bar" : (DISPLAYS[dimension.class] ?? "row")
  return card(
    title,
    questionAbout(subject, {
      ...valuesOf(subject, dimension),
      aggregation: clausesOf(subject.metrics)
    }),
    {
      display,
      group: groupOfDimension(dimension),
      score: scored(score, dimension),
      size: isMap ? [12, 8] : [12, 6],
      settings: isMap ? mapSettings(subject, dimension) : {},
      needsGroups: true
    }
  )
}

const SEASONS: ReadonlyArray<readonly [unit: ExtractionUnit, title: string, score: number]> = [
  ["day-of-week", "day of the week", 60],
  ["hour-of-day", "hour of the day", 58],
  ["day-of-month", "day of the month", 34],
  ["month-of-year", "month of the year", 32],
  ["quarter-of-year", "quarter of the year", 30]
]

/** Parts of the week, day, month and year. */
export const perSeason = (subject: Subject, most: number = SEASONS.length): ReadonlyArray<XrayCard> =>
  subject.time === null
    ? []
    : SEASONS.slice(0, most).map(([unit, title, score]) =>
        card(
          `${subject.noun} per ${title}`,
          questionAbout(subject, {
            aggregation: clausesOf(subject.metrics),
            breakout: [inUnit(subject.time!, unit)]
          }),
          { display: "bar", group: "season", score, needsGroups: true }
        )
      )

/** The smallest and largest number of a sample; null if they are not known. */
const boundsOf = ({ field }: XrayDimension) => {
  const { max, min } = field.fingerprint?.type?.["type/Number"] ?? {}
  return typeof min === "number" && typeof max === "number" ? { min, max, isWhole: field.type === "integer" } : null
}

/** A histogram of a number; null if its bounds are not known. */
export const histogram = (subject: Subject, dimension: XrayDimension, score = 45): XrayCard | null => {
  const bounds = boundsOf(dimension)
  const width = bounds === null ? null : niceWidth(bounds)
  if (width === null) return null
  const [kind, name, options] = dimension.clause
  const bins = [
    kind,
    name,
    { ...(options as object | undefined), binning: { strategy: "bin-width", "bin-width": width } }
  ]
  return card(
    `How ${dimension.title} is distributed`,
    questionAbout(subject, {
      filter: ["not-null", dimension.clause],
      aggregation: clausesOf(subject.metrics),
      breakout: [bins as unknown as Clause]
    }),
    { display: "bar", group: "numbers", score: scored(score, dimension), needsGroups: true }
  )
}

/** Count, mean, quartiles and bounds of a number, in one row. */
export const numberSummary = (subject: Subject, dimension: XrayDimension, score: number): XrayCard => {
  const { clause } = dimension
  return card(
    `${dimension.title} in numbers`,
    questionAbout(subject, {
      filter: ["not-null", clause],
      aggregation: [
        named(["count", clause], "values", "Values"),
        named(["min", clause], "min", "Minimum"),
        named(["percentile", clause, 0.25], "q1", "Lower quartile"),
        named(["median", clause], "median", "Median"),
        named(["avg", clause], "avg", "Average"),
        named(["percentile", clause, 0.75], "q3", "Upper quartile"),
        named(["max", clause], "max", "Maximum")
      ]
    }),
    { group: "numbers", score, size: [24, 3] }
  )
}

const OTHER = "Other"

/** A name for a custom column that the subject's question does not use. */
const freeName = (subject: Subject, name: string): string =>
  Object.hasOwn(subject.parts.expressions ?? {}, name) ? freeName(subject, `${name} (x-ray)`) : name

/** A column with the values of a dimension, of which a large one has only the most frequent, and "Other" for the rest. */
const columnOf = (
  subject: Subject,
  { class: found, clause, title: given, top }: XrayDimension
): { readonly expressions?: Query["expressions"]; readonly by: Clause } => {
  if (FEW.has(found) || top.length < SHOWN_VALUES) return { by: clause }
  const title = freeName(subject, given)
  // Rows without a value stay a group of their own.
  const isShown: Clause = ["=", clause, ...top.slice(0, SHOWN_VALUES), null]
  return { expressions: { [title]: ["case", [[isShown, clause]], { default: OTHER }] }, by: ["expression", title] }
}

/** The shares of a dimension's values on two sides, each a bar of 100 %. Which values are shown is the same on both. */
export const sharesOf = (
  subject: Subject,
  dimension: XrayDimension,
  side: { readonly expression: unknown; readonly score: number }
): XrayCard => {
  const { by, expressions } = columnOf(subject, dimension)
  const column = freeName(subject, "Compared")
  return card(
    `${dimension.title}, compared with the rest`,
    questionAbout(subject, {
      expressions: { ...expressions, [column]: side.expression },
      aggregation: [subject.metrics[0].clause],
      breakout: [["expression", column], by]
    }),
    {
      display: "bar",
      settings: { "stackable.stack_type": "normalized" },
      group: "comparison",
      score: side.score,
      needsGroups: true
    }
  )
}

/** A card that is written out. */
export const custom = (
  subject: Subject,
  title: string,
  parts: Omit<Query, "fql" | "type" | "source">,
  details: Details & Pick<XrayCard, "group" | "score">
): XrayCard => card(title, questionAbout(subject, parts), details)

/** A card about the most frequent values of a dimension in each bucket of time. */
export const valuesOverTime = (subject: Subject, dimension: XrayDimension, score: number): ReadonlyArray<XrayCard> => {
  const values = dimension.top.slice(0, TOP_OVER_TIME)
  if (subject.time === null || (dimension.isText && values.length < 2)) return []
  return [
    card(
      `${dimension.title} over time`,
      questionAbout(subject, {
        ...(dimension.isText && { filter: ["=", dimension.clause, ...values] }),
        aggregation: [subject.metrics[0].clause],
        breakout: [inUnit(subject.time, subject.unit), dimension.clause]
      }),
      { ...SERIES, display: "area", settings: { "stackable.stack_type": "stacked" }, group: "time", score }
    )
  ]
}

const TOP_OVER_TIME = 5

/** The cards about a view's rows that do not depend on what they are: places, categories, numbers, times. */
export const perDimension = (subject: Subject): ReadonlyArray<XrayCard> =>
  subject.dimensions.flatMap((dimension) => {
    const title = `${subject.noun} per ${dimension.title}`
    if (dimension.class === "number") return histogram(subject, dimension) ?? []
    if (dimension.class === "timestamp") return []
    const score = isCategory(dimension) ? 75 : 85
    return perValue(subject, dimension, { title, score })
  })
