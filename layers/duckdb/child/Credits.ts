/** How many chunks a stream may send before its reader has read some: back-pressure between processes. */
export class Credits {
  #left: number
  readonly #signal: AbortSignal
  #waiting: (() => void) | null = null

  constructor(initial: number, signal: AbortSignal) {
    this.#left = initial
    this.#signal = signal
    signal.addEventListener("abort", () => this.#wake())
  }

  give(credits: number): void {
    this.#left += credits
    this.#wake()
  }

  /** Takes one, when there is one. Rejects when the signal aborts. One call at a time. */
  async take(): Promise<void> {
    while (this.#left === 0 && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
      })
    }
    this.#signal.throwIfAborted()
    this.#left--
  }

  #wake(): void {
    this.#waiting?.()
    this.#waiting = null
  }
}
