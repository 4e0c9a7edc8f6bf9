import { readFile, rename, stat, unlink } from "node:fs/promises"
import { normalize } from "node:path"
import { type Duration, Effect, Stream } from "effect"
import { IcebergError } from "../IcebergError.ts"
import { chunksFor } from "./chunksFor.ts"
import { createFile, readRange, throughTemporaryFile, writeAll, writeFile } from "./local/durableFile.ts"
import { fileFailure, nullIfAbsent } from "./local/fileFailure.ts"
import { storedObject, walkFolder } from "./local/walkFolder.ts"
import { localPathOf, withoutSlash } from "./location.ts"
import type { ObjectStore } from "./ObjectStore.ts"

/** A disk answers in milliseconds; a network file system that lost its server never does. */
const DEADLINE: Duration.Input = "60 seconds"
/** Files removed at the same time: enough to hide a network file system's round trips. */
const REMOVALS = 8

/** The path of a location, which must be inside `root`. */
const resolvePath = (root: string, folder: string, location: string): Effect.Effect<string, IcebergError> => {
  const path = localPathOf(location)
  const normalized = path === null ? null : normalize(path)
  const prefix = folder === "/" ? "/" : `${folder}/`
  return normalized === null || !`${withoutSlash(normalized)}/`.startsWith(prefix) || normalized.includes("\0")
    ? Effect.fail(IcebergError.invalid(`${location} is outside of the warehouse ${root}.`))
    : Effect.succeed(normalized)
}

const withDeadline =
  (location: string, reason: "Unavailable" | "Unknown" = "Unavailable") =>
  <A>(self: Effect.Effect<A, IcebergError>): Effect.Effect<A, IcebergError> =>
    Effect.timeoutOrElse(self, {
      duration: DEADLINE,
      orElse: () =>
        Effect.fail(
          new IcebergError({ reason, message: `The file system did not answer for ${location} within ${DEADLINE}.` })
        )
    })

const writeChunksTo = async (path: string, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number> => {
  let size = 0
  await throughTemporaryFile(
    path,
    async (handle) => {
      for await (const chunk of chunks) {
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
}

/**
 * A warehouse in a folder of this machine or of a network file system. Writes are atomic and survive a power failure.
 * Locations outside of `root`, itself a location, are refused.
 */
export const makeLocalObjectStore = (root: string): Effect.Effect<ObjectStore, IcebergError> => {
  const rootPath = localPathOf(root)
  if (rootPath === null) {
    return Effect.fail(IcebergError.invalid(`The warehouse ${root} is not a local folder: use file:///path.`))
  }
  const folder = withoutSlash(normalize(rootPath))
  const pathOf = (location: string) => resolvePath(root, folder, location)
  const access = <A>(location: string, use: (path: string, signal: AbortSignal) => Promise<A>) =>
    Effect.flatMap(pathOf(location), (path) =>
      Effect.tryPromise({ try: (signal) => use(path, signal), catch: (cause) => fileFailure(cause, location) })
    )
  const removeOne = (location: string) =>
    access(location, (path) => unlink(path).catch(nullIfAbsent)).pipe(withDeadline(location))

  return Effect.succeed({
    read: (location) => access(location, (path): Promise<Uint8Array> => readFile(path)).pipe(withDeadline(location)),
    readRange: (location, offset, length) =>
      access(location, (path) => readRange(path, offset, length)).pipe(withDeadline(location)),
    head: (location) =>
      access(location, async (path) => storedObject(location, await stat(path))).pipe(withDeadline(location)),
    write: (location, bytes) => access(location, (path) => writeFile(path, bytes)).pipe(withDeadline(location)),
    writeNew: (location, bytes) =>
      access(location, (path) => createFile(path, bytes)).pipe(withDeadline(location, "Unknown")),
    // No deadline of its own: the source of the chunks may take any time.
    writeChunks: (location, chunks) =>
      access(location, (path, signal) => writeChunksTo(path, chunksFor(location, chunks), signal)),
    remove: (locations) => Effect.forEach(locations, removeOne, { concurrency: REMOVALS, discard: true }),
    list: (location) =>
      Stream.unwrap(
        Effect.map(pathOf(location), (path) =>
          Stream.fromAsyncIterable(walkFolder(path, location), (cause) => fileFailure(cause, location))
        )
      )
  })
}
