import { Metric } from "effect"

export const batchRecords = Metric.histogram("footfall_storage_batch_records", {
  description: "Records per committed batch.",
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000]
})

export const commitSeconds = Metric.histogram("footfall_storage_commit_seconds", {
  description: "Time from sending a batch to its commit, in seconds.",
  boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
})

export const failedWrites = Metric.counter("footfall_storage_failed_writes_total", {
  description: "Failed attempts to store a batch, including those that were retried.",
  incremental: true
})

export const poolSize = Metric.gauge("footfall_storage_connections", {
  description: "Connections of the event writer; each batch in flight uses one."
})
