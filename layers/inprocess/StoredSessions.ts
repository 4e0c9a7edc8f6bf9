import { LruCache } from "../../src/lib/LruCache.ts"

/** About 100 bytes each. */
const MAX_SESSIONS = 40_000

/** Sessions that are known to be stored, whose rows need not be sent again. The least recently used ones are dropped. */
export class StoredSessions {
  readonly #recent = new LruCache<true>(MAX_SESSIONS)

  has(id: string): boolean {
    return this.#recent.get(id) !== undefined
  }

  add(id: string): void {
    this.#recent.set(id, true)
  }

  /** Its row could not be stored. */
  remove(id: string): void {
    this.#recent.delete(id)
  }
}
