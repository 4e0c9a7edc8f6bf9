import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { SETTINGS } from "../../src/settings/settings.ts"

export const ROOT = join(import.meta.dir, "..", "..")
export const HOSTNAME = "127.0.0.1"

/** A server that does not answer within this time does not work. */
const START_DEADLINE_MS = 60_000
/** A server that does not drain within this time is killed. */
const STOP_DEADLINE_MS = 40_000
/** How often a starting server is asked. */
const POLL_MS = 1
/** Linux counts CPU time in hundredths of a second for every program (USER_HZ), whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100

export interface ServerOptions {
  /** Arguments of `bun`, from the project's folder. */
  readonly run: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
}

export interface Server extends AsyncDisposable {
  readonly port: number
  /** From the process's start to the first answer with 200, in ms. */
  readonly firstAnswerMs: number
  /** CPU seconds, user and system, of the process and its children so far. */
  readonly cpuSeconds: () => number
  /** Resident memory of the process and its children, now and at its highest, in bytes. */
  readonly memory: () => { readonly now: number; readonly peak: number }
}

/** This process's environment without any setting of ours: a benchmark sets what it means. */
const bareEnvironment = (): Record<string, string> => {
  const names = new Set(SETTINGS.map(({ env }) => env))
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || names.has(name) ? [] : [[name, value]]
    )
  )
}

/** What `bun run collector` sets for the runtime before it starts. */
const runtimeOptions = async (): Promise<Record<string, string>> => {
  const { scripts } = (await Bun.file(join(ROOT, "package.json")).json()) as {
    readonly scripts: Record<string, string>
  }
  const options = [...scripts["collector"]!.matchAll(/\b(BUN_JSC_\w+)=\$\{\1:-(\w+)\}/g)]
  if (options.length === 0) throw new Error("package.json's collector sets no option of the runtime")
  return Object.fromEntries(options.map(([, name, value]) => [name!, value!]))
}

/** A port of the loopback interface that nobody listens on. */
export const freePort = (): number => {
  const probe = Bun.listen({ hostname: HOSTNAME, port: 0, socket: { data: () => {} } })
  const { port } = probe
  probe.stop(true)
  return port
}

/** Asks `request` until it is answered with 200; the time it took in ms. */
const untilAnswered = async (request: () => Promise<Response>, isAlive: () => boolean): Promise<number> => {
  const startedAt = performance.now()
  for (;;) {
    try {
      const response = await request()
      await response.arrayBuffer()
      if (response.status === 200) return performance.now() - startedAt
    } catch {
      // Not listening yet.
    }
    if (!isAlive()) throw new Error("the server under test ended while it started")
    if (performance.now() - startedAt > START_DEADLINE_MS) throw new Error("the server under test does not answer")
    await Bun.sleep(POLL_MS)
  }
}

/** Starts a server process on a free port of the loopback interface and waits until `firstRequest` is answered with 200. */
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

/** A process and all below it; empty where there is no /proc, so that CPU and memory are told as 0. */
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

/** Fields 14 and 15 of /proc/PID/stat (proc(5)), counted behind the name, which may hold blanks. */
const cpuSeconds = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

const kilobytes = (name: string) => (status: string) =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0)
