/**
 * Within this time a signal is the same one again. A terminal and a service manager signal every process of a group, and what
 * starts us hands the signal on as well (`bun run` does so twice); nobody presses Ctrl-C a second time that soon.
 */
const SAME_SIGNAL_MS = 500

const SIGNALS = ["SIGTERM", "SIGINT"] as const

/** Calls `heard` for the first SIGTERM or SIGINT, and for those that come later than right after it. */
export const onStopSignals = (heard: (signal: string, first: boolean) => void): void => {
  let firstAt: number | null = null
  const listener = (signal: string) => {
    const now = performance.now()
    if (firstAt !== null && now - firstAt < SAME_SIGNAL_MS) return
    const first = firstAt === null
    firstAt ??= now
    heard(signal, first)
  }
  for (const signal of SIGNALS) process.on(signal, listener)
}
