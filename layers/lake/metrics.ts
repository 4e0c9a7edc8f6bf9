import { Metric } from "effect"

/** In seconds: a commit takes about 20 ms on a nearby store, and as long as the retries' deadlines allow on a slow one. */
const COMMIT_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

export const lakeCommitSeconds = Metric.histogram("footfall_lake_commit_seconds", {
  description: "Duration of one table's commit, including retries.",
  boundaries: COMMIT_BUCKETS
})
export const lakeConflicts = Metric.counter("footfall_lake_commit_conflicts_total", {
  description: "Commit attempts that lost to another writer's commit."
})
export const lakeUnknown = Metric.counter("footfall_lake_commit_unknown_total", {
  description: "Commit attempts whose outcome had to be read back."
})
export const lakeFiles = Metric.counter("footfall_lake_data_files_total", { description: "Data files written." })
export const lakeBytes = Metric.counter("footfall_lake_data_bytes_total", {
  description: "Bytes of data files written."
})
export const lakeRows = Metric.counter("footfall_lake_rows_total", {
  description: "Rows written to the lake's tables."
})
