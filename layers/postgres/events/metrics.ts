import { Metric } from "effect"

export const batchRecords = Metric.histogram("footfall_storage_batch_records", {
  description: "Records stored by one statement.",
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000]
})

export const commitSeconds = Metric.histogram("footfall_storage_commit_seconds", {
  description: "From sending a batch to its commit.",
  boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
})

export const failedWrites = Metric.counter("footfall_storage_failed_writes_total", {
  description: "Attempts to store a batch that failed, those that were made again included.",
  incremental: true
})

export const poolSize = Metric.gauge("footfall_storage_connections", {
  description: "Connections for writing; as many as batches are in flight are busy."
})
