import { expect } from "bun:test"
import { existsSync, mkdirSync, watch } from "node:fs"
import { join } from "node:path"
import { allowing } from "../eventually.ts"
import type { LakeUnderTest } from "../lake/LakeUnderTest.ts"
import type { FaultProxy } from "../proxy/FaultProxy.ts"
import type { Program } from "./Program.ts"

/** A process that has not reached the step within this time never will. */
const STEP_MS = 40_000
/** Exit code after SIGKILL. */
const KILLED = 137

/** A step at which a process is killed. `arm` makes that step call `kill`, and returns how to undo that. */
export interface KillPoint {
  readonly name: string
  readonly arm: (kill: () => void) => () => void
}

/** `before`: the server never receives the request. `stored`: it handled it but the answer is lost. `answered`: just after the answer. */
export type Moment = "before" | "stored" | "answered"

/** At the first request that matches. */
export const atRequest = (
  name: string,
  proxy: FaultProxy,
  matches: RegExp,
  moment: Moment,
  afterMs = 0
): KillPoint => ({
  name: `${name}, ${moment}`,
  arm: (kill) => {
    const soon = () => (afterMs === 0 ? kill() : void setTimeout(kill, afterMs))
    void proxy.first(matches, () => {
      if (moment !== "before") return { isLost: moment === "stored", onAnswer: soon }
      kill()
      return "cut"
    })
    return () => proxy.reset()
  }
})

/** When a file of the spool changes. */
export const atSpoolFile = (
  name: string,
  lake: LakeUnderTest,
  file: RegExp,
  event?: "rename" | "change"
): KillPoint => ({
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

/** At a random moment after the process starts. */
export const atRandom = (withinMs: number): KillPoint => ({
  name: "at random",
  arm: (kill) => {
    const timer = setTimeout(kill, Math.random() * withinMs)
    return () => clearTimeout(timer)
  }
})

/** Starts a program for each step and expects it to be killed there. */
export const killAtEach = async (points: ReadonlyArray<KillPoint>, spawn: () => Program): Promise<void> => {
  for (const { arm, name } of points) {
    await using program = spawn()
    const undo = arm(() => program.signal("SIGKILL"))
    const late = setTimeout(() => program.signal("SIGTERM"), allowing(STEP_MS))
    const code = await program.ended()
    clearTimeout(late)
    undo()
    expect([name, code, code === KILLED ? "" : program.output]).toEqual([name, KILLED, ""])
  }
}
