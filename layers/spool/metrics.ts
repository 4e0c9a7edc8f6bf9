import { Metric } from "effect"

export const syncSeconds = Metric.histogram("footfall_spool_sync_seconds", {
  description: "Duration of writing a group of records, up to the end of its fdatasync.",
  boundaries: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
})
export const appendedRecords = Metric.counter("footfall_spool_records_total", {
  description: "Records written to the disk.",
  incremental: true
})
export const appendedBytes = Metric.counter("footfall_spool_bytes_total", {
  description: "Bytes written to the spool.",
  incremental: true
})
export const failedSyncs = Metric.counter("footfall_spool_failures_total", {
  description: "Groups of records that could not be written or synced.",
  incremental: true
})
