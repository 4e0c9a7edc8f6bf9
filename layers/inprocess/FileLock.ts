import { Database, SQLiteError } from "bun:sqlite"

/** Held until released or until the process dies. */
export interface FileLock {
  readonly release: () => void
}

/**
 * Takes a kernel lock on a file, which is created when missing. Returns undefined while another holder prevents it: any number of
 * holders may share the lock, or one may have it exclusively. Throws if the file cannot be opened.
 *
 * The kernel releases the lock when the process ends, however it ends, so there are no stale locks and no races over them. Bun has no
 * flock; SQLite's locks are a portable equivalent. Nothing else in this process may open the file: closing any descriptor of it would
 * release the lock.
 */
export const tryLock = (path: string, mode: "shared" | "exclusive"): FileLock | undefined => {
  const file = new Database(path, { create: true, readwrite: true })
  try {
    file.run("PRAGMA busy_timeout = 0")
    if (mode === "exclusive") file.run("BEGIN EXCLUSIVE")
    else {
      file.run("BEGIN")
      file.query("SELECT count(*) FROM sqlite_master").get()
    }
    return { release: () => file.close() }
  } catch (error) {
    file.close()
    if (error instanceof SQLiteError && error.code === "SQLITE_BUSY") return undefined
    throw error
  }
}
