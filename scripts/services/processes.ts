import { spawn } from "node:child_process"
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import type { Account } from "../../layers/postgres/embedded/account.ts"
import { inServices } from "./place.ts"

/** A log is started anew past this size, the former one kept as `.1`. */
const LOG_BYTES = 16 << 20
const TAIL_LINES = 25
const POLL_MS = 50

/** How to start a program. */
export interface Command {
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly cwd?: string
  /** The whole environment of the program. */
  readonly env: Readonly<Record<string, string>>
  readonly account?: Account | undefined
  /** An open file that the program finds as its descriptor 3; closed here once it has it. */
  readonly descriptor?: number | undefined
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

/** When the process began, in a form that no later process of the same id can have; undefined when there is none. */
const birthOf = (pid: number): string | undefined => {
  if (process.platform === "linux") {
    // The program's name, in parentheses, may hold anything: fields count from behind it. 3rd: state, 22nd: start in ticks.
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

/** The process that we started under this name, if it is still that one. */
export const runningPid = (name: string): number | undefined => {
  const [pid, birth] = (read(pidFile(name)) ?? "").split("\n")
  return pid !== undefined && birth !== undefined && birthOf(Number(pid)) === birth ? Number(pid) : undefined
}

export const logTail = (name: string, lines = TAIL_LINES): string =>
  (read(logFile(name)) ?? "").trimEnd().split("\n").slice(-lines).join("\n")

/** Starts a program in a session of its own, its output in its log: neither Ctrl-C nor our end reaches it. */
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
  // Told as a process that is gone at once.
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
    // It is gone.
  }
}

/** Whether the condition holds within the time. */
export const eventually = async (withinMs: number, holds: () => boolean | Promise<boolean>): Promise<boolean> => {
  for (const until = Date.now() + withinMs; ; ) {
    if (await holds()) return true
    if (Date.now() > until) return false
    await Bun.sleep(POLL_MS)
  }
}

/** Ends what we started under this name: by the signal, and when that does not help within the time by SIGKILL. */
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
    // A killed process goes as soon as the kernel has a moment for it.
    if (!(await eventually(10_000, gone))) throw new Error(`${name}: process ${pid} can't be killed.`)
  }
  rmSync(pidFile(name), { force: true })
  return stopped ? "stopped" : "killed"
}

/** Memory that the process itself holds, in bytes; undefined when there is no telling. */
export const memoryOf = (pid: number): number | undefined => {
  const kib = Number(Bun.spawnSync(["ps", "-p", String(pid), "-o", "rss="]).stdout.toString())
  return kib > 0 ? kib * 1_024 : undefined
}
