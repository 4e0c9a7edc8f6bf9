import type { Answer, Cell } from "../answer.ts"
import type { Clause } from "../fql/schema.ts"
import { named, overTime, perDimension, perSeason, sharesOf, totals, type XrayCard } from "./cards.ts"
import { namesIn } from "./cellFilter.ts"
import { isGrouping, type XrayDimension } from "./dimensions.ts"
import { both, type Metric, type Subject } from "./Subject.ts"

/** The sides of a comparison, as they are called in answers. */
export const SELECTED = "Selected"
export const REST = "The rest"

/** Rows with a value, on both sides together, below which a difference may be chance. */
export const MIN_ROWS = 30

/** How often a value occurs among the selected rows, compared with the rest. */
export interface Difference {
  /** The title of the field. */
  readonly field: string
  readonly value: Cell
  /** Of the selected rows, 0 to 1. */
  readonly share: number
  /** Of the rest, 0 to 1. */
  readonly rest: number
  /** By which part the share is larger (0.5) or smaller (-0.5) than the rest's; null if no row of the rest has the value. */
  readonly lift: number | null
  /** Rows with the value, on both sides. */
  readonly n: number
}

/** How much a difference counts: what the rest lacks counts most. Of equal ones, that with more rows. */
export const byDifference = (a: Difference, b: Difference): number => liftOf([b]) - liftOf([a]) || b.n - a.n

/** The values whose shares differ, the most different first, of the answer to a card of {@link sharesOf}. */
export const differencesIn = (field: string, { data }: Answer): ReadonlyArray<Difference> => {
  const counts = new Map<Cell, { selected: number; rest: number }>()
  const total = { selected: 0, rest: 0 }
  for (const [side, value = null, count] of data.rows) {
    const key = side === SELECTED ? "selected" : "rest"
    const found = counts.get(value) ?? { selected: 0, rest: 0 }
    counts.set(value, { ...found, [key]: found[key] + Number(count) })
    total[key] += Number(count)
  }
  if (total.selected < MIN_ROWS || total.rest < MIN_ROWS) return []
  const differences = [...counts].flatMap(([value, { rest, selected }]): ReadonlyArray<Difference> => {
    const n = selected + rest
    if (n < MIN_ROWS) return []
    const shares = { share: selected / total.selected, rest: rest / total.rest }
    return [{ field, value, ...shares, lift: rest === 0 ? null : shares.share / shares.rest - 1, n }]
  })
  return differences.toSorted(byDifference)
}

/** How much the most different value of a field differs; 0: not enough rows. */
export const liftOf = (differences: ReadonlyArray<Difference>): number => {
  const [first] = differences
  return first === undefined ? 0 : Math.abs(first.lift ?? Number.MAX_VALUE)
}

/** Counts the rows that meet a condition, as a column of this name; all rows if there is none. */
const side = (clause: Clause | null, name: string, title: string): Metric => ({
  clause: named(clause === null ? ["count"] : ["count-where", clause], name, title),
  title
})

const PLACES: ReadonlyArray<XrayDimension["class"]> = ["country", "state", "city"]

/** Whether a place is within one that a condition fixes: cities of a country differ from those of the others, of course. */
const isBelow = (
  found: XrayDimension["class"],
  dimensions: ReadonlyArray<XrayDimension>,
  fixed: ReadonlySet<string>
): boolean =>
  dimensions.some(
    (outer) =>
      fixed.has(outer.field.name) &&
      PLACES.indexOf(outer.class) >= 0 &&
      PLACES.indexOf(outer.class) < PLACES.indexOf(found)
  )

/** The x-ray of a clicked point: its rows next to the rest, and how the shares of each category differ. */
export const cellCards = (subject: Subject, cell: Clause): ReadonlyArray<XrayCard> => {
  const fixed = namesIn(cell)
  const isDecided = ({ class: found, field }: XrayDimension): boolean =>
    fixed.has(field.name) || isBelow(found, subject.dimensions, fixed)
  const selected: Subject = { ...subject, filter: both(subject.filter, cell) }
  const sides: Subject = {
    ...subject,
    metrics: [side(cell, "selected", SELECTED), side(["not", cell], "rest", REST)]
  }
  const expression = ["case", [[cell, SELECTED]], { default: REST }]
  return [
    ...totals(selected, ({ title }) => `Selected ${title}`),
    ...overTime(sides, `${subject.noun} over time, compared with the rest`),
    ...subject.dimensions
      .filter((dimension) => isGrouping(dimension) && !isDecided(dimension))
      .map((dimension) => sharesOf(subject, dimension, { expression, score: dimension.score }))
  ]
}

/** One side of a comparison: its rows are those of the subject that meet the condition. */
export interface Side {
  readonly title: string
  readonly filter: Clause | null
}

/** Two sets of rows next to each other, which may overlap. */
export const compareCards = (subject: Subject, left: Side, right: Side): ReadonlyArray<XrayCard> => {
  const sides: Subject = {
    ...subject,
    metrics: [side(left.filter, "left", left.title), side(right.filter, "right", right.title)]
  }
  const fixed = namesIn(both(left.filter, right.filter))
  const dimensions = subject.dimensions.filter((one: XrayDimension) => !fixed.has(one.field.name))
  return [
    ...totals(sides, ({ title }) => title),
    ...overTime(sides, `${subject.noun} over time`),
    ...perDimension({ ...sides, dimensions }),
    ...perSeason(sides, 2)
  ]
}
