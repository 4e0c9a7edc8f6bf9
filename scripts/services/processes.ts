import { spawn } from "node:child_process"
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import type { Account } from "../../layers/postgres/embedded/account.ts"
import { inServices } from "./place.ts"

/** Above this size a log is rotated; the previous one is kept as `.1`. */
const LOG_BYTES = 16 << 20
const TAIL_LINES = 25
const POLL_MS = 50

/** How to start a program. */
export interface Command {
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly cwd?: string
  /** The program's whole environment. */
  readonly env: Readonly<Record<string, string>>
  readonly account?: Account | undefined
  /** An open file that the program gets as descriptor 3; closed here once it has it. */
  readonly descriptor?: number | undefined
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

/** When the process began, in a form that no later process with the same id can have; undefined if it does not exist. */
const birthOf = (pid: number): string | undefined => {
  if (process.platform === "linux") {
    // The program's name, in parentheses, may contain anything, so fields are counted after it. 3rd: state, 22nd: start in ticks.
    const fields = read(`/proc/${pid}/stat`)?.replace(/^.*\)/s, "").trim().split(" ")
    if (fields === undefined || fields[0] === "Z") return undefined
    return `${read("/proc/sys/kernel/random/boot_id")?.trim()} ${fields[19]}`
  }
  const { stdout } = Bun.spawnSync(["ps", "-p", String(pid), "-o", "stat=,lstart="])
  const text = stdout.toString().trim()
  return text === "" || text.startsWith("Z") ? undefined : text.replace(/^\S+\s+/, "")
}

const pidFile = (name: string): string => inServices("run", `${name}.pid`)
export const logFile = (name: string): string => inServices("log", `${name}.log`)

/** The process that we started under this name, if it is still the same one. */
export const runningPid = (name: string): number | undefined => {
  const [pid, birth] = (read(pidFile(name)) ?? "").split("\n")
  return pid !== undefined && birth !== undefined && birthOf(Number(pid)) === birth ? Number(pid) : undefined
}

export const logTail = (name: string, lines = TAIL_LINES): string =>
  (read(logFile(name)) ?? "").trimEnd().split("\n").slice(-lines).join("\n")

/** Starts a program in its own session with its output in a log file: neither Ctrl-C nor our exit affects it. */
export const startDetached = (name: string, command: Command): number => {
  for (const folder of ["run", "log"]) mkdirSync(inServices(folder), { recursive: true })
  const path = logFile(name)
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES) renameSync(path, `${path}.1`)
  const log = openSync(path, "a", 0o600)
  const child = spawn(command.program, command.args, {
    ...command.account,
    cwd: command.cwd ?? "/",
    env: command.env,
    detached: true,
    stdio: ["ignore", log, log, command.descriptor ?? "ignore"]
  })
  // Reported as a process that ended immediately.
  child.on("error", (error) => console.error(String(error)))
  closeSync(log)
  if (command.descriptor !== undefined) closeSync(command.descriptor)
  child.unref()
  const pid = child.pid ?? 0
  writeFileSync(pidFile(name), `${pid}\n${birthOf(pid) ?? "gone"}\n`)
  return pid
}

const tell = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended.
  }
}

/** Whether the condition becomes true within the time. */
export const eventually = async (withinMs: number, holds: () => boolean | Promise<boolean>): Promise<boolean> => {
  for (const until = Date.now() + withinMs; ; ) {
    if (await holds()) return true
    if (Date.now() > until) return false
    await Bun.sleep(POLL_MS)
  }
}

/** Ends what we started under this name, with the signal, or with SIGKILL if that does not help in time. */
export const stopProcess = async (
  name: string,
  signal: NodeJS.Signals,
  withinMs: number
): Promise<"stopped" | "killed" | "was down"> => {
  const pid = runningPid(name)
  if (pid === undefined) {
    rmSync(pidFile(name), { force: true })
    return "was down"
  }
  tell(pid, signal)
  const gone = () => runningPid(name) === undefined
  const stopped = await eventually(withinMs, gone)
  if (!stopped) {
    tell(pid, "SIGKILL")
    // The kernel may need a moment to remove a killed process.
    if (!(await eventually(10_000, gone))) throw new Error(`${name}: process ${pid} cannot be killed.`)
  }
  rmSync(pidFile(name), { force: true })
  return stopped ? "stopped" : "killed"
}

/** Memory of the process itself, in bytes; undefined if unknown. */
export const memoryOf = (pid: number): number | undefined => {
  const kib = Number(Bun.spawnSync(["ps", "-p", String(pid), "-o", "rss="]).stdout.toString())
  return kib > 0 ? kib * 1_024 : undefined
}
