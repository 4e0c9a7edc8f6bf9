import { Metric } from "effect"

/** The metrics of forwarding to a destination, by its name: `footfall_lake_flushes_total` and so on. */
export const makeForwardMetrics = (destination: string) => ({
  flushes: Metric.counter(`footfall_${destination}_flushes_total`, {
    description: `Successful flushes of a spool to the ${destination}.`
  }),
  failedFlushes: Metric.counter(`footfall_${destination}_failed_flushes_total`, {
    description: "Failed flushes; the records stay in the spool and are flushed again."
  }),
  lagSeconds: Metric.gauge(`footfall_${destination}_lag_seconds`, {
    description: `Age of the oldest accepted record that is not in the ${destination} yet.`
  })
})

export type ForwardMetrics = ReturnType<typeof makeForwardMetrics>
