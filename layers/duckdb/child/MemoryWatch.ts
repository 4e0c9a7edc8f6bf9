const UNITS: Readonly<Record<string, number>> = { MB: 1e6, MiB: 2 ** 20, GB: 1e9, GiB: 2 ** 30 }
/** The process may need twice DuckDB's limit, which does not count the strings of the rows at work, and this for everything else. */
const FACTOR = 2
const OTHER_BYTES = 512 * 2 ** 20
const CHECK_MS = 250
/** How long interrupted statements may take to end. */
const GRACE_MS = 2_000

/** The resident memory, in bytes, beyond which a process with this limit of DuckDB's is out of control. */
export const mostMemory = (limit: string): number => {
  const [, count, unit] = /^(\d+)(\w+)$/.exec(limit) ?? []
  return Number(count) * UNITS[unit ?? ""]! * FACTOR + OTHER_BYTES
}

export interface MemoryWatchOptions {
  /** In bytes. */
  readonly most: number
  /** Interrupts what runs. */
  readonly onExceeded: () => void
  /** Called if that did not help. */
  readonly onStuck: () => void
  readonly resident?: () => number
}

/**
 * Watches this process's memory: DuckDB's limit does not include the strings of the rows that it is working on, and a single function can
 * make them huge. Returns how to stop.
 */
export const watchMemory = ({
  most,
  onExceeded,
  onStuck,
  resident = process.memoryUsage.rss
}: MemoryWatchOptions): (() => void) => {
  let since: number | null = null
  const timer = setInterval(() => {
    if (resident() <= most) {
      since = null
      return
    }
    if (since === null) onExceeded()
    since ??= performance.now()
    if (performance.now() - since > GRACE_MS) onStuck()
  }, CHECK_MS)
  timer.unref()
  return () => clearInterval(timer)
}
