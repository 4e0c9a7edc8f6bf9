import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { spawnSync } from "node:child_process"
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Redacted, Scope } from "effect"
import { canEnter, serverAccount } from "../../../../layers/postgres/embedded/account.ts"
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../../../layers/postgres/embedded/EmbeddedPostgres.ts"
import { until } from "../../../support/eventually.ts"
import { notTested } from "../../../support/notTested.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { openClient } from "../../../support/postgres/postgres.ts"
import { forgetProcess, guardFolder, guardProcess } from "../../../support/process/guard.ts"
import { Program } from "../../../support/process/Program.ts"
import { childrenOf, isAlive } from "../../../support/process/processes.ts"

// A start takes a second or two on an idle machine.
setDefaultTimeout(180_000)

const SCRIPT = join(import.meta.dir, "../../../support/process/embeddedProcess.ts")
const IS_ROOT = process.getuid?.() === 0

const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "footfall-test-"))
  guardFolder(folder)
  // Like most folders, and unlike a temporary one, others may pass through it.
  chmodSync(folder, 0o711)
  return folder
}

/** A data folder with a stopped cluster that has a table. Copying it is much faster than creating one. */
let template: string
beforeAll(async () => {
  template = newFolder()
  await use(template, "CREATE TABLE kept AS SELECT 7 AS id")
})

/** A data folder with a stopped cluster. */
const dataFolder = (): string => {
  const folder = newFolder()
  expect(spawnSync("cp", ["-a", `${template}/.`, folder]).status).toBe(0)
  return folder
}

const query = (url: string, statement: string) =>
  run(Effect.flatMap(openClient(Redacted.make(url), 1), (sql) => sql.unsafe(statement)))

/** Uses the server of a folder in this process for one statement. */
const use = (folder: string, statement = "SELECT id FROM kept") =>
  run(
    Effect.flatMap(startEmbeddedPostgres(folder), ({ url }) =>
      Effect.flatMap(openClient(url, 1), (sql) => sql.unsafe(statement))
    )
  )

/** Why the server of a folder does not start. */
const startError = (folder: string): Promise<string> =>
  run(Effect.map(Effect.flip(startEmbeddedPostgres(folder)), ({ message }) => message))

/** Another process that uses the server of a folder until it is stopped. */
class User extends Program {
  static start(folder: string, as: ReadonlyArray<string> = []): User {
    return new User([...as, process.execPath, SCRIPT, folder], { environment: { HOME: folder } })
  }

  async joined(): Promise<{ readonly pid: number; readonly url: string }> {
    const url = await this.prints(/^uses \d+ at (\S+)$/m)
    const pid = Number(await this.prints(/^uses (\d+) /m))
    guardProcess(pid)
    return { url, pid }
  }

  async refused(): Promise<string> {
    return this.prints(/^refused: ([\s\S]*) \(end\)$/m)
  }

  async leaves(): Promise<void> {
    this.signal("SIGTERM")
    await this.ended()
  }
}

/** Whether a process is running, which a zombie is not. */
const isRunning = (pid: number): boolean => {
  try {
    return isAlive(pid) && !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return process.platform !== "linux" && isAlive(pid)
  }
}

const untilExited = async (pid: number): Promise<void> => {
  await until(`the process ${pid} has exited`, () => !isRunning(pid))
  forgetProcess(pid)
}

/** Kills the server like the kernel does when it is out of memory, without any clean-up. */
const killServer = async (pid: number): Promise<void> => {
  const backends = childrenOf(pid)
  for (const id of [pid, ...backends]) {
    try {
      process.kill(id, "SIGKILL")
    } catch {
      // A backend exits when its client is gone.
    }
  }
  for (const id of [pid, ...backends]) await untilExited(id)
}

