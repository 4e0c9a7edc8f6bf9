/*
 * How a visit came about, from its rows, in SQL that is the same in Postgres and DuckDB.
 */

/** Rows that say how the visit came about. */
export const HAS_SOURCE = "channel NOT IN ('direct', '')"

/** Columns of the first row that says how the visit came about. */
export const SOURCE_COLUMNS = [
  "referrer_domain",
  "utm_source",
  "utm_medium",
  "utm_campaign",
  "utm_content",
  "utm_term"
] as const

/** The channel of a visit, from that of the first row that has one. */
export const channelOf = (first: string): string =>
  `coalesce(${first}, CASE WHEN bool_or(channel = '') THEN '' ELSE 'direct' END)`
