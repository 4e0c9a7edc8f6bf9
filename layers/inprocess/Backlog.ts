import { Effect } from "effect"
import type { StorageError } from "../../src/domain/StorageError.ts"

interface FlushWaiter {
  readonly upTo: number
  remaining: number
  failure: StorageError | null
  readonly resume: (effect: Effect.Effect<void, StorageError>) => void
}

/** Counts the records of a storage that are accepted and not answered yet, and limits their number and size. */
export class Backlog {
  records = 0
  bytes = 0
  private accepted = 0
  private waiters: Array<FlushWaiter> = []
  readonly maxRecords: number
  readonly maxBytes: number

  constructor(maxRecords: number, maxBytes: number) {
    this.maxRecords = maxRecords
    this.maxBytes = maxBytes
  }

  /** Whether another record of this size fits. A single record always does. */
  hasRoom(bytes: number): boolean {
    return this.records < this.maxRecords && (this.bytes + bytes <= this.maxBytes || this.records === 0)
  }

  /** Adds a record. Returns its number in the order of acceptance. */
  add(bytes: number): number {
    this.records++
    this.bytes += bytes
    return ++this.accepted
  }

  /** Removes a record that was answered. */
  remove(number: number, bytes: number, failure: StorageError | null): void {
    this.records--
    this.bytes -= bytes
    if (this.waiters.length === 0) return
    for (const waiter of this.waiters) {
      if (number > waiter.upTo) continue
      waiter.remaining--
      waiter.failure ??= failure
      if (waiter.remaining === 0) waiter.resume(waiter.failure === null ? Effect.void : Effect.fail(waiter.failure))
    }
    this.waiters = this.waiters.filter((waiter) => waiter.remaining > 0)
  }

  /** Resumes when every record accepted so far is answered. Fails with the first failure among them. */
  readonly flush: Effect.Effect<void, StorageError> = Effect.callback((resume) => {
    if (this.records === 0) return resume(Effect.void)
    this.waiters.push({ upTo: this.accepted, remaining: this.records, failure: null, resume })
  })
}
