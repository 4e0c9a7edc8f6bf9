/** Commits triggered by the batch size, or by what the previous one left, are at least this far apart, in ms: each creates a snapshot and a file per partition. */
const MIN_BATCH_INTERVAL_MS = 5_000
/** After a failure, the wait doubles from the first to the last. */
const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 30_000

export interface FlushLimits {
  /** How long a record may wait. */
  readonly intervalMs: number
  /** Events per site. */
  readonly batchSize: number
  /** Bytes of the spool. */
  readonly bytes: number
}

/**
 * Decides when a spool is due to be flushed: its oldest record has waited for the interval, there are enough events per site, or it
 * is large enough; after a failure, not before the next retry. `now` is the monotonic clock, in ms.
 */
export class FlushSchedule {
  readonly #limits: FlushLimits
  readonly #now: () => number
  /** When the oldest record came that the last flush did not include. */
  #oldestAt: number | null
  #oldestBeforeFlush: number | null = null
  #events = 0
  #sites = new Set<string>()
  #flushedAt = Number.NEGATIVE_INFINITY
  /** Whether the last flush left part of what it was asked for to the next one. */
  #isPartial = false
  #failures = 0
  #retryAt = Number.NEGATIVE_INFINITY
  #intervalMs: number

  /** What a previous process left in the spool is due at once. */
  constructor(limits: FlushLimits, hasBacklog: boolean, now: () => number) {
    this.#limits = limits
    this.#now = now
    this.#intervalMs = limits.intervalMs
    this.#oldestAt = hasBacklog ? now() - limits.intervalMs : null
  }

  /** A record was accepted. */
  note(siteId: string): void {
    this.#oldestAt ??= this.#now()
    this.#events++
    if (!this.#sites.has(siteId)) this.#sites.add(siteId)
  }

  isDue(backlogBytes: number): boolean {
    const now = this.#now()
    if (backlogBytes <= 0 || now < this.#retryAt) return false
    if (this.#isPartial) return now - this.#flushedAt >= MIN_BATCH_INTERVAL_MS
    return (
      (this.#oldestAt !== null && now - this.#oldestAt >= this.#intervalMs) ||
      backlogBytes >= this.#limits.bytes ||
      (this.#events >= this.#limits.batchSize * Math.max(1, this.#sites.size) &&
        now - this.#flushedAt >= MIN_BATCH_INTERVAL_MS)
    )
  }

  flushBegins(): void {
    this.#oldestBeforeFlush = this.#oldestAt
    this.#oldestAt = null
    this.#events = 0
    this.#sites = new Set()
    this.#flushedAt = this.#now()
  }

  /** `jitter` is the part of the interval by which the next flush is due earlier. `isComplete`: nothing was left to it. */
  flushSucceeded(jitter: number, isComplete = true): void {
    this.#isPartial = !isComplete
    if (!isComplete) this.#oldestAt = this.#oldestBeforeFlush ?? this.#flushedAt
    this.#failures = 0
    this.#retryAt = Number.NEGATIVE_INFINITY
    this.#intervalMs = this.#limits.intervalMs * (1 - jitter)
  }

  flushFailed(): void {
    this.#oldestAt = this.#oldestBeforeFlush ?? this.#flushedAt
    this.#retryAt = this.#now() + Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++)
  }

  /** Age of the oldest record that is not part of a flush, in ms. */
  lagMs(): number {
    return this.#oldestAt === null ? 0 : Math.max(0, this.#now() - this.#oldestAt)
  }
}
