import { existsSync, mkdirSync, readdirSync, realpathSync, rmdirSync, rmSync, statSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { Effect, type Scope } from "effect"
import { type FileLock, tryLock } from "./FileLock.ts"

const LOCK_FILE = "lock"

/** A folder with a name of its own, to be renamed once it is complete. */
export interface UnfinishedFolder {
  readonly path: string
  /** Removes the lock, so that only the content is left. The next step is the rename. */
  readonly seal: () => void
}

/** Between `seal` and the rename is much less time, in ms. */
const SEALED_MS = 60_000

/** Whether the process that fills an unfinished folder is gone. */
const isAbandoned = (path: string): boolean => {
  const file = join(path, LOCK_FILE)
  if (!existsSync(file)) return Date.now() - statSync(path).mtimeMs > SEALED_MS
  const lock = tryLock(file, "exclusive")
  lock?.release()
  return lock !== undefined
}

/** Removes a folder if there is nothing in it, and says whether it did. */
const removeEmpty = (path: string): boolean => {
  try {
    rmdirSync(path)
    return true
  } catch {
    return false
  }
}

/** Removes what killed processes left of the same folder. */
const removeAbandoned = (parent: string, prefix: string): void => {
  for (const name of readdirSync(parent)) {
    const path = join(parent, name)
    // One without a lock may be another process's that is about to take it: that one makes it again.
    if (name.startsWith(prefix) && !removeEmpty(path) && existsSync(path) && isAbandoned(path)) {
      rmSync(path, { recursive: true, force: true })
    }
  }
}

/** Creates a folder with a lock in it. */
const makeLocked = (path: string): FileLock | undefined => {
  for (;;) {
    mkdirSync(path, { mode: 0o700, recursive: true })
    try {
      return tryLock(join(path, LOCK_FILE), "exclusive")
    } catch (error) {
      if (existsSync(path)) throw error
    }
  }
}

/**
 * Creates a folder next to `folder`, readable by its owner only. Each process has its own, so that two of them cannot mix their content. It is
 * removed when the scope closes, unless it was renamed; after a kill, by the next process with the same `folder`. Throws in `attempt`.
 */
export const makeUnfinished = <E>(
  folder: string,
  attempt: <A>(run: () => A) => Effect.Effect<A, E>
): Effect.Effect<UnfinishedFolder, E, Scope.Scope> => {
  const prefix = `${basename(folder)}.unfinished-`
  const parent = dirname(folder)
  const path = join(parent, prefix + crypto.randomUUID().slice(0, 8))
  let lock: FileLock | undefined
  const release = () => {
    lock?.release()
    lock = undefined
  }
  return Effect.acquireRelease(
    attempt(() => {
      mkdirSync(parent, { recursive: true })
      removeAbandoned(parent, prefix)
      lock = makeLocked(path)
      return {
        path,
        seal: () => {
          release()
          rmSync(join(path, LOCK_FILE), { force: true })
        }
      }
    }),
    () =>
      Effect.ignore(
        Effect.try(() => {
          release()
          rmSync(path, { recursive: true, force: true })
        })
      )
  )
}

/** A path with symbolic links resolved, as far as it exists. */
export const realPathOf = (path: string): string => {
  if (existsSync(path)) return realpathSync(path)
  const parent = dirname(path)
  return parent === path ? path : join(realPathOf(parent), basename(path))
}
