import { dlopen, FFIType, ptr } from "bun:ffi"
import { setPriority } from "node:os"

/** On a busy machine, the process that acknowledges events runs first. */
const NICENESS = 10
/** How long a thread runs before another one that has just become ready takes its place. Linux's own choice is 1.4 ms with two cores. */
const SLICE_NS = 100_000n

/** The number of the system call `sched_setattr`. */
const CALLS: Readonly<Partial<Record<NodeJS.Architecture, number>>> = { x64: 314, arm64: 274 }
/** Bytes of `struct sched_attr` in its first version. */
const ATTRIBUTES = 48

/** Linux 6.12 and later take a thread's slice as the run time of its attributes; earlier ones ignore it. */
const shortenSlice = (call: number): void => {
  const { close, symbols } = dlopen("libc.so.6", {
    syscall: { args: [FFIType.i64, FFIType.i64, FFIType.ptr, FFIType.i64], returns: FFIType.i64 }
  })
  const attributes = new DataView(new ArrayBuffer(ATTRIBUTES))
  attributes.setUint32(0, ATTRIBUTES, true)
  attributes.setInt32(16, NICENESS, true)
  attributes.setBigUint64(24, SLICE_NS, true)
  symbols.syscall(call, 0, ptr(attributes.buffer), 0)
  close()
}

/**
 * Makes this process, and the threads that it starts from now on, give way to others: at once where Linux can do that, since an event passes
 * through several processes, and each would wait for the end of a slice.
 */
export const giveWay = (): void => {
  setPriority(0, NICENESS)
  const call = CALLS[process.arch]
  if (process.platform !== "linux" || call === undefined) return
  try {
    shortenSlice(call)
  } catch {
    // Another libc: the lower priority has to do.
  }
}
