import { type Context, Metric } from "effect"
import type { RejectionReason } from "../../domain/Rejection.ts"
import { PAYLOAD_TYPES, type PayloadType } from "../../pipeline/payload.ts"

/** Names and units as Prometheus recommends (seconds, bytes). */
const accepted = Metric.counter("footfall_accepted_total", {
  description: "Payloads stored, by type.",
  incremental: true
})
const rejected = Metric.counter("footfall_rejected_total", {
  description: "Payloads rejected, by reason; `site` is empty if no registered site was named.",
  incremental: true
})

/** Counts payloads, accepted and rejected. */
export class CollectCounters {
  readonly #context: Context.Context<never>
  /** Published when scraped, since a counter of the registry takes more than a microsecond. */
  readonly #accepted: Record<PayloadType, number> = { event: 0, identify: 0, performance: 0 }
  readonly #rejected = new Map<string, typeof rejected>()
  /** Payloads so far that the storage did not take and that may be sent again. */
  unstored = 0

  constructor(context: Context.Context<never>) {
    this.#context = context
  }

  accepted(type: PayloadType): void {
    this.#accepted[type]++
  }

  /** `siteId` of a registered site, or null: each makes a series. */
  rejected(reason: RejectionReason, siteId: string | null): void {
    if (reason === "Unavailable") this.unstored++
    this.#rejectedBy(reason, siteId ?? "").updateUnsafe(1, this.#context)
  }

  /** Brings the registry up to date. */
  publish(): void {
    for (const type of PAYLOAD_TYPES) {
      Metric.withAttributes(accepted, { type }).updateUnsafe(this.#accepted[type], this.#context)
      this.#accepted[type] = 0
    }
  }

  #rejectedBy(reason: RejectionReason, site: string): typeof rejected {
    const key = reason + site
    const known = this.#rejected.get(key)
    if (known !== undefined) return known
    const metric = Metric.withAttributes(rejected, { reason, site })
    this.#rejected.set(key, metric)
    return metric
  }
}

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
  description: "Time the last batch was stored, in Unix seconds; 0 before the first."
})
export const eventLoopLag = Metric.gauge("footfall_event_loop_lag_seconds", {
  description: "Longest delay of a timer in the last few seconds."
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
  description: "Time the process started, in Unix seconds."
})
