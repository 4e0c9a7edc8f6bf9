import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SQL } from "bun"
import { freePort } from "../../bench/support/server.ts"
import { CREDENTIALS } from "../../scripts/services/credentials.ts"
import { guardFolder, guardProcess } from "../support/process/guard.ts"
import { isAlive } from "../support/process/processes.ts"

setDefaultTimeout(180_000)

const ROOT = join(import.meta.dir, "../..")
const folder = mkdtempSync(join(tmpdir(), "footfall-services-"))
guardFolder(folder)
const port = freePort()

interface Run {
  readonly code: number
  readonly output: string
  readonly errors: string
}

/** The launcher on a folder and a port of this test's own. */
const services = async (
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>> = {}
): Promise<Run> => {
  const child = Bun.spawn([process.execPath, join(ROOT, "scripts/services.ts"), ...args], {
    env: { ...process.env, FOOTFALL_SERVICES: folder, FOOTFALL_PORT_POSTGRES: String(port), ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe"
  })
  const [output, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { code, output, errors }
}

const status = async (name: string) => {
  const [found] = JSON.parse((await services(["status", name, "--json"])).output)
  return found as { readonly state: string; readonly pid: number | null; readonly memoryBytes: number | null }
}

const pidFile = join(folder, "run", "postgres.pid")

describe("the launcher of local services", () => {
  afterAll(async () => {
    await services(["down"])
  })

  test("the launcher prints its usage, and what is wrong with an invalid command", async () => {
    const help = await services(["--help"])
    expect(help).toMatchObject({ code: 0, errors: "" })
    expect(help.output).toContain("bun run services up")
    expect((await services([])).code).toBe(2)
    expect(await services(["up", "posgres"])).toMatchObject({
      code: 2,
      errors: expect.stringContaining("There is no service posgres. Services: postgres, seaweedfs, moto, trino.")
    })
    expect((await services(["up", "postgres"], { FOOTFALL_PORT_POSTGRES: "many" })).errors).toContain(
      'FOOTFALL_PORT_POSTGRES is "many"; it accepts 1 to 65535.'
    )
  })

  test("concurrent launchers start a stopped service once", async () => {
    expect((await status("postgres")).state).toBe("down")
    const runs = await Promise.all([1, 2, 3].map(() => services(["up", "postgres"])))
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0])
    expect(runs.filter(({ errors }) => errors.includes("starting"))).toHaveLength(1)
    const { memoryBytes, pid, state } = await status("postgres")
    guardProcess(pid!)
    expect(state).toBe("up")
    expect(memoryBytes).toBeGreaterThan(1e6)
    const { password, user } = CREDENTIALS.postgres
    await using sql = new SQL(`postgres://${user}:${password}@127.0.0.1:${port}/lake`, { max: 1 })
    expect(await sql`SELECT current_user`.values()).toEqual([[user]])
    expect(await sql`SHOW listen_addresses`.values()).toEqual([["127.0.0.1"]])
    expect(await sql`SHOW unix_socket_directories`.values()).toEqual([[""]])
    await sql.unsafe("CREATE TABLE kept AS SELECT 7 AS seven")
    const stranger = new SQL(`postgres://${user}:wrong@127.0.0.1:${port}/lake`, { max: 1 })
    await expect(stranger`SELECT 1`.execute()).rejects.toThrow("password authentication failed")
  })

  test("the launcher restarts a killed service with its data", async () => {
    const { pid } = await status("postgres")
    process.kill(pid!, "SIGKILL")
    expect(await services(["up", "postgres"])).toMatchObject({ code: 0 })
    const again = await status("postgres")
    guardProcess(again.pid!)
    expect(again.pid).not.toBe(pid)
    const { password, user } = CREDENTIALS.postgres
    await using sql = new SQL(`postgres://${user}:${password}@127.0.0.1:${port}/lake`, { max: 1 })
    expect(await sql`SELECT seven FROM kept`.values()).toEqual([[7]])
  })

  test("the launcher stops what it started and waits until it has ended", async () => {
    expect((await status("postgres")).state).toBe("up")
    expect(await services(["down", "postgres"])).toMatchObject({
      code: 0,
      errors: expect.stringContaining("stopped in")
    })
    const { password, user } = CREDENTIALS.postgres
    await using sql = new SQL(`postgres://${user}:${password}@127.0.0.1:${port}/lake`, { max: 1 })
    await expect(sql`SELECT 1`.execute()).rejects.toThrow("Failed to connect")
    expect(await services(["down", "postgres"])).toMatchObject({ code: 0, errors: expect.stringContaining("is down") })
  })

  test("the launcher does not touch another process that has a service's former process id", async () => {
    await using stranger = Bun.spawn(["sleep", "600"])
    mkdirSync(join(folder, "run"), { recursive: true })
    writeFileSync(pidFile, `${stranger.pid}\nanother birth\n`)
    expect((await status("postgres")).state).toBe("down")
    expect((await services(["down", "postgres"])).errors).toContain("is down")
    expect(isAlive(stranger.pid)).toBe(true)
  })

  test("the launcher reports the port that another program occupies", async () => {
    const other = createServer().listen(port, "127.0.0.1")
    await new Promise((resolve) => other.on("listening", resolve))
    const { code, errors } = await services(["up", "postgres"])
    other.close()
    expect(code).toBe(1)
    expect(errors.trim()).toBe(
      `postgres: port ${port} is taken by another program. End it, or set FOOTFALL_PORT_POSTGRES to a free one.`
    )
  })

  test("the launcher prints the last log lines of a service that ended while starting", async () => {
    writeFileSync(join(folder, "postgres", "cluster", "PG_VERSION"), "9\n")
    const { code, errors } = await services(["up", "postgres"])
    expect(code).toBe(1)
    expect(errors).toContain("postgres: ended while starting. Its last lines")
    expect(errors).toContain("database files are incompatible with server")
    expect(errors).toContain(`remove ${join(folder, "postgres")}`)
    expect(readFileSync(join(folder, "log", "postgres.log"), "utf8")).toContain("incompatible")
  })
})
