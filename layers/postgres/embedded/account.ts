import { readFileSync, type Stats, statSync } from "node:fs"
import { dirname } from "node:path"

/** A Unix account. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Unprivileged accounts in order of preference, since initdb and postgres refuse to run as root. */
const CANDIDATES = ["postgres", "_postgres", "nobody"]

/** The account to run the server as if this process is root; undefined if it is not, and the server runs as the same user. */
export const serverAccount = (): Account | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const rows = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
  for (const name of CANDIDATES) {
    const row = rows.find((fields) => fields[0] === name)
    // Unsigned, since macOS has accounts with negative ids.
    if (row !== undefined) return { uid: Number(row[2]) >>> 0, gid: Number(row[3]) >>> 0 }
  }
  return { uid: 65_534, gid: 65_534 }
}

const permits = (stats: Stats, account: Account, bit: number): boolean =>
  (stats.mode & (stats.uid === account.uid ? bit << 6 : stats.gid === account.gid ? bit << 3 : bit)) !== 0

/** Whether the account can reach what is in this folder: it has search permission for the folder and all above it. */
export const canEnter = (folder: string, account: Account): boolean => {
  for (let path = folder; ; path = dirname(path)) {
    if (!permits(statSync(path), account, 1)) return false
    if (path === dirname(path)) return true
  }
}
