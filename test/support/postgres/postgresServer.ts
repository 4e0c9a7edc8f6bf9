import { spawn } from "node:child_process"
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Effect } from "effect"
import { freePort } from "../../../bench/support/server.ts"
import { serverAccount } from "../../../layers/postgres/embedded/account.ts"
import { findBinaries } from "../../../layers/postgres/embedded/binaries.ts"
import { until } from "../eventually.ts"
import { forgetProcess, guardFolder, guardProcess } from "../process/guard.ts"
import { childrenOf, signal } from "../process/processes.ts"

/** Longest start, including recovery after a kill. */
const START_MS = 30_000

export interface PostgresOptions {
  /** The folder of the server's programs; by default, the embedded Postgres's. */
  readonly binaries?: string
  /** The folders of the cluster and of its WAL; by default, new ones. */
  readonly folder?: string
  readonly walFolder?: string
  /** Arguments for initdb, such as the size of a segment. */
  readonly initdb?: ReadonlyArray<string>
  readonly settings?: Readonly<Record<string, string>>
  /** Files of the cluster by name, such as a certificate. */
  readonly files?: Readonly<Record<string, Uint8Array>>
}

/**
 * A real Postgres for one test, on a loopback TCP port, that the test may kill, pause and fill up. Unlike the embedded server of
 * `layers/postgres`, it is only restarted by the test.
 */
export class PostgresServer implements AsyncDisposable {
  readonly port = freePort()
  readonly url = `postgres://postgres@127.0.0.1:${this.port}/postgres`
  readonly #cluster: string
  readonly #folders: ReadonlyArray<string>
  readonly #log: string
  readonly #binaries: string
  #settings: Readonly<Record<string, string>>
  #pid: number | undefined
  #ended: Promise<void> = Promise.resolve()

  private constructor(binaries: string, cluster: string, folders: ReadonlyArray<string>, options: PostgresOptions) {
    this.#binaries = binaries
    this.#cluster = cluster
    this.#folders = folders
    this.#log = join(folders[0]!, "postgres.log")
    this.#settings = options.settings ?? {}
  }

  static async start(options: PostgresOptions = {}): Promise<PostgresServer> {
    const account = serverAccount()
    const binaries = options.binaries ?? (await Effect.runPromise(findBinaries(account))).folder
    const own = mkdtempSync(join(tmpdir(), "footfall-fault-"))
    guardFolder(own)
    chmodSync(own, 0o711)
    const cluster = join(options.folder ?? own, "cluster")
    const wal = join(options.walFolder ?? own, "wal")
    for (const path of [cluster, wal]) {
      mkdirSync(path, { mode: 0o700 })
      if (account !== undefined) chownSync(path, account.uid, account.gid)
    }
    const server = new PostgresServer(binaries, cluster, [own, cluster, wal], options)
    // Without sync, writes survive a killed process, which is all that these tests need.
    const args = ["-D", cluster, "-X", wal, "-U", "postgres", "-E", "UTF8", "--no-locale", "--auth=trust", "--no-sync"]
    const initdb = server.#spawn("initdb", [...args, "--no-instructions", ...(options.initdb ?? [])])
    const code = await new Promise((resolve) => initdb.on("exit", resolve))
    if (code !== 0) throw new Error(`initdb exited with ${code}: ${server.log()}`)
    for (const [name, content] of Object.entries(options.files ?? {})) server.replaceFile(name, content)
    await server.start()
    return server
  }

  /** Writes a file of the cluster, readable only by the server's account. */
  replaceFile(name: string, content: string | Uint8Array): void {
    const path = join(this.#cluster, name)
    writeFileSync(path, content, { mode: 0o600 })
    const account = serverAccount()
    if (account !== undefined) chownSync(path, account.uid, account.gid)
  }

  /** A copy of this server, which is stopped, with its own port; not started. */
  copy(): PostgresServer {
    const own = mkdtempSync(join(tmpdir(), "footfall-fault-"))
    guardFolder(own)
    chmodSync(own, 0o711)
    const cluster = join(own, "cluster")
    cpSync(this.#cluster, cluster, { recursive: true, dereference: true })
    const account = serverAccount()
    if (account !== undefined) {
      for (const path of [
        cluster,
        ...readdirSync(cluster, { recursive: true }).map((name) => join(cluster, String(name)))
      ]) {
        chownSync(path, account.uid, account.gid)
      }
    }
    chmodSync(cluster, 0o700)
    return new PostgresServer(this.#binaries, cluster, [own], { settings: this.#settings })
  }

  /** From its next start on, the server is a standby that follows this primary. */
  follow(primary: PostgresServer): void {
    writeFileSync(join(this.#cluster, "standby.signal"), "")
    this.#settings = {
      ...this.#settings,
      primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres`,
      recovery_target_timeline: "latest"
    }
  }

  /** Shuts the server down cleanly. Its standbys have received everything by then. */
  async stop(): Promise<void> {
    if (this.#pid !== undefined) signal(this.#pid, "SIGINT")
    await this.#ended
  }

  /** The server's output. */
  log(): string {
    return readFileSync(this.#log, "utf8")
  }

  /** Starts the server again and waits until it accepts connections. */
  async start(): Promise<void> {
    const settings = {
      listen_addresses: "127.0.0.1",
      port: String(this.port),
      unix_socket_directories: "",
      ...this.#settings
    }
    const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
    await until(
      () => `Postgres starts: ${this.log().slice(-1_000)}`,
      async () => {
        // After a kill, it does not start before the last orphaned backend has exited.
        if (this.#pid === undefined) this.#run(args)
        return this.#isReady()
      },
      START_MS
    )
  }

  /** Kills the postmaster and all its backends. */
  async kill(): Promise<void> {
    const pids = this.#processes()
    for (const pid of pids) signal(pid, "SIGKILL")
    await this.#ended
  }

  /** Stops every process of the server: its sockets stay open, but it does not answer. */
  pause(): void {
    if (this.#pid === undefined) return
    // The postmaster first, since it would start new processes.
    signal(this.#pid, "SIGSTOP")
    for (const pid of this.#processes()) signal(pid, "SIGSTOP")
  }

  resume(): void {
    for (const pid of this.#processes().reverse()) signal(pid, "SIGCONT")
  }

  /** Whether the server has exited or was killed. */
  get isGone(): boolean {
    return this.#pid === undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    for (const path of this.#folders) rmSync(path, { recursive: true, force: true })
  }

  #processes(): Array<number> {
    return this.#pid === undefined ? [] : [this.#pid, ...childrenOf(this.#pid)]
  }

  #isReady(): boolean {
    try {
      const lines = readFileSync(join(this.#cluster, "postmaster.pid"), "utf8").split("\n")
      return Number(lines[0]) === this.#pid && lines[7]?.trim() === "ready"
    } catch {
      return false
    }
  }

  #run(args: ReadonlyArray<string>): void {
    const child = this.#spawn("postgres", ["-D", this.#cluster, ...args])
    const pid = child.pid!
    this.#pid = pid
    guardProcess(pid)
    this.#ended = new Promise((resolve) => {
      child.on("exit", () => {
        this.#pid = undefined
        forgetProcess(pid)
        resolve()
      })
    })
  }

  #spawn(program: string, args: ReadonlyArray<string>) {
    const log = openSync(this.#log, "a")
    const child = spawn(join(this.#binaries, program), args, {
      ...serverAccount(),
      cwd: "/",
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC", LD_LIBRARY_PATH: join(dirname(this.#binaries), "lib") },
      stdio: ["ignore", log, log]
    })
    closeSync(log)
    return child
  }
}
