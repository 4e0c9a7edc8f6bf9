import { dlopen, FFIType, ptr } from "bun:ffi"
import { readdirSync, writeFileSync } from "node:fs"
import { getPriority, setPriority } from "node:os"

/** That of processes that answer questions. They still get a fortieth of a core that others keep busy. */
const NICENESS = 15

/**
 * How long a thread may run before another that is ready takes its place, in ns. Linux lets a thread that wakes up with a shorter slice
 * interrupt one with a longer slice at once. Otherwise it may wait for the next tick, up to 4 ms, and an event wakes several threads on its way.
 */
const SLICES = { prompt: 100_000n, patient: 3_000_000n }

/** The number of the system call `sched_setattr`. */
const CALLS: Readonly<Partial<Record<NodeJS.Architecture, number>>> = { x64: 314, arm64: 274 }
/** Bytes of `struct sched_attr` in its first version. */
const ATTRIBUTES = 48
const NICENESS_AT = 16
const RUN_TIME_AT = 24

/** Linux 6.12 and later take the run time in a thread's attributes as its slice. Earlier ones ignore it. */
const setSlices = (threads: ReadonlyArray<number>, slice: bigint): void => {
  const call = CALLS[process.arch]
  if (call === undefined) return
  const { close, symbols } = dlopen("libc.so.6", {
    syscall: { args: [FFIType.i64, FFIType.i64, FFIType.ptr, FFIType.i64], returns: FFIType.i64 }
  })
  const attributes = new DataView(new ArrayBuffer(ATTRIBUTES))
  attributes.setUint32(0, ATTRIBUTES, true)
  attributes.setBigUint64(RUN_TIME_AT, slice, true)
  for (const thread of threads) {
    attributes.setInt32(NICENESS_AT, getPriority(thread), true)
    symbols.syscall(call, thread, ptr(attributes.buffer), 0)
  }
  close()
}

/** Threads pass niceness and slices on to those that they start, and processes to their children. */
const threadsOf = (pid: number | "self"): ReadonlyArray<number> => readdirSync(`/proc/${pid}/task`).map(Number)

const onLinux = (work: () => void): void => {
  if (process.platform !== "linux") return
  try {
    work()
  } catch {
    // A thread or the process has just ended, or there is another libc. It still works, only less promptly.
  }
}

/** Lets a process, by default this one, run as soon as it has something to do, before those that give way. */
export const runPromptly = (pid: number | "self" = "self"): void =>
  onLinux(() => setSlices(threadsOf(pid), SLICES.prompt))

let hasSession = false

/**
 * Moves this process to a session of its own that gives way to others. Where Linux groups processes by session (autogroup), niceness only counts
 * within one, and the embedded Postgres, for example, has its own. Without this, a question would make a commit wait for up to 100 ms.
 */
const leaveSession = (): void => {
  if (hasSession) return
  hasSession = true
  const { close, symbols } = dlopen("libc.so.6", { setsid: { args: [], returns: FFIType.i32 } })
  symbols.setsid()
  close()
  writeFileSync("/proc/self/autogroup", String(NICENESS))
}

/** Makes this process give way to others. To be called again for threads that have begun meanwhile. */
export const giveWay = (): void => {
  setPriority(0, NICENESS)
  onLinux(leaveSession)
  onLinux(() => {
    const threads = threadsOf("self")
    for (const thread of threads) setPriority(thread, NICENESS)
    setSlices(threads, SLICES.patient)
  })
}

/** Makes the calling thread give way to others, if threads have a niceness of their own. Elsewhere this would change the whole process. */
export const giveWayInThread = (niceness: number): void =>
  onLinux(() => {
    setPriority(0, niceness)
    setSlices([0], SLICES.patient)
  })
