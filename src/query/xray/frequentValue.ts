import type { Clause, Query } from "../fql/schema.ts"
import { viewOf } from "../metadata/views.ts"
import { dateClause } from "../passes/dateClause.ts"
import type { Template } from "./templates.ts"

/** Asks for the most frequent value of the column that a template is about, on a site and within a date parameter's value. */
export const frequentValueQuestion = (
  { column, view }: NonNullable<Template["of"]>,
  { date, site }: { readonly date: string; readonly site: string | null }
): Query => {
  const { site: siteColumn, time } = viewOf(view)
  const during = time === null ? null : dateClause(time, date)
  const filters: ReadonlyArray<Clause> = [
    ...(site === null ? [] : [["=", siteColumn, site] as Clause]),
    ...(during == null ? [] : [during]),
    ["not-empty", ["field", column]]
  ]
  return {
    fql: 1,
    type: "query",
    source: view,
    filter: ["and", ...filters],
    aggregation: [["count"]],
    breakout: [["field", column]],
    "order-by": [["desc", ["aggregation", 0]]],
    limit: 1
  }
}
