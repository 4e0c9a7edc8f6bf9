import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { open } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Cause, Effect, Exit, Fiber, Scope } from "effect"
import { makeDuckDbChild } from "../../layers/duckdb/child/DuckDbChild.ts"
import { mostMemory } from "../../layers/duckdb/child/MemoryWatch.ts"
import { duckdbExtensions } from "../../scripts/services/engines.ts"
import { until } from "../support/eventually.ts"
import { childrenOf, isAlive, signal } from "../support/process/processes.ts"
import { areUp } from "./areUp.ts"

setDefaultTimeout(180_000)

const ENTRY = new URL("../../src/duckDbChild.ts", import.meta.url)
/** A write to disk takes milliseconds, and the statements below take minutes. */
const BLOCKED_MS = 2_000
const ENDLESS = "SELECT sum((a.range * b.range) % 7) AS n FROM range(1000000) a, range(1000000) b"
const request = (sql: string) => ({
  query: { sql, parameters: [], tables: [] },
  locations: [],
  s3: null,
  maxRows: 10
})

/** A child and its process id, which end with the stack. */
const startChild = async (all: AsyncDisposableStack) => {
  const options = { extensionFolder: await duckdbExtensions(), memoryLimit: "512MB" }
  const before = childrenOf(process.pid)
  const scope = Scope.makeUnsafe()
  all.defer(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const child = await Effect.runPromise(Scope.provide(makeDuckDbChild(ENTRY, options), scope))
  await Effect.runPromise(child.ensureOpened)
  const started = () => childrenOf(process.pid).find((pid) => !before.includes(pid) && isDuckDb(pid))
  return { child, started }
}

const isDuckDb = (pid: number): boolean =>
  Bun.spawnSync(["ps", "-o", "args=", "-p", String(pid)])
    .stdout.toString()
    .includes("duckDbChild")

const residentBytes = (pid: number): number =>
  Number(Bun.spawnSync(["ps", "-o", "rss=", "-p", String(pid)]).stdout.toString()) * 1_024

const isSlow = async (milliseconds: number) => {
  await Bun.sleep(milliseconds)
  return "blocked" as const
}

describe.skipIf(!(await areUp("seaweedfs")))("DuckDB's process", () => {
  test("running statements do not delay a write to disk in the process that waits for them", async () => {
    await using all = new AsyncDisposableStack()
    const { child } = await startChild(all)
    const folder = mkdtempSync(join(tmpdir(), "footfall-duckdb-"))
    all.defer(() => rmSync(folder, { recursive: true }))
    const running = [1, 2].map(() => Effect.runFork(child.run(request(ENDLESS))))
    await Bun.sleep(300)
    const write = async () => {
      await using file = await open(join(folder, "spool"), "w")
      await file.write("event")
      await file.datasync()
      return "written" as const
    }
    expect(await Promise.race([write(), isSlow(BLOCKED_MS)])).toBe("written")
    for (const fiber of running) await Effect.runPromise(Fiber.interrupt(fiber))
    // Both have ended, or this one would wait for them.
    expect((await Effect.runPromise(child.run(request("SELECT 42 AS n")))).rows).toEqual([[42]])
  })

  test("a query whose process is killed fails as Unavailable, and the next query starts another process", async () => {
    await using all = new AsyncDisposableStack()
    const { child, started } = await startChild(all)
    const running = Effect.runFork(child.run(request(ENDLESS)))
    await Bun.sleep(100)
    signal(started()!, "SIGKILL")
    const exit = await Effect.runPromise(Fiber.await(running))
    expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({
      reason: "Unavailable",
      message: "DuckDB's process ended with SIGKILL during the query. The next query starts it again."
    })
    expect((await Effect.runPromise(child.run(request("SELECT 1 AS n")))).rows).toEqual([[1]])
  })

  test("a signal to the whole group does not end DuckDB's process, and closing its scope does", async () => {
    await using all = new AsyncDisposableStack()
    const { child, started } = await startChild(all)
    const pid = started()!
    signal(pid, "SIGTERM")
    signal(pid, "SIGINT")
    expect((await Effect.runPromise(child.run(request("SELECT 1 AS n")))).rows).toEqual([[1]])
    expect(started()).toBe(pid)
    await all.disposeAsync()
    await until("the process to end", () => !isAlive(pid))
  })

  test("a query whose strings grow beyond all bounds ends as TooLarge before it takes the machine's memory", async () => {
    await using all = new AsyncDisposableStack()
    const { child, started } = await startChild(all)
    const pid = started()!
    const longer = (of: string, times: number) => `replace(${of}, '/', repeat('/', ${times}))`
    const running = Effect.runFork(
      child.run(request(`SELECT max(length(${longer(longer("'/' || range", 3_000), 300)})) AS n FROM range(100000)`))
    )
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, residentBytes(pid))
    }, 100)
    const exit = await Effect.runPromise(Fiber.await(running))
    clearInterval(watch)
    expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ reason: "TooLarge" })
    expect(most).toBeGreaterThan(mostMemory("512MB") / 2)
    expect(most).toBeLessThan(mostMemory("512MB") * 3)
    // It ends if it cannot be interrupted, and another one answers.
    const answers = () => Effect.runPromiseExit(child.run(request("SELECT 1 AS n")))
    await until("an answer", async () => Exit.isSuccess(await answers()))
    await until("the memory to be free", () => !isAlive(pid) || residentBytes(pid) < mostMemory("512MB"))
  })

  test("DuckDB's process ends in the middle of a query when the process that started it is killed", async () => {
    const program = join(import.meta.dir, "../support/process/duckDbParent.ts")
    const environment = { ...process.env, EXTENSIONS: await duckdbExtensions(), STATEMENT: ENDLESS }
    const parent = Bun.spawn([process.execPath, program], { stdout: "pipe", env: environment })
    for await (const chunk of parent.stdout) if (new TextDecoder().decode(chunk).includes("ready")) break
    const pid = childrenOf(parent.pid).find(isDuckDb)!
    expect(isAlive(pid)).toBe(true)
    parent.kill("SIGKILL")
    await until("the process to end", () => !isAlive(pid))
  })
})
