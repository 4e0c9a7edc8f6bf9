import { NOT_VIEWS } from "../../domain/Event.ts"
import type { Repeated } from "../../domain/repeatedVisits.ts"

/*
 * What both models say about the rows of a visit, in SQL that is the same in Postgres and DuckDB.
 */

export const IS_VIEW = `event_type NOT IN (${NOT_VIEWS.join(", ")})`

export const PAGEVIEWS = `count(*) FILTER (WHERE ${IS_VIEW})`
export const CUSTOM_EVENTS = "count(*) FILTER (WHERE event_type = 2)"

/** Whether a visit is a bounce. Umami looks at views only. */
export const IS_BOUNCE = {
  strict: `(${PAGEVIEWS} = 1 AND ${CUSTOM_EVENTS} = 0)`,
  umami: "count(*) = 1"
} as const

/** Whether a visit is its visitor's first in the range with this value, and in its unit of time if visits are split by time. */
export const firstOf = (column: Repeated): string => `first_of_${column}`

/** Whether a visit that is split by hours is its visitor's first in the range in this hour of the week (UTC). The others are left out. */
export const FIRST_OF_HOUR = "first_of_hour"
