import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { SETTINGS } from "../../src/settings/settings.ts"

export const ROOT = join(import.meta.dir, "..", "..")
export const HOSTNAME = "127.0.0.1"

/** A server that does not answer within this time is broken. */
const START_DEADLINE_MS = 60_000
/** A server that does not drain within this time is killed. */
const STOP_DEADLINE_MS = 40_000
/** Interval between requests to a server that is starting. */
const POLL_MS = 1
/** Linux counts CPU time in hundredths of a second for every program (USER_HZ), whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100

export interface ServerOptions {
  /** Arguments of `bun`, run in the project's folder. */
  readonly run: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
}

export interface Server extends AsyncDisposable {
  readonly port: number
  /** From the start of the process to the first response with 200, in ms. */
  readonly firstAnswerMs: number
  /** CPU seconds, user and system, that the process and its children have used so far. */
  readonly cpuSeconds: () => number
  /** Resident memory of the process and its children, current and peak, in bytes. */
  readonly memory: () => { readonly now: number; readonly peak: number }
}

/** This process's environment without Footfall's settings: a benchmark sets all it needs. */
const bareEnvironment = (): Record<string, string> => {
  const names = new Set(SETTINGS.map(({ env }) => env))
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || names.has(name) ? [] : [[name, value]]
    )
  )
}

/** The runtime options that `bun run collector` sets. */
const runtimeOptions = async (): Promise<Record<string, string>> => {
  const { scripts } = (await Bun.file(join(ROOT, "package.json")).json()) as {
    readonly scripts: Record<string, string>
  }
  const options = [...scripts["collector"]!.matchAll(/\b(BUN_JSC_\w+)=\$\{\1:-(\w+)\}/g)]
  if (options.length === 0) throw new Error("package.json's collector script sets no runtime option")
  return Object.fromEntries(options.map(([, name, value]) => [name!, value!]))
}

/** A free port of the loopback interface. */
export const freePort = (): number => {
  const probe = Bun.listen({ hostname: HOSTNAME, port: 0, socket: { data: () => {} } })
  const { port } = probe
  probe.stop(true)
  return port
}

/** Sends `request` until the response is 200; returns the time that took, in ms. */
const untilAnswered = async (request: () => Promise<Response>, isAlive: () => boolean): Promise<number> => {
  const startedAt = performance.now()
  for (;;) {
    try {
      const response = await request()
      await response.arrayBuffer()
      if (response.status === 200) return performance.now() - startedAt
    } catch {
      // It does not listen yet.
    }
    if (!isAlive()) throw new Error("the server under test ended while starting")
    if (performance.now() - startedAt > START_DEADLINE_MS) throw new Error("the server under test does not answer")
    await Bun.sleep(POLL_MS)
  }
}

/** Starts a server process on a free loopback port and waits until `firstRequest` gets a 200. */
export const startServer = async (
  options: ServerOptions,
  firstRequest: (origin: string) => Promise<Response> = (origin) => fetch(`${origin}/livez`)
): Promise<Server> => {
  const runtime = await runtimeOptions()
  const port = freePort()
  const startedAt = performance.now()
  const child = Bun.spawn([process.execPath, ...options.run], {
    cwd: ROOT,
    env: { ...runtime, ...bareEnvironment(), HOST: HOSTNAME, LOG_LEVEL: "warn", ...options.env, PORT: String(port) },
    stdio: ["ignore", "ignore", "inherit"]
  })
  const stop = async () => {
    child.kill("SIGTERM")
    const deadline = setTimeout(() => child.kill("SIGKILL"), STOP_DEADLINE_MS)
    await child.exited
    clearTimeout(deadline)
  }
  try {
    await untilAnswered(
      () => firstRequest(`http://${HOSTNAME}:${port}`),
      () => child.exitCode === null
    )
  } catch (error) {
    await stop()
    throw error
  }
  return {
    port,
    firstAnswerMs: performance.now() - startedAt,
    cpuSeconds: () => sum(family(child.pid).map(cpuSeconds)),
    memory: () => {
      const statuses = family(child.pid).map((pid) => readFileSync(`/proc/${pid}/status`, "utf8"))
      return { now: sum(statuses.map(kilobytes("VmRSS"))) * 1_024, peak: sum(statuses.map(kilobytes("VmHWM"))) * 1_024 }
    },
    [Symbol.asyncDispose]: stop
  }
}

const sum = (values: ReadonlyArray<number>) => values.reduce((total, value) => total + value, 0)

/** A process and all its descendants; empty on systems without /proc, where CPU and memory are reported as 0. */
const family = (pid: number): ReadonlyArray<number> => {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number)
    )
    return [pid, ...children.flatMap(family)]
  } catch {
    return []
  }
}

/** Fields 14 and 15 of /proc/PID/stat (proc(5)), counted after the name, which may contain spaces. */
const cpuSeconds = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

const kilobytes = (name: string) => (status: string) =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0)
