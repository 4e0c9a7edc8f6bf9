import { LruCache } from "../../src/lib/LruCache.ts"

/** About 100 bytes each. */
const MAX_SESSIONS = 40_000

/**
 * Sessions that are known to be stored, whose rows need not be sent again unless an event is earlier than the session's start. The
 * least recently used ones are dropped.
 */
export class StoredSessions {
  /** The earliest start that was sent, in ms since the epoch. The stored one is the same or earlier. */
  readonly #starts = new LruCache<number>(MAX_SESSIONS)

  /** Whether the session is stored with this start or an earlier one. */
  has(id: string, start: number): boolean {
    const known = this.#starts.get(id)
    return known !== undefined && known <= start
  }

  add(id: string, start: number): void {
    const known = this.#starts.get(id)
    if (known === undefined || start < known) this.#starts.set(id, start)
  }

  /** Its row could not be stored. */
  remove(id: string): void {
    this.#starts.delete(id)
  }
}
