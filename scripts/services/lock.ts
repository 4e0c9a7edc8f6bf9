import { mkdirSync } from "node:fs"
import { tryLock } from "../../layers/inprocess/FileLock.ts"
import { Failure } from "./Failure.ts"
import { inServices } from "./place.ts"

/** A first fetch of everything takes minutes on a slow connection; a process that waits longer fails. */
const WAIT_MS = 30 * 60_000
const TURN_MS = 100
/** A lock that is released soon is not worth a message. */
const TELL_AFTER_MS = 1_000

/** Runs while no other process runs anything under the same name. The kernel releases the lock of a process that died. */
export const alone = async <A>(name: string, run: () => Promise<A>): Promise<A> => {
  mkdirSync(inServices("run"), { recursive: true })
  const path = inServices("run", `${name}.lock`)
  const began = Date.now()
  let told = false
  let lock = tryLock(path, "exclusive")
  while (lock === undefined) {
    const waited = Date.now() - began
    if (waited > WAIT_MS) {
      throw new Failure(`${name}: another process has held ${path} for ${WAIT_MS / 60_000} min. End it and try again.`)
    }
    if (!told && waited > TELL_AFTER_MS) {
      told = true
      console.error(`${name}: waiting for another process to finish it`)
    }
    await Bun.sleep(TURN_MS)
    lock = tryLock(path, "exclusive")
  }
  try {
    return await run()
  } finally {
    lock.release()
  }
}
