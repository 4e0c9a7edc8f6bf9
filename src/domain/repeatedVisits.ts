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
/** When the visitor's previous visit that started in the same hour of the week (UTC) ended. */
export const PREVIOUS_IN_HOUR = "prev_hour_ended_at"
export type Repeated = keyof typeof PREVIOUS_SAME
export const REPEATED = Object.keys(PREVIOUS_SAME) as ReadonlyArray<Repeated>
