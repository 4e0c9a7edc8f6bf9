import type { Clause } from "../fql/schema.ts"
import {
  custom,
  histogram,
  inUnit,
  named,
  numberSummary,
  overTime,
  perSeason,
  perValue,
  SHOWN_VALUES,
  valuesOf,
  valuesOverTime,
  type XrayCard
} from "./cards.ts"
import type { XrayDimension } from "./dimensions.ts"
import { type Metric, questionAbout, type Subject } from "./Subject.ts"

/** The column with the time at which a value first occurred. */
export const FIRST_SEEN = "first_seen"

const number = (subject: Subject, dimension: XrayDimension): ReadonlyArray<XrayCard> => {
  const average: Metric = { clause: ["avg", dimension.clause], title: `Average ${dimension.title}` }
  const averaged: Subject = { ...subject, noun: average.title, metrics: [average] }
  const bars = histogram(subject, dimension, 120)
  return [
    numberSummary(subject, dimension, 100),
    ...(bars === null ? [] : [bars]),
    ...overTime(averaged, `${average.title} over time`, 94),
    ...subject.dimensions
      .map((one) => perValue(averaged, one, { title: `${average.title} per ${one.title}`, score: 90 }))
      .filter((_, index) => isPlaceOrCategory(subject.dimensions[index]!))
  ]
}

const isPlaceOrCategory = ({ class: found }: XrayDimension): boolean =>
  found === "low" || found === "category" || found === "large" || found === "country"

const missing = (subject: Subject, { clause, title }: XrayDimension): XrayCard =>
  custom(
    subject,
    `${subject.noun} without ${title}`,
    { aggregation: [named(["share", ["is-null", clause]], "share", `Without ${title}`)] },
    {
      display: "scalar",
      size: [8, 3],
      group: "summary",
      score: 70,
      showsZero: true,
      settings: { column_settings: { '["name","share"]': { number_style: "percent" } } }
    }
  )

const category = (subject: Subject, dimension: XrayDimension): ReadonlyArray<XrayCard> => {
  const top = perValue(subject, dimension, { title: `${subject.noun} per ${dimension.title}`, score: 100 })
  return [
    { ...top, score: 100, display: top.display === "map" ? "map" : "row" },
    custom(
      subject,
      `Share of each ${dimension.title}`,
      {
        ...valuesOf(subject, dimension),
        aggregation: [subject.metrics[0].clause]
      },
      { display: "pie", group: "categories", score: 76, needsGroups: true }
    ),
    ...valuesOverTime(subject, dimension, 75),
    missing(subject, dimension)
  ]
}

/** How many values occurred for the first time in each unit of time. */
const newValues = (subject: Subject, { clause, title }: XrayDimension): ReadonlyArray<XrayCard> => {
  if (subject.time === null) return []
  const firsts = questionAbout(subject, {
    filter: ["not-null", clause],
    aggregation: [named(["min", subject.time], FIRST_SEEN, "First seen")],
    breakout: [clause]
  })
  const card = custom(
    subject,
    `New values of ${title} per ${subject.unit}`,
    {},
    { display: "bar", group: "time", score: 80, size: [24, 6] }
  )
  return [
    {
      ...card,
      query: {
        fql: 1,
        type: "query",
        source: { query: firsts },
        aggregation: [["count"]],
        breakout: [inUnit(["field", FIRST_SEEN], subject.unit)]
      }
    }
  ]
}

const text = (subject: Subject, dimension: XrayDimension): ReadonlyArray<XrayCard> => {
  const { clause, title } = dimension
  const length: Clause = ["expression", "Length"]
  return [
    custom(
      subject,
      `Most frequent values of ${title}`,
      {
        aggregation: [subject.metrics[0].clause],
        breakout: [clause],
        "order-by": [["desc", ["aggregation", 0]]],
        limit: SHOWN_VALUES
      },
      { group: "pages", score: 100 }
    ),
    ...newValues(subject, dimension),
    custom(
      subject,
      `Length of ${title}`,
      {
        expressions: { Length: ["length", clause] },
        filter: ["not-null", clause],
        aggregation: [
          named(["distinct", clause], "values", "Different values"),
          named(["min", length], "min", "Shortest"),
          named(["avg", length], "avg", "Average length"),
          named(["max", length], "max", "Longest")
        ]
      },
      { group: "numbers", score: 78, size: [24, 3] }
    ),
    missing(subject, dimension)
  ]
}

/** The cards about one field. A time is the time of its subject. */
export const fieldCards = (subject: Subject, dimension: XrayDimension): ReadonlyArray<XrayCard> => {
  switch (dimension.class) {
    case "number":
      return number(subject, dimension)
    case "timestamp": {
      const dated: Subject = { ...subject, time: dimension.clause }
      return [...overTime(dated, `${subject.noun} over time, by ${dimension.title}`), ...perSeason(dated, 2)]
    }
    case "url":
    case "name":
      return text(subject, dimension)
    default:
      return category(subject, dimension)
  }
}
