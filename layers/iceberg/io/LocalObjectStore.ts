import type { Stats } from "node:fs"
import { type FileHandle, link, mkdir, open, opendir, readFile, rename, stat, unlink } from "node:fs/promises"
import { basename, dirname, join, normalize } from "node:path"
import { type Duration, Effect, Stream } from "effect"
import { errorCode } from "../errorCode.ts"
import { IcebergError, icebergError } from "../IcebergError.ts"
import { chunksFor } from "./chunksFor.ts"
import { localPathOf, withoutSlash } from "./location.ts"
import type { ObjectStore, StoredObject } from "./ObjectStore.ts"
import { sameBytes } from "./sameBytes.ts"

/** A disk answers in milliseconds; a network file system that lost its server never does. */
const DEADLINE: Duration.Input = "60 seconds"
/** Files removed at the same time: enough to hide a network file system's round trips. */
const REMOVALS = 8

const failure = (cause: unknown, location: string): IcebergError => {
  if (cause instanceof IcebergError) return cause
  const code = errorCode(cause)
  switch (code) {
    case "ENOENT":
      return icebergError("NotFound", `There is no file ${location}.`)
    case "ENOSPC":
    case "EDQUOT":
      return icebergError("Unavailable", `No space left for ${location} (${code}): free some, or enlarge the disk.`)
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return icebergError(
        "Denied",
        `This process may not use ${location} (${code}): check the folder's owner and mode.`
      )
    case "EISDIR":
    case "EEXIST":
    case "ENOTDIR":
    case "ENAMETOOLONG":
    case "ENOTSUP":
    case "EOPNOTSUPP":
      return icebergError(
        "Invalid",
        `${location} can't be a file of a warehouse (${code}): a folder, or a file where a folder should be, is in its place, or the file system lacks links.`
      )
    default:
      return icebergError(
        "Unavailable",
        `The file system did not do its work on ${location}: ${code === "" ? String(cause) : code}.`
      )
  }
}

const notFinished = (reason: "Unavailable" | "Unknown", location: string) =>
  icebergError(reason, `The file system did not answer for ${location} within ${DEADLINE}.`)

/** Makes what was done to a folder's entries durable. */
const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes the folder, and every one above it that was missing, durably. */
const makeFolder = async (folder: string): Promise<void> => {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined) return
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
}

const writeAll = async (handle: FileHandle, bytes: Uint8Array): Promise<void> => {
  for (let done = 0; done < bytes.byteLength; ) {
    done += (await handle.write(bytes, done, bytes.byteLength - done)).bytesWritten
  }
}

