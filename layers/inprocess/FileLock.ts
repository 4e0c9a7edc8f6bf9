import { Database, SQLiteError } from "bun:sqlite"

/** Held until released or until the process dies. */
export interface FileLock {
  readonly release: () => void
}

/**
 * Takes a kernel lock on a file, which is made when missing; undefined while another holder is in the way. Any number may
 * share it, or one hold it exclusively. Throws when the file can't be opened.
 *
 * The kernel drops the lock with its process, however that ends, so there are no stale locks and no races over them. Bun has
 * no flock; SQLite's own locks are the portable way to the same thing. Nothing else may open the file in this process:
 * closing any descriptor of it would drop the lock.
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
