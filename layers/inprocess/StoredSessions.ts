import { LruCache } from "../../src/lib/LruCache.ts"

/** About 130 bytes each. */
const MAX_SESSIONS = 40_000
/**
 * After this time, a session's row is sent again: it may have been deleted by hand or by a restore that nothing else shows. The store
 * ignores a row that it has.
 */
const RECHECK_MS = 600_000

interface StoredSession {
  /** The earliest start that was sent, in ms since the epoch. The stored one is the same or earlier. */
  readonly start: number
  /** When the store last confirmed the row, in ms on the caller's clock. */
  readonly confirmedAt: number
}

/**
 * Sessions that are known to be stored, whose rows need not be sent again unless an event is earlier than the session's start. The
 * least recently used ones are dropped.
 */
export class StoredSessions {
  #sessions = new LruCache<StoredSession>(MAX_SESSIONS)

  /** Whether the session is stored with this start or an earlier one. */
  has(id: string, start: number, now: number): boolean {
    const known = this.#sessions.get(id)
    if (known === undefined || known.start > start) return false
    const age = now - known.confirmedAt
    // A negative age is a clock that was set back.
    return age >= 0 && age < RECHECK_MS
  }

  add(id: string, start: number, now: number): void {
    const known = this.#sessions.get(id)
    this.#sessions.set(id, { start: Math.min(start, known?.start ?? start), confirmedAt: now })
  }

  /** Its row could not be stored. */
  remove(id: string): void {
    this.#sessions.delete(id)
  }

  /** The store may be another one than before. */
  clear(): void {
    this.#sessions = new LruCache(MAX_SESSIONS)
  }
}
