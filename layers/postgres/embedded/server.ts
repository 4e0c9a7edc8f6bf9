import { spawn } from "node:child_process"
import { closeSync, openSync, readFileSync, renameSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { StartError } from "../../../src/domain/StartError.ts"
import { runPromptly } from "../../inprocess/scheduling.ts"
import { diskFull } from "./fileError.ts"
import type { Place } from "./Place.ts"
import { clearStalePid, readPostmaster } from "./postmaster.ts"
import { childOptions, NO_SPACE, OUTPUT_TAIL_BYTES, openCluster } from "./runProgram.ts"
import { serverSettings } from "./serverSettings.ts"
import { waitFor } from "./waitFor.ts"

/** Recovery after a crash reads up to `max_wal_size`. A slower start continues in the background and can be joined later. */
export const START_TIMEOUT_MS = 60_000
/** A fast shutdown writes the dirty pages of `shared_buffers`. */
export const STOP_TIMEOUT_MS = 15_000
/** A larger log is renamed to `.1` when the server starts. */
const MAX_LOG_BYTES = 8 << 20

const logSize = (path: string): number => {
  try {
    return statSync(path).size
  } catch {
    return 0
  }
}

const logSince = (path: string, start: number): string => {
  try {
    return readFileSync(path).subarray(start).subarray(-OUTPUT_TAIL_BYTES).toString("utf8").trim()
  } catch {
    return ""
  }
}

/**
 * Starts the server, in a session of its own so that neither Ctrl-C nor the end of this process stops it. Succeeds when the server
 * accepts connections. The caller holds the start lock.
 */
export const startServer = Effect.fnUntraced(function* (place: Place) {
  clearStalePid(place)
  if (logSize(place.log) > MAX_LOG_BYTES) renameSync(place.log, `${place.log}.1`)
  const logStart = logSize(place.log)
  const log = openSync(place.log, "a", 0o600)
  const { descriptor, path } = openCluster(place)
  const args = [
    "-D",
    path,
    ...Object.entries(serverSettings(place)).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  ]
  const child = spawn(join(place.binaries.folder, "postgres"), args, {
    ...childOptions(place),
    detached: true,
    stdio: ["ignore", log, log, descriptor ?? "ignore"]
  })
  closeSync(log)
  if (descriptor !== undefined) closeSync(descriptor)
  child.unref()
  // Events wait for it, whichever process started it.
  if (child.pid !== undefined) runPromptly(child.pid)
  let exited: string | undefined
  child.on("error", (error) => {
    exited = String(error)
  })
  child.on("exit", (code, signal) => {
    exited = `It exited with ${code ?? signal}.`
  })
  const outcome = yield* waitFor(() => {
    const postmaster = readPostmaster(place.cluster)
    return postmaster?.state === "ready" ? postmaster : exited
  }, START_TIMEOUT_MS)
  if (outcome !== undefined && typeof outcome !== "string") return outcome
  const tail = logSince(place.log, logStart)
  if (tail.includes(NO_SPACE)) return yield* diskFull(place.cluster)
  return yield* new StartError({
    message: `The embedded Postgres in ${place.cluster} did not start. ${outcome ?? `It is not ready after ${START_TIMEOUT_MS / 1_000} s, and continues to start.`}\n${tail}`
  })
})

/** Shuts the server down cleanly, disconnecting its clients. False if it is still running after the timeout. */
export const stopServer = Effect.fnUntraced(function* (cluster: string) {
  const postmaster = readPostmaster(cluster)
  if (postmaster === undefined) return true
  process.kill(postmaster.pid, "SIGINT")
  const gone = yield* waitFor(() => (readPostmaster(cluster) === undefined ? true : undefined), STOP_TIMEOUT_MS)
  return gone === true
})
