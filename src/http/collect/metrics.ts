import { type Context, Metric } from "effect"
import { REJECTION_REASONS, type RejectionReason } from "../../domain/Rejection.ts"
import { PAYLOAD_TYPES } from "../../pipeline/payload.ts"

/** Names as scraped; Prometheus' units (seconds, bytes). */
const accepted = Metric.counter("footfall_accepted_total", {
  description: "Payloads stored, by type.",
  incremental: true
})
const rejected = Metric.counter("footfall_rejected_total", {
  description: "Payloads refused, by reason; site is empty when no registered site was named.",
  incremental: true
})

const acceptedByType = Object.fromEntries(
  PAYLOAD_TYPES.map((type) => [type, Metric.withAttributes(accepted, { type })])
) as Record<(typeof PAYLOAD_TYPES)[number], typeof accepted>

const counted: Record<(typeof PAYLOAD_TYPES)[number], number> = { event: 0, identify: 0, performance: 0 }

/** Only adds one: the registry's counters cost more than a microsecond, and are told when somebody looks. */
export const countAccepted = (type: (typeof PAYLOAD_TYPES)[number]): void => {
  counted[type]++
}

export const publishAccepted = (context: Context.Context<never>): void => {
  for (const type of PAYLOAD_TYPES) {
    acceptedByType[type].updateUnsafe(counted[type], context)
    counted[type] = 0
  }
}

const rejections = new Map<string, typeof rejected>()

/** Only ids of registered sites may be given: each makes a series. */
export const rejectedBy = (reason: RejectionReason, siteId: string): typeof rejected => {
  const key = reason + siteId
  const known = rejections.get(key)
  if (known !== undefined) return known
  const metric = Metric.withAttributes(rejected, { reason, site: siteId })
  rejections.set(key, metric)
  return metric
}
for (const reason of REJECTION_REASONS) rejectedBy(reason, "")

export const requestsInFlight = Metric.gauge("footfall_requests_in_flight", {
  description: "Collect requests being answered."
})
export const queuedRecords = Metric.gauge("footfall_storage_queue_records", {
  description: "Records accepted and not yet durable."
})
export const queuedBytes = Metric.gauge("footfall_storage_queue_bytes", {
  description: "Estimated size of the records accepted and not yet durable."
})
export const batchesInFlight = Metric.gauge("footfall_storage_batches_in_flight", {
  description: "Batches being written."
})
export const storageLastSuccess = Metric.gauge("footfall_storage_last_success_timestamp_seconds", {
  description: "When a batch was last stored; 0 before the first."
})
export const eventLoopLag = Metric.gauge("footfall_event_loop_lag_seconds", {
  description: "Longest delay of a timer since the last second."
})
export const buildInformation = Metric.gauge("footfall_build_info", {
  description: "Always 1; the version is a label."
})
export const processCpu = Metric.counter("process_cpu_seconds_total", {
  description: "User and system CPU time.",
  incremental: true
})
export const processMemory = Metric.gauge("process_resident_memory_bytes", { description: "Resident memory." })
export const processHeap = Metric.gauge("footfall_heap_bytes", { description: "JavaScript heap in use." })
export const processFiles = Metric.gauge("process_open_fds", { description: "Open file descriptors; Linux only." })
export const processStart = Metric.gauge("process_start_time_seconds", {
  description: "When the process started, Unix time."
})
