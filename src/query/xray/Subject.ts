import type { Clause, Query } from "../fql/schema.ts"
import type { View } from "../metadata/views.ts"
import type { TruncationUnit } from "../plan/plan.ts"
import type { XrayDimension } from "./dimensions.ts"

/** A number that an x-ray shows. */
export interface Metric {
  readonly clause: Clause
  /** What it counts, such as `Events`. */
  readonly title: string
}

/** What an x-ray is about: rows of a view, and what to compute of them. */
export interface Subject {
  readonly view: View
  /** What the rows are called, such as `Events`. */
  readonly noun: string
  /** The first one orders groups. */
  readonly metrics: readonly [Metric, ...ReadonlyArray<Metric>]
  readonly filter: Clause | null
  /** Custom columns, joins and settings of the question that the x-ray is about. */
  readonly parts: Pick<Query, "joins" | "expressions" | "compat" | "settings">
  /** The best ones first. */
  readonly dimensions: ReadonlyArray<XrayDimension>
  /** The clause of the times that are drawn; null if the rows have none. */
  readonly time: Clause | null
  /** The unit in which times are drawn. */
  readonly unit: TruncationUnit
}

/** All conditions together; null if there are none. */
export const both = (...given: ReadonlyArray<Clause | null>): Clause | null => {
  const clauses = given.filter((clause) => clause !== null)
  if (clauses.length < 2) return clauses[0] ?? null
  return ["and", ...clauses]
}

/** A question about the subject's rows. Custom columns and conditions add to the subject's. */
export const questionAbout = (
  { filter, parts, view }: Subject,
  { expressions, filter: more, ...rest }: Omit<Query, "fql" | "type" | "source">
): Query => {
  const all = both(filter, more ?? null)
  const columns = { ...parts.expressions, ...expressions }
  return {
    fql: 1,
    type: "query",
    source: view.name,
    ...parts,
    ...(Object.keys(columns).length > 0 && { expressions: columns }),
    ...(all !== null && { filter: all }),
    ...rest
  }
}

/** When a row was recorded: the column whose range bounds a view's rows, otherwise its time of creation. */
export const timeOf = (view: View): Clause | null => {
  const name = view.time ?? view.columns.find(({ semantic }) => semantic === "CreationTimestamp")?.name
  return name === undefined ? null : ["field", name]
}
