import { spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { totalmem } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { StartError } from "../../../src/domain/StartError.ts"
import { type Account, canEnter } from "./account.ts"
import type { Binaries } from "./binaries.ts"
import { diskFull } from "./fileError.ts"

/** Names the socket, `.s.PGSQL.5432`, in a folder of its own: it can't clash with another server's. */
export const SOCKET_PORT = 5432
/** Recovery after a crash reads up to `max_wal_size`; a start that takes longer goes on by itself and can be joined later. */
export const START_TIMEOUT_MS = 60_000
/** A fast shutdown writes what is dirty in `shared_buffers`. */
export const STOP_TIMEOUT_MS = 15_000
const INITDB_TIMEOUT_MS = 60_000
const POLL_MS = 10
/** The log is started anew past this size, the former one kept as `.1`. */
const LOG_BYTES = 8 << 20
const LOG_TAIL_BYTES = 2_000
/** No process can have this id: what a `postmaster.pid` names when its process is known to be gone. */
const NO_PROCESS = 2_147_483_647

/** One server's place: its cluster, its socket and log, its programs, and whom to run it as. */
export interface Place {
  /** Absolute, without links. */
  readonly cluster: string
  readonly socketFolder: string
  readonly log: string
  readonly binaries: Binaries
  readonly account: Account | undefined
}

export interface Postmaster {
  readonly pid: number
  readonly socketFolder: string
  readonly state: "starting" | "ready" | "stopping"
}

const MIB = 1 << 20
const memory = (): number => {
  try {
    const limit = Number(readFileSync("/sys/fs/cgroup/memory.max", "utf8"))
    return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  } catch {
    return totalmem()
  }
}

/** The same for every process that uses the cluster. */
export const clusterName = (cluster: string): string =>
  `footfall-${createHash("sha256").update(cluster).digest("hex").slice(0, 16)}`

/** Given on the command line, so that a newer Footfall never meets an older one's configuration file. */
const settings = (place: Place): Readonly<Record<string, string>> => ({
  cluster_name: clusterName(place.cluster),
  listen_addresses: "",
  port: String(SOCKET_PORT),
  unix_socket_directories: place.socketFolder,
  unix_socket_permissions: "0700",
  // 64 workers' writers, and a pool of six for each of the first few.
  max_connections: "250",
  // A stored event is an fsynced event: nothing here may weaken that.
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  // The newest month's indexes want to stay in memory; an eighth leaves the machine to the collector and the page cache.
  shared_buffers: `${Math.round(Math.min(Math.max(memory() / 8, 64 * MIB), 1024 * MIB) / MIB)}MB`,
  // Inserts at random session ids touch most pages again after each checkpoint, and each first touch writes the whole page
  // to the log. Rare checkpoints and compressed pages keep that small; the server has CPU to spare. Recovery stays short.
  max_wal_size: "2GB",
  min_wal_size: "128MB",
  checkpoint_timeout: "15min",
  wal_compression: "on",
  // Batches are short and plans are reused: compiling them never pays.
  jit: "off",
  random_page_cost: "1.1",
  timezone: "UTC",
  log_timezone: "UTC",
  log_min_messages: "warning",
  log_checkpoints: "off",
  log_connections: "",
  log_lock_waits: "off",
  // DETAIL lines and statements of failed inserts hold visitors' data: not for a log.
  log_error_verbosity: "terse",
  log_min_error_statement: "panic"
})

const processName = (pid: number): string => {
  try {
    // Empty for a zombie.
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
    return spawnSync("ps", ["-p", String(pid), "-o", "command="], { encoding: "utf8" }).stdout
  } catch {
    return ""
  }
}

/** The server that runs on this cluster, from its `postmaster.pid`; undefined when its process is gone or another program. */
export const readPostmaster = (cluster: string): Postmaster | undefined => {
  let lines: ReadonlyArray<string>
  try {
    lines = readFileSync(join(cluster, "postmaster.pid"), "utf8").split("\n")
  } catch {
    return undefined
  }
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 0 || !processName(pid).includes(`cluster_name=${clusterName(cluster)} `))
    return undefined
  const state = lines[7]?.trim()
  return {
    pid,
    socketFolder: lines[4] ?? "",
    state: state === "ready" ? "ready" : state === "stopping" ? "stopping" : "starting"
  }
}

/**
 * Postgres refuses to start while its `postmaster.pid` names a living process. After a crash of the machine or container
 * that may be any program; its other lines stay, by which Postgres sees that no orphaned backend still uses the cluster.
 */
const disownStalePid = ({ cluster, socketFolder }: Place): void => {
  // The socket's lock names the process too. No other server may use the folder, so nothing is lost with it.
  rmSync(join(socketFolder, `.s.PGSQL.${SOCKET_PORT}.lock`), { force: true })
  const path = join(cluster, "postmaster.pid")
  try {
    const lines = readFileSync(path, "utf8").split("\n")
    writeFileSync(path, [String(NO_PROCESS), ...lines.slice(1)].join("\n"))
  } catch {
    // There is none: a clean shutdown.
  }
}

