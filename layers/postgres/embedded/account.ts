import { readFileSync, type Stats, statSync } from "node:fs"
import { dirname } from "node:path"

/** Who the server runs as. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Unprivileged accounts in the order of preference: initdb and postgres refuse to run as root. */
const CANDIDATES = ["postgres", "_postgres", "nobody"]

/** The account to run the server as when this process is root; undefined when it is not, and the server runs as we do. */
export const serverAccount = (): Account | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const rows = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
  for (const name of CANDIDATES) {
    const row = rows.find((fields) => fields[0] === name)
    // Unsigned, since nobody is -2 on macOS.
    if (row !== undefined) return { uid: Number(row[2]) >>> 0, gid: Number(row[3]) >>> 0 }
  }
  return { uid: 65_534, gid: 65_534 }
}

const permits = (stats: Stats, account: Account, bit: number): boolean =>
  (stats.mode & (stats.uid === account.uid ? bit << 6 : stats.gid === account.gid ? bit << 3 : bit)) !== 0

/** Whether the account can reach what lies in this folder: it may search the folder and each one above it. */
export const canEnter = (folder: string, account: Account): boolean => {
  for (let path = folder; ; path = dirname(path)) {
    if (!permits(statSync(path), account, 1)) return false
    if (path === dirname(path)) return true
  }
}
