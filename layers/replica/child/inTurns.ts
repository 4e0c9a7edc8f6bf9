import type { Store } from "./Store.ts"

export interface Work<Part> {
  /** Prepares a part in temporary tables, outside of transactions; null if there are no more. */
  readonly prepare: (writer: Store, index: number) => Promise<Part | null>
  /** Stores a part that the same writer has prepared. */
  readonly store: (writer: Store, part: Part) => Promise<void>
  /** After a failure, ends what the running `prepare` waits for. Statements are interrupted anyway. */
  readonly abandon?: () => Promise<void>
}

/**
 * Stores parts one after the other, in their order, and prepares the next one meanwhile: neither keeps all cores busy. Two writers take turns, since
 * temporary tables are visible to their own connection only.
 */
export const inTurns = <Part>(store: Store, work: Work<Part>): Promise<void> =>
  store.beside(async (other) => {
    const writerOf = (index: number) => (index % 2 === 0 ? store : other)
    let next = work.prepare(store, 0)
    try {
      for (let index = 0; ; index++) {
        const part = await next
        if (part === null) return
        next = work.prepare(writerOf(index + 1), index + 1)
        // A failure is seen when it is awaited, after this part has been stored.
        next.catch(() => {})
        await work.store(writerOf(index), part)
      }
    } catch (cause) {
      await work.abandon?.()
      for (const writer of [store, other]) writer.interrupt()
      throw cause
    } finally {
      // A connection cannot be closed while a statement runs.
      await next.catch(() => {})
    }
  })
