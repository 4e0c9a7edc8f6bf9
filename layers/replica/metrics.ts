import { Metric } from "effect"

export const usable = Metric.gauge("footfall_replica_usable", {
  description: "1 while the columnar replica answers questions, otherwise 0"
})
export const lagSeconds = Metric.gauge("footfall_replica_lag_seconds", {
  description: "How far the columnar replica was behind the app database at its last report"
})
export const fileBytes = Metric.gauge("footfall_replica_file_bytes", {
  description: "Size of the columnar replica's file and its write-ahead log"
})
export const rebuiltRows = Metric.gauge("footfall_replica_rebuilt_rows", {
  description: "Events that the running rebuild of the columnar replica has loaded"
})
export const differences = Metric.gauge("footfall_replica_check_differences", {
  description: "Days of sites that differed from the app database at the columnar replica's last check"
})
