import { beforeAll, expect, test } from "bun:test"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { tryLock } from "../../../layers/inprocess/FileLock.ts"
import { until } from "../../support/eventually.ts"
import { guardFolder } from "../../support/guard.ts"
import { Program } from "../../support/Program.ts"

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
    console.log(globalThis.lock === undefined ? "in vain" : "held")
    setInterval(() => {}, 1_000)`
  const program = new Program([process.execPath, "-e", script])
  expect(await program.prints(/^(held|in vain)$/m)).toBe("held")
  return program
}

test.each([
  ["shared", "shared", true],
  ["shared", "exclusive", false],
  ["exclusive", "shared", false],
  ["exclusive", "exclusive", false]
] as const)("a lock that another process holds %s is to be had %s: %p", async (theirs, ours, had) => {
  const path = join(folder, `${theirs} ${ours}`)
  await using other = await holder(path, theirs)
  expect(tryLock(path, ours) !== undefined).toBe(had)
  other.signal("SIGKILL")
  // However its holder ends, a lock ends with it.
  await other.ended()
  await until("the lock is free", () => {
    const lock = tryLock(path, "exclusive")
    lock?.release()
    return lock !== undefined || had
  })
})

test("locks of one process count as those of several, and are given back one by one", () => {
  const path = join(folder, "own")
  const [first, second] = [tryLock(path, "shared"), tryLock(path, "shared")]
  first?.release()
  expect(tryLock(path, "exclusive")).toBeUndefined()
  second?.release()
  const alone = tryLock(path, "exclusive")
  expect(alone).toBeDefined()
  expect(tryLock(path, "shared")).toBeUndefined()
  alone?.release()
})

test("a lock in a folder that is not there can't be taken", () => {
  expect(() => tryLock("/nowhere/lock", "shared")).toThrow()
})
