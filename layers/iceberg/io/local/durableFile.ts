import { type FileHandle, link, mkdir, open, readFile, rename, unlink } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { errorCode } from "../../errorCode.ts"
import { sameBytes } from "../sameBytes.ts"

/*
 * Files that exist with all their bytes or not at all, and that survive a power failure: write a temporary file, fsync it,
 * move it into place, fsync the folder.
 */

/** Makes changes to a folder's entries durable. */
const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Durably creates the folder and its missing parents. */
const createFolder = async (folder: string): Promise<void> => {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined) return
  for (let created = folder; created.length >= first.length; created = dirname(created)) {
    await syncFolder(dirname(created))
  }
}

export const writeAll = async (handle: FileHandle, bytes: Uint8Array): Promise<void> => {
  for (let done = 0; done < bytes.byteLength; ) {
    done += (await handle.write(bytes, done, bytes.byteLength - done)).bytesWritten
  }
}

/** Fills a temporary file next to `path` and has `place` move it there. The temporary file never remains. */
export const throughTemporaryFile = async <A>(
  path: string,
  fill: (handle: FileHandle) => Promise<void>,
  place: (temporary: string) => Promise<A>
): Promise<A> => {
  const folder = dirname(path)
  await createFolder(folder)
  const temporary = join(folder, `.${basename(path).slice(0, 200)}.${crypto.randomUUID()}.tmp`)
  try {
    const handle = await open(temporary, "wx")
    try {
      await fill(handle)
      await handle.sync()
    } finally {
      await handle.close()
    }
    const placed = await place(temporary)
    await syncFolder(folder)
    return placed
  } finally {
    await unlink(temporary).catch(() => undefined)
  }
}

/** Writes or replaces a file. */
export const writeFile = (path: string, bytes: Uint8Array): Promise<void> =>
  throughTemporaryFile(
    path,
    (handle) => writeAll(handle, bytes),
    (temporary) => rename(temporary, path)
  )

/** Creates a file; false if one with other content exists. */
export const createFile = (path: string, bytes: Uint8Array): Promise<boolean> =>
  throughTemporaryFile(
    path,
    (handle) => writeAll(handle, bytes),
    async (temporary) => {
      try {
        await link(temporary, path)
        return true
      } catch (cause) {
        if (errorCode(cause) !== "EEXIST") throw cause
        return sameBytes(await readFile(path), bytes)
      }
    }
  )

/** Bytes from `offset`; fewer than `length` at the end of the file. */
export const readRange = async (path: string, offset: number, length: number): Promise<Uint8Array> => {
  const handle = await open(path, "r")
  try {
    const bytes = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return bytes.subarray(0, filled)
  } finally {
    await handle.close()
  }
}
