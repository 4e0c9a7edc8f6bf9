import { spawn } from "node:child_process"
import { chmodSync, chownSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "../../../bench/support/server.ts"
import { serverAccount } from "../../../layers/postgres/embedded/account.ts"
import { until } from "../eventually.ts"
import { notTested } from "../notTested.ts"
import { forgetProcess, guardFolder, guardProcess } from "../process/guard.ts"

/** Debian installs it outside the usual path of a user. */
const PROGRAM = Bun.which("pgbouncer") ?? Bun.which("pgbouncer", { PATH: "/usr/sbin" })

/** Whether PgBouncer is installed, for `describe.skipIf`. In CI, with `FOOTFALL_SERVICES_REQUIRED=1`, a missing one is a failure. */
export const hasPgBouncer = (): boolean => {
  if (PROGRAM !== null) return true
  const sentence = "PgBouncer is not installed; `apt-get install pgbouncer` installs it"
  if (process.env["FOOTFALL_SERVICES_REQUIRED"] === "1") throw new Error(sentence)
  notTested(`PgBouncer: ${sentence}.`)
  return false
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port })
    const answer = (open: boolean) => {
      socket.destroy()
      resolve(open)
    }
    socket.on("connect", () => answer(true))
    socket.on("error", () => answer(false))
  })

/** A PgBouncer in transaction mode before a server on this machine. */
export class PgBouncer implements AsyncDisposable {
  readonly port: number
  readonly #folder: string
  readonly #pid: number
  readonly #ended: Promise<void>

  private constructor(port: number, folder: string, pid: number, ended: Promise<void>) {
    this.port = port
    this.#folder = folder
    this.#pid = pid
    this.#ended = ended
  }

  static async start(options: { readonly serverPort: number; readonly poolSize: number }): Promise<PgBouncer> {
    const port = freePort()
    const folder = mkdtempSync(join(tmpdir(), "footfall-pgbouncer-"))
    guardFolder(folder)
    const users = join(folder, "users.txt")
    const configuration = join(folder, "pgbouncer.ini")
    writeFileSync(users, '"postgres" ""\n')
    writeFileSync(
      configuration,
      `[databases]
* = host=127.0.0.1 port=${options.serverPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${options.poolSize}
max_client_conn = 200
`
    )
    const account = serverAccount()
    chmodSync(folder, 0o755)
    if (account !== undefined)
      for (const path of [folder, users, configuration]) chownSync(path, account.uid, account.gid)
    const logPath = join(folder, "log")
    const log = openSync(logPath, "a")
    const child = spawn(PROGRAM!, [configuration], { ...account, cwd: "/", stdio: ["ignore", log, log] })
    closeSync(log)
    const pid = child.pid!
    guardProcess(pid)
    const ended = new Promise<void>((resolve) => child.on("exit", () => resolve()))
    void ended.then(() => forgetProcess(pid))
    const bouncer = new PgBouncer(port, folder, pid, ended)
    await until(
      () => `PgBouncer listens: ${readFileSync(logPath, "utf8")}`,
      () => accepts(port)
    )
    return bouncer
  }

  /** A URL for Footfall. */
  url(database: string): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}?pgbouncer=true`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.kill(this.#pid, "SIGKILL")
    await this.#ended
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