describe("the first start", () => {
  test("the first start creates a durable cluster that only its account can read and only a password opens", async () => {
    const folder = join(newFolder(), "a", "b")
    await run(
      Effect.gen(function* () {
        const { pid, url } = yield* startEmbeddedPostgres(folder)
        const sql = yield* openClient(url, 1)
        expect(
          yield* sql.unsafe(`SELECT current_user AS role, current_database() AS database, current_setting('fsync') AS fsync,
            current_setting('full_page_writes') AS full_page_writes, current_setting('synchronous_commit') AS synchronous_commit,
            current_setting('listen_addresses') AS addresses, current_setting('server_encoding') AS encoding`)
        ).toEqual([
          {
            role: "footfall",
            database: "footfall",
            fsync: "on",
            full_page_writes: "on",
            synchronous_commit: "on",
            addresses: "",
            encoding: "UTF8"
          }
        ])
        yield* sql.unsafe("CREATE TABLE kept AS SELECT 7 AS id")

        const account = serverAccount()
        const owner = account?.uid ?? process.getuid?.()
        const [cluster, socket] = [join(folder, "postgres"), new URL(Redacted.value(url)).searchParams.get("host")!]
        for (const path of [cluster, socket]) {
          expect([statSync(path).uid, statSync(path).mode & 0o777]).toEqual([owner!, 0o700])
        }
        expect(statSync(join(folder, "password")).mode & 0o777).toBe(0o600)
        expect(statSync(folder).mode & 0o777).toBe(IS_ROOT ? 0o711 : 0o700)
        expect(statSync(`/proc/${pid()}`).uid).toBe(owner!)

        const wrong = new URL(Redacted.value(url))
        wrong.password = "guessed"
        const guessed = yield* openClient(Redacted.make(wrong.href), 1)
        expect(yield* Effect.isSuccess(guessed.unsafe("SELECT 1"))).toBe(false)
      })
    )
    expect(existsSync(join(folder, "postgres", "postmaster.pid"))).toBe(false)
    expect(await use(folder)).toEqual([{ id: 7 }])
  })

  test("processes that start at the same time create one cluster with one server", async () => {
    const folder = newFolder()
    const users = [1, 2, 3].map(() => User.start(folder))
    try {
      const servers = await Promise.all(users.map((user) => user.joined()))
      expect(new Set(servers.map(({ pid, url }) => `${pid} ${url}`)).size).toBe(1)
      expect(await query(servers[0]!.url, "SELECT 1 AS one")).toEqual([{ one: 1 }])
      await Promise.all(users.map((user) => user.leaves()))
      await untilExited(servers[0]!.pid)
    } finally {
      for (const user of users) await user[Symbol.asyncDispose]()
    }
  })

  test("a start succeeds after a process was killed while it created the cluster", async () => {
    const folder = newFolder()
    mkdirSync(join(folder, "postgres.unfinished", "base"), { recursive: true })
    writeFileSync(join(folder, "postgres.unfinished", "PG_VERSION"), "18\n")
    writeFileSync(join(folder, "password"), "created before")
    expect(await use(folder, "SELECT 1 AS one")).toEqual([{ one: 1 }])
    expect(readdirSync(folder)).not.toContain("postgres.unfinished")
  })
})

describe("sharing a server", () => {
  test("processes share the server, and the last one to leave stops it", async () => {
    const folder = dataFolder()
    await using first = User.start(folder)
    const server = await first.joined()
    await using second = User.start(folder)
    expect(await second.joined()).toEqual(server)

    await first.leaves()
    expect(await query(server.url, "SELECT id FROM kept")).toEqual([{ id: 7 }])
    expect(isRunning(server.pid)).toBe(true)
    await second.leaves()
    await untilExited(server.pid)
    expect(existsSync(join(folder, "postgres", "postmaster.pid"))).toBe(false)
  })

  test("scopes in a process share the server, and the last one to close stops it", async () => {
    const folder = dataFolder()
    const scopes = [Scope.makeUnsafe(), Scope.makeUnsafe()] as const
    const servers: Array<EmbeddedPostgres> = []
    for (const scope of scopes) {
      servers.push(await Effect.runPromise(startEmbeddedPostgres(folder).pipe(Scope.provide(scope))))
    }
    const pid = servers[0]!.pid()!
    expect(servers[1]!.pid()).toBe(pid)
    await Effect.runPromise(Scope.close(scopes[0], Exit.void))
    expect(await query(Redacted.value(servers[1]!.url), "SELECT id FROM kept")).toEqual([{ id: 7 }])
    await Effect.runPromise(Scope.close(scopes[1], Exit.void))
    await untilExited(pid)
    expect(servers[1]!.pid()).toBeUndefined()
  })

  test("a killed process leaves the server running, and the next process uses and stops it", async () => {
    const folder = dataFolder()
    await using killed = User.start(folder)
    const { pid } = await killed.joined()
    killed.signal("SIGKILL")
    await killed.ended()
    expect(isRunning(pid)).toBe(true)

    await using next = User.start(folder)
    expect((await next.joined()).pid).toBe(pid)
    await next.leaves()
    await untilExited(pid)
  })

  test("Ctrl-C in the terminal that started the server does not stop it", async () => {
    const folder = dataFolder()
    await using first = new User([process.execPath, SCRIPT, folder], { group: true, environment: { HOME: folder } })
    const { pid, url } = await first.joined()
    await using second = User.start(folder)
    await second.joined()
    first.interruptGroup()
    await first.ended()
    expect(await query(url, "SELECT pg_postmaster_start_time() < now() AS still")).toEqual([{ still: true }])
    expect(isRunning(pid)).toBe(true)
    await second.leaves()
    await untilExited(pid)
  })
})

