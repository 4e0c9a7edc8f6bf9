import { spawn } from "node:child_process"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/**
 * Waits until its input closes, which is when this process is gone, then ends what the list in folder $1 names at that time. A process's
 * children, such as a server's backends and a supervisor's workers, end with it.
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

/** Written immediately: what ends this process may come with the next line of a test. */
const write = (): void => {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), "footfall-guard-"))
    const guard = spawn("/bin/sh", ["-c", SCRIPT, "sh", folder], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"]
    })
    guard.unref()
  }
  // Processes come before mounts, and mounts before folders, which is alphabetical order.
  writeFileSync(join(folder, "list"), [...[...list].sort().reverse(), ""].join("\n"))
}

/** Tests end what they start. What a failed, hanging or killed test leaves behind ends with this process. */
export const guardProcess = (pid: number): void => {
  list.add(`process ${pid}`)
  write()
}

/** The process has ended: another one may have its id by now. */
export const forgetProcess = (pid: number): void => {
  list.delete(`process ${pid}`)
  write()
}

/** Removes a folder once this process is gone, after unmounting what is mounted on it. */
export const guardFolder = (path: string, options: { readonly mounted?: boolean } = {}): void => {
  if (options.mounted === true) list.add(`mount ${path}`)
  list.add(`folder ${path}`)
  write()
}
