import { constants, existsSync, renameSync } from "node:fs"
import { chown, copyFile, mkdir, open, readdir } from "node:fs/promises"
import { join } from "node:path"
import { errorCode } from "../../src/lib/errorCode.ts"
import { syncFolder } from "./syncFolder.ts"

export interface CopyOptions {
  /** Whether to copy a file or folder, by its path relative to the source; a skipped folder is created empty. */
  readonly accepts: (path: string, isFolder: boolean) => boolean
  /** The owner of the copies; undefined for this process's user. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  readonly onFile: (bytes: number) => void
}

/** Copies one file and waits until the copy is on the disk. Returns its size; null if the source is gone. */
export const copyToDisk = async (
  from: string,
  to: string,
  owner?: { readonly uid: number; readonly gid: number }
): Promise<number | null> => {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null
    throw error
  }
  await using file = await open(to, "r+")
  await file.chmod(0o600)
  await file.sync()
  if (owner !== undefined) await chown(to, owner.uid, owner.gid)
  return (await file.stat()).size
}

/**
 * Copies a folder whose files may change and disappear meanwhile, and returns the number of bytes. Only files and folders are copied,
 * readable by their owner only.
 */
export const copyTree = async (from: string, to: string, options: CopyOptions): Promise<number> => {
  const { accepts, onFile, owner } = options
  let bytes = 0
  const copyFolder = async (path: string): Promise<void> => {
    await mkdir(join(to, path), { mode: 0o700 })
    if (owner !== undefined) await chown(join(to, path), owner.uid, owner.gid)
    for (const entry of await readdir(join(from, path), { withFileTypes: true })) {
      const inside = join(path, entry.name)
      if (entry.isDirectory()) {
        if (accepts(inside, true)) await copyFolder(inside)
        else {
          await mkdir(join(to, inside), { mode: 0o700 })
          if (owner !== undefined) await chown(join(to, inside), owner.uid, owner.gid)
        }
      } else if (entry.isFile() && accepts(inside, false)) {
        const size = await copyToDisk(join(from, inside), join(to, inside), owner)
        if (size === null) continue
        bytes += size
        onFile(size)
      }
    }
    await syncFolder(join(to, path))
  }
  await copyFolder("")
  return bytes
}

/** Renames a file or folder, and returns its new path; null if it does not exist. */
export const moveAside = (path: string): string | null => {
  if (!existsSync(path)) return null
  const aside = `${path}.before-restore-${new Date().toISOString().replaceAll(/[:.]/g, "-")}`
  renameSync(path, aside)
  return aside
}