const childOptions = ({ account, binaries }: Place) => ({
  ...account,
  cwd: "/",
  env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC", LD_LIBRARY_PATH: join(binaries.folder, "..", "lib") }
})

/**
 * Root may run us in a folder that the server's account can't enter, as a clone in /root. The account owns the cluster all
 * the same, so it is handed the open folder as a descriptor, whose path needs no search permission above it.
 */
const openCluster = ({
  account,
  cluster
}: Place): { readonly path: string; readonly descriptor: number | undefined } =>
  account === undefined || process.platform !== "linux" || canEnter(cluster, account)
    ? { path: cluster, descriptor: undefined }
    : { path: "/proc/self/fd/3", descriptor: openSync(cluster, "r") }

/** Asks until there is an answer or the time is over. */
export const waitFor = Effect.fnUntraced(function* <A>(ask: () => A | undefined, withinMs: number) {
  for (let waited = 0; ; waited += POLL_MS) {
    const answer = ask()
    if (answer !== undefined || waited >= withinMs) return answer
    yield* Effect.sleep(POLL_MS)
  }
})

const NO_SPACE = "No space left on device"

/** Runs one of the server's programs on the cluster, to its end. */
export const runProgram = Effect.fnUntraced(function* (
  place: Place,
  program: "initdb" | "postgres",
  args: (cluster: string) => ReadonlyArray<string>,
  input = ""
) {
  const outcome = yield* Effect.callback<{ readonly code: number | null; readonly output: string }>((resume) => {
    const { descriptor, path } = openCluster(place)
    const child = spawn(join(place.binaries.folder, program), args(path), {
      ...childOptions(place),
      stdio: ["pipe", "pipe", "pipe", descriptor ?? "ignore"],
      timeout: INITDB_TIMEOUT_MS
    })
    if (descriptor !== undefined) closeSync(descriptor)
    let output = ""
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-LOG_TAIL_BYTES)
    }
    child.stdout?.on("data", keep)
    child.stderr?.on("data", keep)
    child.on("error", (error) => resume(Effect.succeed({ code: null, output: output + String(error) })))
    child.on("close", (code) => resume(Effect.succeed({ code, output })))
    child.stdin?.on("error", () => {})
    child.stdin?.end(input)
    return Effect.sync(() => child.kill("SIGKILL"))
  })
  if (outcome.code === 0) return
  if (outcome.output.includes(NO_SPACE)) return yield* diskFull(place.cluster)
  return yield* new StartError({
    message: `The embedded Postgres can't be set up in ${place.cluster}: ${program} ended with ${outcome.code ?? "no answer"}.\n${outcome.output.trim()}\nSet DATABASE_URL to use another Postgres.`
  })
})

const logSize = (path: string): number => {
  try {
    return statSync(path).size
  } catch {
    return 0
  }
}

const logSince = (path: string, start: number): string => {
  try {
    return readFileSync(path).subarray(start).subarray(-LOG_TAIL_BYTES).toString("utf8").trim()
  } catch {
    return ""
  }
}

/**
 * Starts the server on its cluster, in a session of its own: neither Ctrl-C nor the end of this process reaches it.
 * Resumes when it takes connections. The caller holds the start lock.
 */
export const startServer = Effect.fnUntraced(function* (place: Place) {
  disownStalePid(place)
  if (logSize(place.log) > LOG_BYTES) renameSync(place.log, `${place.log}.1`)
  const logStart = logSize(place.log)
  const log = openSync(place.log, "a", 0o600)
  const { descriptor, path } = openCluster(place)
  const args = ["-D", path, ...Object.entries(settings(place)).flatMap(([name, value]) => ["-c", `${name}=${value}`])]
  const child = spawn(join(place.binaries.folder, "postgres"), args, {
    ...childOptions(place),
    detached: true,
    stdio: ["ignore", log, log, descriptor ?? "ignore"]
  })
  closeSync(log)
  if (descriptor !== undefined) closeSync(descriptor)
  child.unref()
  let ended: string | undefined
  child.on("error", (error) => {
    ended = String(error)
  })
  child.on("exit", (code, signal) => {
    ended = `It ended with ${code ?? signal}.`
  })
  const outcome = yield* waitFor(() => {
    const postmaster = readPostmaster(place.cluster)
    return postmaster?.state === "ready" ? postmaster : ended
  }, START_TIMEOUT_MS)
  if (outcome !== undefined && typeof outcome !== "string") return outcome
  const tail = logSince(place.log, logStart)
  if (tail.includes(NO_SPACE)) return yield* diskFull(place.cluster)
  return yield* new StartError({
    message: `The embedded Postgres in ${place.cluster} did not start. ${outcome ?? `It is not ready after ${START_TIMEOUT_MS / 1000} s and was left to go on.`}\n${tail}`
  })
})

/** A fast, clean shutdown: clients are disconnected, everything is written. False when it did not end in time. */
export const stopServer = Effect.fnUntraced(function* (cluster: string) {
  const postmaster = readPostmaster(cluster)
  if (postmaster === undefined) return true
  process.kill(postmaster.pid, "SIGINT")
  const gone = yield* waitFor(() => (readPostmaster(cluster) === undefined ? true : undefined), STOP_TIMEOUT_MS)
  return gone === true
})
