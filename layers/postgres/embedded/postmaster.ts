import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Place } from "./Place.ts"

/** Part of the socket's name, `.s.PGSQL.5432`. The socket is in a folder of its own, so it does not clash with another server's. */
export const SOCKET_PORT = 5432
/** A process id that no process has. */
const NO_PROCESS = 2_147_483_647

/** A running server. */
export interface Postmaster {
  readonly pid: number
  readonly socketFolder: string
  readonly state: "starting" | "ready" | "stopping"
}

/** A name derived from the cluster's path, by which processes recognize its server. */
export const clusterName = (cluster: string): string =>
  `footfall-${createHash("sha256").update(cluster).digest("hex").slice(0, 16)}`

const commandOf = (pid: number): string => {
  try {
    // Empty for a zombie.
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
    return spawnSync("ps", ["-p", String(pid), "-o", "command="], { encoding: "utf8" }).stdout
  } catch {
    return ""
  }
}

/** The cluster's running server, from its `postmaster.pid`; undefined if its process has exited or is another program. */
export const readPostmaster = (cluster: string): Postmaster | undefined => {
  let lines: ReadonlyArray<string>
  try {
    lines = readFileSync(join(cluster, "postmaster.pid"), "utf8").split("\n")
  } catch {
    return undefined
  }
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 0 || !commandOf(pid).includes(`cluster_name=${clusterName(cluster)} `))
    return undefined
  const state = lines[7]?.trim()
  return {
    pid,
    socketFolder: lines[4] ?? "",
    state: state === "ready" ? "ready" : state === "stopping" ? "stopping" : "starting"
  }
}

/**
 * Replaces the process id in a stale `postmaster.pid`. Postgres does not start while that process exists, but after a crash of the machine
 * or container it may be any program. The other lines stay: from them, Postgres checks that no orphaned backend uses the cluster.
 */
export const clearStalePid = ({ cluster, socketFolder }: Place): void => {
  // The socket's lock has the process id, too. No other server uses its folder, so it can be deleted.
  rmSync(join(socketFolder, `.s.PGSQL.${SOCKET_PORT}.lock`), { force: true })
  const path = join(cluster, "postmaster.pid")
  try {
    const lines = readFileSync(path, "utf8").split("\n")
    writeFileSync(path, [String(NO_PROCESS), ...lines.slice(1)].join("\n"))
  } catch {
    // No file, after a clean shutdown.
  }
}
