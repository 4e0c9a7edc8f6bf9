import { closeSync, fstatSync, openSync, readdirSync, readSync } from "node:fs"
import { join } from "node:path"
import { FRAME_HEAD, frameAt, frameSize, MAX_RECORD, nextFrame } from "./frames.ts"
import type { Damage } from "./scan.ts"
import { segmentName, segmentStarts } from "./segmentNames.ts"

/** Bytes that are read at once; more for a longer record. */
const CHUNK = 4 << 20
const MAX_FRAME = FRAME_HEAD + MAX_RECORD

export interface SpoolRecord {
  /** Valid until the next record is read. */
  readonly payload: Uint8Array
  /** Where the record ends. */
  readonly position: number
}

/** Reads a file at given offsets, blocking the thread. */
export interface ReadableFile {
  /** In bytes. */
  readonly size: number
  /** Reads from `offset` of the file into the buffer at `at`. Returns how many bytes there were; 0 at the end of the file. */
  readonly read: (buffer: Buffer, at: number, length: number, offset: number) => number
  readonly close: () => void
}

/** The access to a folder that reading needs. Throws the file system's errors. */
export interface ReadableFolder {
  readonly list: () => ReadonlyArray<string>
  readonly open: (name: string) => ReadableFile
}

const folderOf = (folder: string): ReadableFolder => ({
  list: () => readdirSync(folder),
  open: (name) => {
    const file = openSync(join(folder, name), "r")
    return {
      size: fstatSync(file).size,
      read: (buffer, at, length, offset) => readSync(file, buffer, at, length, offset),
      close: () => closeSync(file)
    }
  }
})

/** A buffer over a file that is read in order. */
class Window {
  #buffer = Buffer.allocUnsafeSlow(CHUNK)
  #from = 0
  #to = 0
  readonly #file: ReadableFile

  constructor(file: ReadableFile) {
    this.#file = file
  }

  /** The bytes from an offset on, up to the length or the end of the file. */
  at(offset: number, length: number): Buffer {
    if (offset < this.#from || offset + length > this.#to) {
      if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(length)
      let read = 0
      for (;;) {
        const count = this.#file.read(this.#buffer, read, this.#buffer.length - read, offset + read)
        read += count
        if (count === 0 || read === this.#buffer.length) break
      }
      this.#from = offset
      this.#to = offset + read
    }
    return this.#buffer.subarray(offset - this.#from, Math.min(this.#to, offset + length) - this.#from)
  }
}

/**
 * The records of a spool between two positions, the second of which is known to be on the disk. The owner may keep appending. Blocks
 * the thread while it reads. What cannot be read is reported and skipped: frames after it are recognized by their position. Throws
 * the file system's errors.
 */
export function* readRecords(
  folder: string,
  from: number,
  to: number,
  onDamage: (damage: Damage) => void,
  files: ReadableFolder = folderOf(folder)
): Generator<SpoolRecord, void, void> {
  const starts = segmentStarts(files.list())
  let position = from
  for (const [index, start] of starts.entries()) {
    const limit = Math.min(to, starts[index + 1] ?? Number.POSITIVE_INFINITY)
    if (limit <= position) continue
    if (start >= to) break
    if (start > position) onDamage({ from: position, to: start })
    position = Math.max(position, start)
    const file = files.open(segmentName(start))
    try {
      const size = Math.min(file.size, limit - start)
      const window = new Window(file)
      while (position < start + size) {
        const offset = position - start
        const rest = size - offset
        const needed = frameSize(window.at(offset, Math.min(FRAME_HEAD, rest)), 0, position)
        const bytes = window.at(offset, Math.min(needed, MAX_FRAME, rest))
        const frame = frameAt(bytes, 0, position)
        if (frame !== null) {
          position += FRAME_HEAD + frame.length
          if (frame.kind === "record") yield { payload: bytes.subarray(FRAME_HEAD), position }
          continue
        }
        const found = nextFrame(window.at(offset, rest), 1, (at) => start + offset + at)
        const end = found === null ? limit : start + offset + found
        onDamage({ from: position, to: end })
        position = end
      }
    } finally {
      file.close()
    }
    if (position < limit) {
      onDamage({ from: position, to: limit })
      position = limit
    }
  }
  if (position < to) onDamage({ from: position, to })
}
