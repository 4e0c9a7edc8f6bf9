import { Clock, type Context, Effect, type Metric, Random, type Scope } from "effect"
import { DestinationError } from "./Destination.ts"
import { type FlushLimits, FlushSchedule } from "./FlushSchedule.ts"
import type { FlushSpool } from "./makeFlushSpool.ts"
import type { ForwardMetrics } from "./metrics.ts"

/** How often the schedule is checked. */
const TICK = "200 millis"
/** Random part of the interval that is subtracted, so that the collectors of one destination do not all commit at once. */
const JITTER = 0.2

/** The parts of a spool that flushing needs. */
export interface FlushedSpool {
  /** The position up to which everything is on disk. */
  readonly durable: () => number
  /** Where the last acknowledged record ends; by default the durable position. What exceeds it cannot be flushed yet. */
  readonly acknowledged?: () => number
  /** Why the disk does not take records; null or absent while it does. */
  readonly problem?: () => string | null
  /** The position up to which the spool was trimmed when it was opened. */
  readonly oldest: number
  readonly trim: (upTo: number) => Effect.Effect<void, { readonly message: string }>
}

export interface FlushFailure {
  /** Ms since the epoch. */
  readonly at: number
  readonly message: string
}

export interface Flusher {
  /** A record of this site was accepted. */
  readonly note: (siteId: string) => void
  /** Resumes when everything up to the position is stored. Starts at once, or after the flush in progress. */
  readonly flush: (upTo: number) => Effect.Effect<void, DestinationError>
  /** Acknowledged bytes of the spool that are not stored yet. */
  readonly backlog: () => number
  /** When the last flush succeeded, ms since the epoch. */
  readonly lastSuccessAt: () => number | null
  /** The last failure since then; null while flushes succeed. */
  readonly failure: () => FlushFailure | null
}

/** Callers that wait until a position is stored. */
class Waiters {
  #waiters: Array<{
    readonly upTo: number
    readonly resume: (effect: Effect.Effect<void, DestinationError>) => void
  }> = []

  get isEmpty(): boolean {
    return this.#waiters.length === 0
  }

  waitFor(upTo: number): Effect.Effect<void, DestinationError> {
    return Effect.callback((resume) => {
      this.#waiters.push({ upTo, resume })
    })
  }

  resumeUpTo(position: number): void {
    const done = this.#waiters.filter(({ upTo }) => upTo <= position)
    this.#waiters = this.#waiters.filter(({ upTo }) => upTo > position)
    for (const { resume } of done) resume(Effect.void)
  }

  /** Fails those that wait for more than this position; by default all. */
  fail(error: DestinationError, beyond = Number.NEGATIVE_INFINITY): void {
    const failed = this.#waiters.filter(({ upTo }) => upTo > beyond)
    this.#waiters = this.#waiters.filter(({ upTo }) => upTo <= beyond)
    for (const { resume } of failed) resume(Effect.fail(error))
  }
}

/**
 * Flushes a spool on schedule or on request, one flush at a time, and trims it afterwards. A failed flush is retried with growing
 * waits. Its records stay in the spool, and the destination knows what it has of them, so nothing needs to be remembered here.
 */
export const makeFlusher = Effect.fnUntraced(function* (
  spool: FlushedSpool,
  limits: FlushLimits,
  flushSpool: FlushSpool,
  metrics: ForwardMetrics
): Effect.fn.Return<Flusher, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  const context: Context.Context<never> = yield* Effect.context<never>()
  const monotonic = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const update = (metric: Metric.Metric<number, unknown>, value: number) => metric.updateUnsafe(value, context)

  const acknowledged = () => Math.max(spool.durable(), spool.acknowledged?.() ?? 0)
  const schedule = new FlushSchedule(limits, acknowledged() > spool.oldest, monotonic)
  const waiters = new Waiters()
  let stored = spool.oldest
  let lastSuccessAt: number | null = null
  let failure: FlushFailure | null = null

  const fail = (error: DestinationError) => {
    schedule.flushFailed()
    failure = { at: clock.currentTimeMillisUnsafe(), message: error.message }
    update(metrics.failedFlushes, 1)
    waiters.fail(error)
    return Effect.logWarning(`Flush failed; events stay in the spool and will be retried: ${error.message}`)
  }

  /** What the disk cannot take again is not flushed either: the callers that wait for it get the reason. */
  const failUnwritten = () => {
    const problem = spool.problem?.() ?? null
    const unwritten = acknowledged() - spool.durable()
    if (problem === null || unwritten <= 0) return
    const message = `${unwritten} bytes of the previous process can only be flushed once the disk takes them again: ${problem}.`
    failure = { at: clock.currentTimeMillisUnsafe(), message }
    waiters.fail(new DestinationError({ reason: "Unavailable", message }), spool.durable())
  }

  /** `target`: what there was to be flushed when the flush began. */
  const succeed = Effect.fnUntraced(function* (position: number | null, target: number) {
    failure = null
    schedule.flushSucceeded(JITTER * (yield* Random.next), (position ?? stored) >= target)
    if (position !== null) {
      stored = position
      lastSuccessAt = clock.currentTimeMillisUnsafe()
      update(metrics.flushes, 1)
      // What cannot be trimmed now is trimmed after the next flush.
      yield* Effect.catch(spool.trim(stored), ({ message }) => Effect.logWarning(message))
    }
    waiters.resumeUpTo(stored)
    failUnwritten()
  })

  const flushOnce = Effect.suspend(() => {
    const upTo = Math.max(spool.durable(), stored)
    const target = Math.max(upTo, acknowledged())
    schedule.flushBegins()
    const write = upTo > stored ? Effect.map(flushSpool(upTo), ({ position }) => position) : Effect.succeed(null)
    return Effect.matchEffect(write, { onFailure: fail, onSuccess: (position) => succeed(position, target) })
  })

  yield* Effect.sleep(TICK).pipe(
    Effect.andThen(
      Effect.suspend(() => {
        update(metrics.lagSeconds, schedule.lagMs() / 1_000)
        return !waiters.isEmpty || schedule.isDue(spool.durable() - stored) ? flushOnce : Effect.void
      })
    ),
    Effect.forever,
    Effect.forkScoped
  )
  yield* Effect.addFinalizer(() =>
    Effect.sync(() =>
      waiters.fail(new DestinationError({ reason: "Unavailable", message: "The collector is stopping." }))
    )
  )

  return {
    note: (siteId) => schedule.note(siteId),
    flush: (upTo) => Effect.suspend(() => (upTo <= stored ? Effect.void : waiters.waitFor(upTo))),
    backlog: () => Math.max(0, acknowledged() - stored),
    lastSuccessAt: () => lastSuccessAt,
    failure: () => failure
  }
})
