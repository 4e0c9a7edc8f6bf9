import { constants } from "node:fs"
import { type FileHandle, open, readdir, readFile, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { syncFolder } from "../inprocess/syncFolder.ts"

/** A file that is written at given offsets. */
export interface SpoolFile {
  /** Writes at least one of the bytes. Resolves to how many. */
  readonly write: (bytes: Uint8Array, offset: number) => Promise<number>
  /** Resolves when what was written is on the disk. */
  readonly sync: () => Promise<void>
  readonly close: () => Promise<void>
}

/** A spool's access to its folder. Everything rejects with an error that has a `code`, such as `ENOSPC`. */
export interface SpoolFiles {
  readonly list: () => Promise<ReadonlyArray<string>>
  /** Rejects with `ENOENT` if the file does not exist. */
  readonly read: (name: string) => Promise<Uint8Array>
  /** Creates an empty file, or empties an existing one. */
  readonly create: (name: string) => Promise<SpoolFile>
  readonly rename: (from: string, to: string) => Promise<void>
  readonly remove: (name: string) => Promise<void>
  /** Resolves when the folder's entries are on the disk. */
  readonly syncFolder: () => Promise<void>
}

const fileOf = (handle: FileHandle): SpoolFile => ({
  write: async (bytes, offset) => (await handle.write(bytes, 0, bytes.length, offset)).bytesWritten,
  sync: () => handle.datasync(),
  close: () => handle.close()
})

export const folderFiles = (folder: string): SpoolFiles => ({
  list: () => readdir(folder),
  read: (name) => readFile(join(folder, name)),
  create: async (name) =>
    fileOf(await open(join(folder, name), constants.O_CREAT | constants.O_TRUNC | constants.O_WRONLY, 0o600)),
  rename: (from, to) => rename(join(folder, from), join(folder, to)),
  remove: (name) => rm(join(folder, name), { force: true }),
  syncFolder: () => syncFolder(folder)
})
