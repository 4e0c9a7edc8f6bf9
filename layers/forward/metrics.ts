import { Metric } from "effect"

/** Buckets in seconds: a commit takes some 20 ms on a near store, and what the retries' deadlines allow on a slow one. */
const COMMIT_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

export const lakeCommitSeconds = Metric.histogram("footfall_lake_commit_seconds", {
  description: "Time of a commit of one table, its retries included.",
  boundaries: COMMIT_BUCKETS
})
export const lakeFlushes = Metric.counter("footfall_lake_flushes_total", {
  description: "Flushes of the log into the lake that went well."
})
export const lakeFailedFlushes = Metric.counter("footfall_lake_failed_flushes_total", {
  description: "Flushes that failed; the records stay in the log and are flushed again."
})
export const lakeConflicts = Metric.counter("footfall_lake_commit_conflicts_total", {
  description: "Tries to commit that met another writer's commit."
})
export const lakeUnknown = Metric.counter("footfall_lake_commit_unknown_total", {
  description: "Tries to commit whose outcome had to be looked for."
})
export const lakeFiles = Metric.counter("footfall_lake_data_files_total", { description: "Data files written." })
export const lakeBytes = Metric.counter("footfall_lake_data_bytes_total", {
  description: "Bytes of data files written."
})
export const lakeRows = Metric.counter("footfall_lake_rows_total", {
  description: "Rows written to the lake's tables."
})
export const lakeLagSeconds = Metric.gauge("footfall_lake_lag_seconds", {
  description: "Age of the oldest accepted record that is not in the lake yet."
})
