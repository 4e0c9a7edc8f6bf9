/**
 * Signals within this time count as one. A terminal and a service manager signal every process of a group, and the parent forwards the
 * signal too (`bun run` does so twice). People do not press Ctrl-C twice that fast.
 */
const SAME_SIGNAL_MS = 500

/** Signals that ask a process to stop. */
export const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const

/** Calls `onSignal` for the first stop signal, and again for each later one. */
export const onStopSignals = (onSignal: (signal: string, first: boolean) => void): void => {
  let firstAt: number | null = null
  const listener = (signal: string) => {
    const now = performance.now()
    if (firstAt !== null && now - firstAt < SAME_SIGNAL_MS) return
    const first = firstAt === null
    firstAt ??= now
    onSignal(signal, first)
  }
  for (const signal of STOP_SIGNALS) process.on(signal, listener)
}
