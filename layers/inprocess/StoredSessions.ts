import { LruCache } from "../../src/lib/LruCache.ts"

/** So many ids are remembered at most, some 100 bytes each. */
const SESSIONS = 40_000

/** Sessions that are known to be stored: their rows need not be sent again. Forgets the ones longest unused, a half at a time. */
export class StoredSessions {
  readonly #recent = new LruCache<true>(SESSIONS)

  has(id: string): boolean {
    return this.#recent.get(id) !== undefined
  }

  add(id: string): void {
    this.#recent.set(id, true)
  }

  /** It is not stored after all. */
  remove(id: string): void {
    this.#recent.delete(id)
  }
}
