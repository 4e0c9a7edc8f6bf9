import { beforeAll, expect, test } from "bun:test"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { tryLock } from "../../../layers/inprocess/FileLock.ts"
import { until } from "../../support/eventually.ts"
import { guardFolder } from "../../support/process/guard.ts"
import { Program } from "../../support/process/Program.ts"

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "footfall-test-"))
  guardFolder(folder)
})

const MODULE = join(import.meta.dir, "../../../layers/inprocess/FileLock.ts")

/** Another process that holds the lock until it is killed. */
const holder = async (path: string, mode: "shared" | "exclusive"): Promise<Program> => {
  const script = `import { tryLock } from "${MODULE}"
    globalThis.lock = tryLock(${JSON.stringify(path)}, "${mode}")
    console.log(globalThis.lock === undefined ? "refused" : "held")
    setInterval(() => {}, 1_000)`
  const program = new Program([process.execPath, "-e", script])
  expect(await program.prints(/^(held|refused)$/m)).toBe("held")
  return program
}

test.each([
  ["shared", "shared", true],
  ["shared", "exclusive", false],
  ["exclusive", "shared", false],
  ["exclusive", "exclusive", false]
] as const)(
  "while another process holds a lock in %s mode, taking it in %s mode succeeds: %p",
  async (theirs, ours, succeeds) => {
    const path = join(folder, `${theirs} ${ours}`)
    await using other = await holder(path, theirs)
    expect(tryLock(path, ours) !== undefined).toBe(succeeds)
    other.signal("SIGKILL")
    // The lock ends with its holder, however that ends.
    await other.ended()
    await until("the lock is free", () => {
      const lock = tryLock(path, "exclusive")
      lock?.release()
      return lock !== undefined || succeeds
    })
  }
)

test("locks in one process exclude each other like those of several, and are released one by one", () => {
  const path = join(folder, "own")
  const [first, second] = [tryLock(path, "shared"), tryLock(path, "shared")]
  first?.release()
  expect(tryLock(path, "exclusive")).toBeUndefined()
  second?.release()
  const exclusive = tryLock(path, "exclusive")
  expect(exclusive).toBeDefined()
  expect(tryLock(path, "shared")).toBeUndefined()
  exclusive?.release()
})

test("a lock in a missing folder throws", () => {
  expect(() => tryLock("/dev/null/lock", "shared")).toThrow()
})
