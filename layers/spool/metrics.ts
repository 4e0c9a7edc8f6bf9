import { Metric } from "effect"

export const syncSeconds = Metric.histogram("footfall_spool_sync_seconds", {
  description: "From the first byte of a group of records to the end of its fdatasync.",
  boundaries: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
})
export const appendedRecords = Metric.counter("footfall_spool_records_total", {
  description: "Records that are on the disk.",
  incremental: true
})
export const appendedBytes = Metric.counter("footfall_spool_bytes_total", {
  description: "Bytes that were written to the log.",
  incremental: true
})
export const failedSyncs = Metric.counter("footfall_spool_failures_total", {
  description: "Groups of records that could not be written or synced.",
  incremental: true
})
