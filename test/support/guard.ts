import { spawn } from "node:child_process"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/**
 * Waits until its input closes, which is when this process is gone, and ends what the list in folder $1 names then. Below a
 * process are its children at that time, such as a server's backends and a supervisor's workers.
 */
const SCRIPT = `trap '' INT TERM HUP
cat >/dev/null
while read -r what value; do
  case $what in
    process)
      pids="$value $(ps -A -o pid=,ppid= | while read -r child parent; do [ "$parent" = "$value" ] && echo "$child"; done)"
      kill -9 $pids 2>/dev/null ;;
    mount) umount -l "$value" 2>/dev/null ;;
    folder) rm -rf "$value" ;;
  esac
done <"$1/list"
rm -rf "$1"`

const list = new Set<string>()
let folder: string | undefined

/** Written at once: what ends this process may come with the next line of a test. */
const write = (): void => {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), "footfall-guard-"))
    const guard = spawn("/bin/sh", ["-c", SCRIPT, "sh", folder], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"]
    })
    guard.unref()
  }
  // Processes before mounts before folders, as the alphabet happens to have it.
  writeFileSync(join(folder, "list"), [...[...list].sort().reverse(), ""].join("\n"))
}

/** Tests end what they start. What one that failed, hung or was killed leaves behind, ends with this process. */
export const guardProcess = (pid: number): void => {
  list.add(`process ${pid}`)
  write()
}

/** The process ended: its id may be another's by now. */
export const forgetProcess = (pid: number): void => {
  list.delete(`process ${pid}`)
  write()
}

/** Removes a folder when this process is gone, and before that unmounts what is mounted on it. */
export const guardFolder = (path: string, options: { readonly mounted?: boolean } = {}): void => {
  if (options.mounted === true) list.add(`mount ${path}`)
  list.add(`folder ${path}`)
  write()
}