describe("after a crash", () => {
  /** The folder of a server that was killed together with its client. */
  const crashed = async (): Promise<string> => {
    const folder = dataFolder()
    await using user = User.start(folder)
    const { pid, url } = await user.joined()
    await query(url, "INSERT INTO kept VALUES (8)")
    user.signal("SIGKILL")
    await user.ended()
    await killServer(pid)
    return folder
  }
  const COMMITTED = [{ id: 7 }, { id: 8 }]

  test("after a crash, the next start recovers every commit", async () => {
    const folder = await crashed()
    expect(existsSync(join(folder, "postgres", "postmaster.pid"))).toBe(true)
    expect(await use(folder)).toEqual(COMMITTED)
  })

  test("after a crash, the server starts even if another program has its process id", async () => {
    const folder = await crashed()
    const account = serverAccount()
    const other = Bun.spawn(["sleep", "60"], account === undefined ? {} : { uid: account.uid, gid: account.gid })
    try {
      const locks = [join(folder, "postgres", "postmaster.pid"), join(folder, "run", ".s.PGSQL.5432.lock")]
      for (const path of locks) {
        const [, ...rest] = readFileSync(path, "utf8").split("\n")
        writeFileSync(path, [String(other.pid), ...rest].join("\n"))
      }
      expect(await use(folder)).toEqual(COMMITTED)
      expect(other.exitCode).toBeNull()
    } finally {
      other.kill()
      await other.exited
    }
  })

  test("after a crash, the server starts even if its process id was not written", async () => {
    const folder = await crashed()
    truncateSync(join(folder, "postgres", "postmaster.pid"))
    expect(await use(folder)).toEqual(COMMITTED)
  })
})

describe("data folders", () => {
  /** Uses a server whose socket is in /tmp. */
  const useWithDistantSocket = (folder: string) =>
    run(
      Effect.gen(function* () {
        const { url } = yield* startEmbeddedPostgres(folder)
        const socketFolder = new URL(Redacted.value(url)).searchParams.get("host")!
        guardFolder(socketFolder)
        expect(socketFolder).toMatch(/^\/tmp\/footfall-[0-9a-f]{16}$/)
        const sql = yield* openClient(url, 1)
        return yield* sql.unsafe("SELECT 1 AS one")
      })
    )

  test("a data folder's path may be too long for a socket", async () => {
    const folder = join(newFolder(), "x".repeat(100))
    mkdirSync(folder)
    expect(spawnSync("cp", ["-a", `${template}/.`, folder]).status).toBe(0)
    expect(await useWithDistantSocket(folder)).toEqual([{ one: 1 }])
  })

  test("a relative path through a symbolic link is the same data folder", async () => {
    const folder = dataFolder()
    await using user = User.start(folder)
    const { pid } = await user.joined()
    const link = join(newFolder(), "link")
    expect(spawnSync("ln", ["-s", folder, link]).status).toBe(0)
    await run(
      Effect.gen(function* () {
        expect((yield* startEmbeddedPostgres(`${link}/../link`)).pid()).toBe(pid)
      })
    )
    await user.leaves()
  })

  test.skipIf(!IS_ROOT)("root can use a data folder that the server's account cannot enter", async () => {
    const parent = newFolder()
    const folder = join(parent, "private", "data")
    mkdirSync(folder, { recursive: true })
    chmodSync(join(parent, "private"), 0o700)
    expect(await useWithDistantSocket(folder)).toEqual([{ one: 1 }])
    expect(await useWithDistantSocket(folder)).toEqual([{ one: 1 }])
  })
})

