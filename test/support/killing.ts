import { expect } from "bun:test"
import { existsSync, mkdirSync, watch } from "node:fs"
import { join } from "node:path"
import type { LakeUnderTest } from "./lake/LakeUnderTest.ts"
import type { Program } from "./Program.ts"
import type { StepProxy } from "./proxy/StepProxy.ts"

/** A process that did not come to the step within this time never will. */
const STEP_MS = 20_000
/** What the kernel's SIGKILL leaves as exit code. */
const KILLED = 137

/** A step at which a process is killed. `arm` sees to it that `kill` is called then; what it answers is undone afterwards. */
export interface KillPoint {
  readonly name: string
  readonly arm: (kill: () => void) => () => void
}

/** `before`: the server never hears of it. `stored`: it did it, and nobody was told. `answered`: just after it was told. */
export type Moment = "before" | "stored" | "answered"

/** When a request that matches comes by. */
export const atRequest = (name: string, proxy: StepProxy, matches: RegExp, moment: Moment, afterMs = 0): KillPoint => ({
  name: `${name}, ${moment}`,
  arm: (kill) => {
    const soon = () => (afterMs === 0 ? kill() : void setTimeout(kill, afterMs))
    void proxy.first(matches, () => {
      if (moment !== "before") return { lose: moment === "stored", answered: soon }
      kill()
      return "cut"
    })
    return () => proxy.well()
  }
})

/** When something happens to a file of the log. */
export const atLog = (name: string, lake: LakeUnderTest, file: RegExp, event?: "rename" | "change"): KillPoint => ({
  name,
  arm: (kill) => {
    const folder = join(lake.spools, "0")
    if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 })
    const watcher = watch(folder, (kind, changed) => {
      if (file.test(String(changed)) && (event === undefined || kind === event)) kill()
    })
    return () => watcher.close()
  }
})

/** At any moment, from when the process starts. */
export const atRandom = (withinMs: number): KillPoint => ({
  name: "at random",
  arm: (kill) => {
    const timer = setTimeout(kill, Math.random() * withinMs)
    return () => clearTimeout(timer)
  }
})

/** Has a program come to each step, killed there, and the next one take its place. */
export const killAtEach = async (points: ReadonlyArray<KillPoint>, spawn: () => Program): Promise<void> => {
  for (const { arm, name } of points) {
    await using program = spawn()
    const undo = arm(() => program.signal("SIGKILL"))
    const late = setTimeout(() => program.signal("SIGTERM"), STEP_MS)
    const code = await program.ended()
    clearTimeout(late)
    undo()
    expect([name, code, code === KILLED ? "" : program.output]).toEqual([name, KILLED, ""])
  }
}
