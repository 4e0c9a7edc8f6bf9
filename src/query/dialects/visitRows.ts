import { NOT_VIEWS } from "../../domain/Event.ts"

/*
 * What both models say about the rows of a visit, in SQL that is the same in Postgres and DuckDB.
 */

export const IS_VIEW = `event_type NOT IN (${NOT_VIEWS.join(", ")})`

/** Columns of a visit that are its visitor's. */
export const VISITOR_COLUMNS = ["country", "device", "browser", "os"] as const

export const PAGEVIEWS = `count(*) FILTER (WHERE ${IS_VIEW})`
export const CUSTOM_EVENTS = "count(*) FILTER (WHERE event_type = 2)"

/** Whether a visit is a bounce. Umami looks at views only. */
export const IS_BOUNCE = {
  strict: `(${PAGEVIEWS} = 1 AND ${CUSTOM_EVENTS} = 0)`,
  umami: "count(*) = 1"
} as const

/**
 * Columns of visits by which visitors are counted without a DISTINCT, each with the stored column that makes it possible: when the
 * visitor's previous visit with the same value ended.
 */
export const PREVIOUS_SAME = {
  entry_path: "prev_entry_ended_at",
  exit_path: "prev_exit_ended_at",
  channel: "prev_channel_ended_at",
  referrer_domain: "prev_referrer_ended_at"
} as const
export type Repeated = keyof typeof PREVIOUS_SAME
export const REPEATED = Object.keys(PREVIOUS_SAME) as ReadonlyArray<Repeated>

/** Whether a visit is its visitor's first in the range with this value, and in its unit of time if visits are split by time. */
export const firstOf = (column: Repeated): string => `first_of_${column}`
