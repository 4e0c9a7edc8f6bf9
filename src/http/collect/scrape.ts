import { readdir } from "node:fs/promises"
import { type Context, Effect, Metric, type Scope } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { VERSION } from "../../lib/version.ts"
import { Storage } from "../../ports/Storage.ts"
import * as metrics from "./metrics.ts"

/** Interval of the timer that measures event loop lag. */
const LAG_INTERVAL_MS = 50

/** The largest lag of the last one to two windows is reported. */
const LAG_WINDOW_MS = 5_000

/** An effect that renders this process's metrics in Prometheus' text format. Gauges are read when it runs. */
export const makeScrape: (
  counters: metrics.CollectCounters,
  requestsInFlight: () => number
) => Effect.Effect<Effect.Effect<string>, never, Storage | Scope.Scope> = Effect.fnUntraced(
  function* (counters, requestsInFlight) {
    const storage = yield* Storage
    const context: Context.Context<never> = yield* Effect.context<never>()
    const lag = yield* Effect.acquireRelease(
      Effect.sync(() => new LagWatch()),
      (watch) => Effect.sync(() => watch.stop())
    )
    const set = (gauge: Metric.Metric<number, unknown>, value: number) => gauge.updateUnsafe(value, context)
    set(metrics.processStart, Math.round(Date.now() / 1000 - process.uptime()))
    set(Metric.withAttributes(metrics.buildInformation, { version: VERSION }), 1)
    let countedCpu = 0
    return Effect.gen(function* () {
      counters.publish()
      const status = yield* storage.status
      set(metrics.requestsInFlight, requestsInFlight())
      set(metrics.queuedRecords, status.pendingRecords)
      set(metrics.queuedBytes, status.pendingBytes)
      set(metrics.batchesInFlight, status.inFlight)
      set(metrics.storageLastSuccess, (status.lastSuccessAt ?? 0) / 1000)
      set(metrics.eventLoopLag, lag.seconds())
      const usage = process.cpuUsage()
      const cpu = (usage.user + usage.system) / 1e6
      set(metrics.processCpu, cpu - countedCpu)
      countedCpu = cpu
      const memory = process.memoryUsage()
      set(metrics.processMemory, memory.rss)
      set(metrics.processHeap, memory.heapUsed)
      set(metrics.processFiles, yield* openFiles)
      return PrometheusMetrics.formatUnsafe(context)
    })
  }
)

/** Open file descriptors from /proc; 0 on systems without it. */
const openFiles = Effect.promise(() =>
  readdir("/proc/self/fd").then(
    (entries) => entries.length,
    () => 0
  )
)

/**
 * Measures how late a timer fires, which is how long something blocked the event loop. Not `monitorEventLoopDelay`: under Bun 1.4 its
 * `reset()` keeps the old maximum.
 */
class LagWatch {
  #expected = performance.now() + LAG_INTERVAL_MS
  #windowStart = performance.now()
  #current = 0
  #previous = 0
  readonly #timer = setInterval(() => this.#tick(), LAG_INTERVAL_MS)

  seconds(): number {
    return Math.max(this.#current, this.#previous) / 1000
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #tick(): void {
    const now = performance.now()
    this.#current = Math.max(this.#current, now - this.#expected)
    this.#expected = now + LAG_INTERVAL_MS
    if (now - this.#windowStart < LAG_WINDOW_MS) return
    this.#previous = this.#current
    this.#current = 0
    this.#windowStart = now
  }
}
