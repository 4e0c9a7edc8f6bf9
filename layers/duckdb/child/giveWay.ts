import { dlopen, FFIType, ptr } from "bun:ffi"
import { readdirSync } from "node:fs"
import { setPriority } from "node:os"

/** On a busy machine, the process that acknowledges events runs first. */
export const NICENESS = 10
/** How long a thread runs before another one that has just become ready takes its place. Linux's own choice is 1.4 ms with two cores. */
const SLICE_NS = 100_000n

/** The number of the system call `sched_setattr`. */
const CALLS: Readonly<Partial<Record<NodeJS.Architecture, number>>> = { x64: 314, arm64: 274 }
/** Bytes of `struct sched_attr` in its first version. */
const ATTRIBUTES = 48

/** Linux 6.12 and later take a thread's slice as the run time of its attributes; earlier ones ignore it. */
const shortenSlices = (threads: ReadonlyArray<number>, call: number): void => {
  const { close, symbols } = dlopen("libc.so.6", {
    syscall: { args: [FFIType.i64, FFIType.i64, FFIType.ptr, FFIType.i64], returns: FFIType.i64 }
  })
  const attributes = new DataView(new ArrayBuffer(ATTRIBUTES))
  attributes.setUint32(0, ATTRIBUTES, true)
  attributes.setInt32(16, NICENESS, true)
  attributes.setBigUint64(24, SLICE_NS, true)
  for (const thread of threads) symbols.syscall(call, thread, ptr(attributes.buffer), 0)
  close()
}

/**
 * Makes this process give way to others: at once where Linux can do that, since an event passes through several processes, and each would
 * wait for the end of a slice. On Linux, each thread has its own niceness, which it passes on to those that it starts.
 */
export const giveWay = (): void => {
  setPriority(0, NICENESS)
  if (process.platform !== "linux") return
  const call = CALLS[process.arch]
  try {
    const threads = readdirSync("/proc/self/task").map(Number)
    for (const thread of threads) setPriority(thread, NICENESS)
    if (call !== undefined) shortenSlices(threads, call)
  } catch {
    // A thread has just ended, or another libc: the next call may reach the rest.
  }
}