/** Fills a temporary file beside `path`, then has it `placed`. Whatever happens, the temporary file is gone afterwards. */
const throughTemporary = async <A>(
  path: string,
  fill: (handle: FileHandle) => Promise<void>,
  place: (temporary: string) => Promise<A>
): Promise<A> => {
  const folder = dirname(path)
  await makeFolder(folder)
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

const linked = async (temporary: string, path: string, bytes: Uint8Array): Promise<boolean> => {
  try {
    await link(temporary, path)
    return true
  } catch (cause) {
    if (errorCode(cause) !== "EEXIST") throw cause
    return sameBytes(await readFile(path), bytes)
  }
}

const readPart = async (path: string, offset: number, length: number): Promise<Uint8Array> => {
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

const absent = (cause: unknown): undefined => {
  if (errorCode(cause) !== "ENOENT" && errorCode(cause) !== "ENOTDIR") throw cause
  return undefined
}

const stored = (location: string, { mtimeMs, size }: Stats): StoredObject => ({
  location,
  size,
  modifiedAt: Math.trunc(mtimeMs)
})

/** Depth first, a folder at a time. What vanishes meanwhile is left out; a folder that is not there is empty. */
async function* walk(path: string, location: string): AsyncGenerator<StoredObject> {
  const folder = await opendir(path).catch(absent)
  if (folder === undefined) return
  for await (const entry of folder) {
    const below = { path: join(path, entry.name), location: `${location}${entry.name}` }
    if (entry.isDirectory()) yield* walk(below.path, `${below.location}/`)
    else if (entry.isFile()) {
      const found = await stat(below.path).catch(absent)
      if (found !== undefined) yield stored(below.location, found)
    }
  }
}

/**
 * A warehouse in a folder of this machine or of a network file system. A file is there with all its bytes or not at all, and
 * stays after a loss of power: temporary file, fsync, rename (or link, for a file that must be new), fsync of the folder.
 * Locations outside of `root`, a location itself, are refused.
 */
export const makeLocalObjectStore = (root: string): Effect.Effect<ObjectStore, IcebergError> => {
  const given = localPathOf(root)
  if (given === undefined) {
    return Effect.fail(icebergError("Invalid", `The warehouse ${root} is no local folder: write file:///path.`))
  }
  const folder = withoutSlash(normalize(given))
  const inside = folder === "/" ? "/" : `${folder}/`

  const pathOf = (location: string): Effect.Effect<string, IcebergError> => {
    const path = localPathOf(location)
    const plain = path === undefined ? undefined : normalize(path)
    return plain === undefined || !`${withoutSlash(plain)}/`.startsWith(inside) || plain.includes("\0")
      ? Effect.fail(icebergError("Invalid", `${location} is outside of the warehouse ${root}.`))
      : Effect.succeed(plain)
  }

  const on = <A>(location: string, use: (path: string, signal: AbortSignal) => Promise<A>) =>
    Effect.flatMap(pathOf(location), (path) =>
      Effect.tryPromise({ try: (signal) => use(path, signal), catch: (cause) => failure(cause, location) })
    )
  const within =
    (location: string, reason: "Unavailable" | "Unknown" = "Unavailable") =>
    <A>(self: Effect.Effect<A, IcebergError>): Effect.Effect<A, IcebergError> =>
      Effect.timeoutOrElse(self, {
        duration: DEADLINE,
        orElse: () => Effect.fail(notFinished(reason, location))
      })

  const write = (location: string, bytes: Uint8Array) =>
    on(location, (path) =>
      throughTemporary(
        path,
        (handle) => writeAll(handle, bytes),
        (temporary) => rename(temporary, path)
      )
    ).pipe(within(location))

  const writeNew = (location: string, bytes: Uint8Array) =>
    on(location, (path) =>
      throughTemporary(
        path,
        (handle) => writeAll(handle, bytes),
        (temporary) => linked(temporary, path, bytes)
      )
    ).pipe(within(location, "Unknown"))

  const writeChunks = (location: string, chunks: AsyncIterable<Uint8Array>) =>
    on(location, async (path, signal) => {
      let size = 0
      await throughTemporary(
        path,
        async (handle) => {
          for await (const chunk of chunksFor(location, chunks)) {
            signal.throwIfAborted()
            await writeAll(handle, chunk)
            size += chunk.byteLength
          }
        },
        (temporary) => {
          signal.throwIfAborted()
          return rename(temporary, path)
        }
      )
      return size
    })

  return Effect.succeed({
    read: (location) => on(location, (path): Promise<Uint8Array> => readFile(path)).pipe(within(location)),
    readRange: (location, offset, length) =>
      on(location, (path) => readPart(path, offset, length)).pipe(within(location)),
    head: (location) => on(location, async (path) => stored(location, await stat(path))).pipe(within(location)),
    write,
    writeNew,
    writeChunks,
    remove: (locations) =>
      Effect.forEach(
        locations,
        (location) => on(location, (path) => unlink(path).catch(absent)).pipe(within(location)),
        { concurrency: REMOVALS, discard: true }
      ),
    list: (location) =>
      Stream.unwrap(
        Effect.map(pathOf(location), (path) =>
          Stream.fromAsyncIterable(walk(path, location), (cause) => failure(cause, location))
        )
      )
  })
}