describe("unusable data folders", () => {
  test("a cluster of another version of Postgres is rejected with a remedy", async () => {
    const folder = dataFolder()
    writeFileSync(join(folder, "postgres", "PG_VERSION"), "15\n")
    expect(await startError(folder)).toBe(
      `${folder}/postgres was created by Postgres 15; this build bundles Postgres 18. Move the data with pg_dump and pg_restore, or set DATABASE_URL to a Postgres 15 that serves it.`
    )
  })

  test("a missing password is reported with a remedy", async () => {
    const folder = dataFolder()
    rmSync(join(folder, "password"))
    expect(await startError(folder)).toBe(
      `${folder}/password is missing. Restore it, or move ${folder}/postgres away to start with an empty one.`
    )
  })

  test("a file as the data folder is rejected", async () => {
    const path = join(newFolder(), "file")
    writeFileSync(path, "")
    expect(await startError(path)).toBe(
      `${path} can't be used for the embedded Postgres (EEXIST). Set DATA_DIR to a folder that can, or DATABASE_URL to a Postgres to use.`
    )
  })

  test("if the server does not start, the error quotes its log", async () => {
    const folder = dataFolder()
    appendFileSync(join(folder, "postgres", "postgresql.conf"), "nonsense = 1\n")
    const message = await startError(folder)
    expect(message).toStartWith(`The embedded Postgres in ${folder}/postgres did not start. It exited with 1.\n`)
    expect(message).toContain('unrecognized configuration parameter "nonsense"')
  })
})

const UNPRIVILEGED = { uid: 65_534, gid: 65_534 }
const readable = !IS_ROOT || canEnter(import.meta.dir, UNPRIVILEGED)
const unprivileged = !IS_ROOT ? "/usr/bin/env" : readable ? Bun.which("setpriv") : null
if (unprivileged === null) {
  notTested(`Unprivileged users: ${readable ? "setpriv is not installed" : "they cannot enter the project's folder"}.`)
}

describe.skipIf(unprivileged === null)("an unprivileged user", () => {
  const account = IS_ROOT ? UNPRIVILEGED : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  const AS_UNPRIVILEGED = IS_ROOT
    ? [unprivileged!, `--reuid=${account.uid}`, `--regid=${account.gid}`, "--clear-groups"]
    : [unprivileged!]

  test("an unprivileged user runs the server as itself, in a folder that only it can enter", async () => {
    const folder = newFolder()
    chownSync(folder, account.uid, account.gid)
    await using user = User.start(folder, AS_UNPRIVILEGED)
    const { pid, url } = await user.joined()
    expect([statSync(`/proc/${pid}`).uid, statSync(join(folder, "postgres")).uid]).toEqual([account.uid, account.uid])
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(await query(url, "SELECT 1 AS one")).toEqual([{ one: 1 }])
    await user.leaves()
    await untilExited(pid)
  })

  test.skipIf(!IS_ROOT)("an unprivileged user gets a remedy for a data folder that it cannot write", async () => {
    const folder = newFolder()
    chmodSync(folder, 0o555)
    await using user = User.start(folder, AS_UNPRIVILEGED)
    expect(await user.refused()).toBe(
      `${folder}/start.lock can't be written by this user (SQLITE_CANTOPEN). Set DATA_DIR to a folder that can, or DATABASE_URL to a Postgres to use.`
    )
  })

  test("an unprivileged user gets a remedy for a data folder that it cannot create", async () => {
    const folder = newFolder()
    chmodSync(folder, 0o555)
    await using user = User.start(join(folder, "data"), AS_UNPRIVILEGED)
    expect(await user.refused()).toBe(
      `${folder}/data can't be written by this user (EACCES). Set DATA_DIR to a folder that can, or DATABASE_URL to a Postgres to use.`
    )
  })

  test.skipIf(!IS_ROOT)("an unprivileged user gets a remedy for data that root created", async () => {
    const folder = dataFolder()
    chmodSync(folder, 0o755)
    await using user = User.start(folder, AS_UNPRIVILEGED)
    expect(await user.refused()).toMatch(/can't be written by this user/)
  })
})
