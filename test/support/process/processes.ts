import { readFileSync } from "node:fs"

/** The running processes that this one started, youngest last. */
export const childrenOf = (pid: number): ReadonlyArray<number> => {
  const { stdout } = Bun.spawnSync(["ps", "-A", "-o", "pid=,ppid="])
  return stdout
    .toString()
    .split("\n")
    .flatMap((line) => {
      const [child, parent] = line.trim().split(/\s+/).map(Number)
      return parent === pid ? [child!] : []
    })
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The most memory that a process ever held, in MiB; 0 on systems without /proc. */
export const peakMemory = (pid: number): number => {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1_024
  } catch {
    return 0
  }
}

/** Sends a signal to a process, which may have ended. */
export const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended.
  }
}
