/** Twice this many ids are remembered at most, some 100 bytes each. */
const GENERATION = 20_000

/** Sessions that are known to be stored: their rows need not be sent again. Forgets the ones longest unused, a half at a time. */
export class StoredSessions {
  private young = new Set<string>()
  private old = new Set<string>()

  has(id: string): boolean {
    if (this.young.has(id)) return true
    if (!this.old.has(id)) return false
    this.add(id)
    return true
  }

  add(id: string): void {
    this.young.add(id)
    if (this.young.size < GENERATION) return
    this.old = this.young
    this.young = new Set()
  }
}
