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
/** When the visitor's previous visit ended that was present in the hour of the week (UTC) in which a visit starts. */
export const PREVIOUS_IN_HOUR = "prev_hour_ended_at"
/** The same for each hour after that, in a list; null if no visit came before in any of them. */
export const PREVIOUS_IN_LATER_HOURS = "prev_later_hours_ended_at"
export type Repeated = keyof typeof PREVIOUS_SAME
export const REPEATED = Object.keys(PREVIOUS_SAME) as ReadonlyArray<Repeated>
