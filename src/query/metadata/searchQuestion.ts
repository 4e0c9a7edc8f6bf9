import type { SiteId } from "../../domain/ids.ts"
import type { Clause } from "../fql/schema.ts"
import type { Field } from "./fieldIds.ts"
import { eventConditions, fieldClause, scanSource } from "./scanQuestion.ts"
import { viewOf } from "./views.ts"

/** What a search of values looks for. */
export interface ValueSearch {
  readonly field: Field
  /** Null: all sites that the caller may see. */
  readonly site: SiteId | null
  readonly term: string
  readonly limit: number
}

/** The days that a search looks at first. */
const RECENT_DAYS = 90

/** Whether the values of a field are searched as text. */
export const isSearched = (field: Field): boolean =>
  field.kind === "column" ? field.column.type === "text" : field.property.type === "text"

/** The most frequent values that contain the term, with how many rows have them; of the last days only if `isRecent`. */
export const searchQuestion = ({ field, limit, site, term }: ValueSearch, isRecent: boolean): object => {
  const view = viewOf(scanSource(field))
  const clause = fieldClause(field)
  const conditions: ReadonlyArray<Clause> = [
    ["contains", clause, term],
    ...(site === null ? [] : [["=", view.site, site] as Clause]),
    ...(isRecent && view.time !== null
      ? [["time-interval", view.time, -RECENT_DAYS, "day", { "include-current": true }] as Clause]
      : []),
    ...(field.kind === "property" ? eventConditions(field) : [])
  ]
  return {
    fql: 1,
    type: "query",
    source: view.name,
    filter: ["and", ...conditions],
    aggregation: [["count"]],
    breakout: [clause],
    "order-by": [
      ["desc", ["aggregation", 0]],
      ["asc", clause]
    ],
    limit
  }
}
