import { Clock, type Context, Effect, type Metric, Random, type Scope } from "effect"
import { type IcebergError, icebergError } from "../iceberg/IcebergError.ts"
import type { FlushResult } from "../lake/writer/LakeWriter.ts"
import * as metrics from "./metrics.ts"

/** How often it is looked at whether a flush is due. */
const TICK = "200 millis"
/** Commits that the batch size brings forward are so far apart at least: each makes a snapshot and a file for each partition. */
const LEAST_GAP_MS = 5_000
/** Part of the interval that chance takes off, so that the collectors of a lake do not commit at the same moment. */
const JITTER = 0.2
/** Waits after failures double from the first to the last figure. */
const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 30_000

export interface FlushLimits {
  readonly intervalMs: number
  /** Events for each site. */
  readonly batchSize: number
  /** Of the log. */
  readonly bytes: number
}

/** The log, as far as flushing goes. */
export interface FlushedLog {
  /** The position up to which everything is on disk. */
  readonly durable: () => number
  /** The position up to which the log was given up when it was opened. */
  readonly oldest: number
  readonly trim: (upTo: number) => Effect.Effect<void, { readonly message: string }>
}

export interface FlushFailure {
  /** Ms since the epoch. */
  readonly at: number
  readonly message: string
}

export interface Flusher {
  /** A record of the site came. */
  readonly note: (siteId: string) => void
  /** Resumes when everything up to the position is in the lake; begins at once, or after the flush that is on its way. */
  readonly flush: (upTo: number) => Effect.Effect<void, IcebergError>
  /** Bytes of the log that are not in the lake. */
  readonly backlog: () => number
  /** When the last flush went well, ms since the epoch. */
  readonly lastSuccessAt: () => number | null
  /** The last failure since then; null when the lake takes what it is given. */
  readonly failure: () => FlushFailure | null
}

interface Waiter {
  readonly upTo: number
  readonly resume: (effect: Effect.Effect<void, IcebergError>) => void
}

/**
 * Decides when a log goes into the lake: when its oldest record is old enough, when there are enough for each site, when the log
 * is large enough, or when somebody asks. One flush at a time. A flush that fails is tried again, later and later; what it
 * was to bring stays in the log, which the lake's state decides about: nothing here has to be remembered.
 */
export const makeFlusher = Effect.fnUntraced(function* (
  log: FlushedLog,
  limits: FlushLimits,
  write: (upTo: number) => Effect.Effect<FlushResult, IcebergError>
): Effect.fn.Return<Flusher, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  const context: Context.Context<never> = yield* Effect.context<never>()
  const monotonic = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const count = (metric: Metric.Metric<number, unknown>, value: number) => metric.updateUnsafe(value, context)

  let committed = log.oldest
  let waiters: Array<Waiter> = []
  /** Since the last flush began; what is in the log from before counts as old. On the monotonic clock. */
  let oldestAt: number | null = log.durable() > log.oldest ? monotonic() - limits.intervalMs : null
  let events = 0
  let sites = new Set<string>()
  let lastAt = Number.NEGATIVE_INFINITY
  let failures = 0
  let notBefore = Number.NEGATIVE_INFINITY
  let interval = limits.intervalMs
  let lastSuccessAt: number | null = null
  let failure: FlushFailure | null = null

  const isDue = (): boolean => {
    if (log.durable() <= committed) return waiters.length > 0
    if (waiters.length > 0) return true
    const now = monotonic()
    if (now < notBefore) return false
    return (
      (oldestAt !== null && now - oldestAt >= interval) ||
      log.durable() - committed >= limits.bytes ||
      (events >= limits.batchSize * Math.max(1, sites.size) && now - lastAt >= LEAST_GAP_MS)
    )
  }

  const settle = (until: number, error: IcebergError | null): void => {
    const [done, rest] = [
      waiters.filter(({ upTo }) => error !== null || upTo <= until),
      waiters.filter(({ upTo }) => error === null && upTo > until)
    ]
    waiters = rest
    for (const { resume } of done) resume(error === null ? Effect.void : Effect.fail(error))
  }

  const flushOnce = Effect.gen(function* () {
    const upTo = Math.max(log.durable(), committed)
    const before = oldestAt
    oldestAt = null
    events = 0
    sites = new Set()
    lastAt = monotonic()
    const written = yield* Effect.result(upTo > committed ? write(upTo) : Effect.succeed(null))
    if (written._tag === "Failure") {
      const error = written.failure
      oldestAt = before ?? lastAt
      notBefore = monotonic() + Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures++)
      failure = { at: clock.currentTimeMillisUnsafe(), message: error.message }
      count(metrics.lakeFailedFlushes, 1)
      yield* Effect.logWarning(`The lake takes no events for now, they stay in the log: ${error.message}`)
      return settle(0, error)
    }
    failures = 0
    failure = null
    notBefore = Number.NEGATIVE_INFINITY
    interval = limits.intervalMs * (1 - JITTER * (yield* Random.next))
    const result = written.success
    if (result !== null) {
      committed = result.position
      lastSuccessAt = clock.currentTimeMillisUnsafe()
      count(metrics.lakeFlushes, 1)
      // What can't be given up now is given up after the next flush.
      yield* Effect.catch(log.trim(committed), ({ message }) => Effect.logWarning(message))
    }
    settle(committed, null)
  })

  yield* Effect.sleep(TICK).pipe(
    Effect.andThen(
      Effect.suspend(() => {
        count(metrics.lakeLagSeconds, oldestAt === null ? 0 : Math.max(0, monotonic() - oldestAt) / 1_000)
        return isDue() ? flushOnce : Effect.void
      })
    ),
    Effect.forever,
    Effect.forkScoped
  )
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => settle(0, icebergError("Unavailable", "The collector is stopping.")))
  )

  return {
    note: (siteId) => {
      oldestAt ??= monotonic()
      events++
      if (!sites.has(siteId)) sites.add(siteId)
    },
    flush: (upTo) =>
      Effect.callback((resume) => {
        if (upTo <= committed) return resume(Effect.void)
        waiters.push({ upTo, resume })
      }),
    backlog: () => Math.max(0, log.durable() - committed),
    lastSuccessAt: () => lastSuccessAt,
    failure: () => failure
  }
})
