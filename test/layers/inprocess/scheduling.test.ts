import { expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

const MODULE = join(import.meta.dir, "..", "..", "..", "layers", "inprocess", "scheduling.ts")
/** Whether the kernel shows slices. */
const IS_SHOWN = existsSync("/proc/self/sched") && readFileSync("/proc/self/sched", "utf8").includes("se.slice")

/** Slices in ns and niceness of all threads, printed by the process itself. */
const PRINT = `
const { readdirSync, readFileSync } = require("node:fs")
const { getPriority } = require("node:os")
const seen = readdirSync("/proc/self/task").map((thread) => {
  const slice = /se\\.slice\\s*:\\s*(\\d+)/.exec(readFileSync("/proc/self/task/" + thread + "/sched", "utf8"))
  return slice[1] + " " + getPriority(Number(thread))
})
console.log([...new Set(seen)].join(", "))`

const threadsAfter = (...calls: ReadonlyArray<string>): string => {
  const script = `import { giveWay, giveWayInThread, runPromptly } from ${JSON.stringify(MODULE)}\n${calls.join("\n")}\n${PRINT}`
  const { stdout, stderr } = Bun.spawnSync([process.execPath, "-e", script])
  if (stderr.length > 0) throw new Error(stderr.toString())
  return stdout.toString().trim()
}

test.if(IS_SHOWN)("a process that runs promptly has short slices in all threads", () => {
  expect(threadsAfter("runPromptly()")).toBe("100000 0")
})

test.if(IS_SHOWN)("a child of a process that runs promptly gives way to it in all threads", () => {
  expect(threadsAfter("runPromptly()", "giveWay()")).toBe("3000000 15")
})

test.if(IS_SHOWN)("a thread that gives way leaves the others prompt", () => {
  expect(threadsAfter("runPromptly()", "giveWayInThread(10)").split(", ").sort()).toEqual(["100000 0", "3000000 10"])
})

test.if(IS_SHOWN)("running promptly keeps the priority that an operator chose", () => {
  expect(threadsAfter("require('node:os').setPriority(0, 5)", "runPromptly()")).toContain("100000 5")
})

test.if(IS_SHOWN)("children of a process that runs promptly run promptly, too", () => {
  const print = `console.log(/se\\.slice\\s*:\\s*(\\d+)/.exec(require("node:fs").readFileSync("/proc/self/sched", "utf8"))[1])`
  const child = `process.stdout.write(Bun.spawnSync([process.execPath, "-e", ${JSON.stringify(print)}]).stdout)`
  expect(threadsAfter("runPromptly()", child).split("\n")[0]).toBe("100000")
})
