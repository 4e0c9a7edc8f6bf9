import { Effect } from "effect"

/** Minimum time between two lines, in ms: smooth on a terminal, sparse in a log file. */
const TERMINAL_INTERVAL_MS = 100
const LOG_INTERVAL_MS = 5_000

export interface Progress {
  /** On a terminal, replaces the last line; otherwise prints a new one every few seconds. */
  readonly show: (line: string) => void
  readonly end: Effect.Effect<void>
}

/** Progress on standard error, so that standard output contains only the result. */
export const makeProgress: Effect.Effect<Progress> = Effect.sync(() => {
  const terminal = process.stderr.isTTY === true
  const interval = terminal ? TERMINAL_INTERVAL_MS : LOG_INTERVAL_MS
  let shownAt = performance.now()
  let isShown = false
  return {
    show: (line) => {
      const now = performance.now()
      if (now - shownAt < interval) return
      shownAt = now
      isShown = true
      process.stderr.write(terminal ? `\r\u001b[K${line}` : `${line}\n`)
    },
    end: Effect.sync(() => {
      if (terminal && isShown) process.stderr.write("\r\u001b[K")
    })
  }
})

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const

/** `1.5 MB`, with a factor of 1,000 between units. */
export const bytes = (count: number): string => {
  const power = count < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(count) / 3))
  const value = count / 1_000 ** power
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`
}

/** `12,345`. */
export const number = (count: number): string => count.toLocaleString("en-US")
