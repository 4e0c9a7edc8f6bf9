import { closeSync, fstatSync, openSync, readdirSync, readSync } from "node:fs"
import { join } from "node:path"
import { FRAME_HEAD, frameAt, MAX_RECORD, nextFrame } from "./frames.ts"
import type { Damage } from "./scan.ts"
import { segmentName, segmentStarts } from "./segments.ts"

/** Bytes that are read at a time; more for a record that is longer. */
const CHUNK = 4 << 20

export interface SpoolRecord {
  /** Valid until the next record is asked for. */
  readonly payload: Uint8Array
  /** Where the record ends. */
  readonly position: number
}

/** Reads a file in order, through a window that always begins where the reader is. */
class Window {
  #buffer = Buffer.allocUnsafeSlow(CHUNK)
  #from = 0
  #to = 0
  readonly #file: number

  constructor(file: number) {
    this.#file = file
  }

  /** Bytes from an offset, as many as there are up to the length; the file's end may be nearer. */
  at(offset: number, length: number): Buffer {
    if (offset < this.#from || offset + length > this.#to) {
      if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(length)
      let read = 0
      for (;;) {
        const some = readSync(this.#file, this.#buffer, read, this.#buffer.length - read, offset + read)
        read += some
        if (some === 0 || read === this.#buffer.length) break
      }
      this.#from = offset
      this.#to = offset + read
    }
    return this.#buffer.subarray(offset - this.#from, Math.min(this.#to, offset + length) - this.#from)
  }
}

/**
 * The records of a log after a position, up to another one that is known to be on the disk, while its owner goes on. Reads in
 * this thread, which it blocks. What can't be read is told and left out: the CRC of each record covers its position, so what
 * comes after is found again. Throws what the file system throws.
 */
export function* readRecords(
  folder: string,
  from: number,
  to: number,
  onDamage: (damage: Damage) => void
): Generator<SpoolRecord, void, void> {
  const starts = segmentStarts(readdirSync(folder))
  let position = from
  for (const [index, start] of starts.entries()) {
    const limit = Math.min(to, starts[index + 1] ?? Number.POSITIVE_INFINITY)
    if (limit <= position) continue
    if (start >= to) break
    if (start > position) onDamage({ from: position, to: start })
    position = Math.max(position, start)
    const file = openSync(join(folder, segmentName(start)), "r")
    try {
      const size = Math.min(fstatSync(file).size, limit - start)
      const window = new Window(file)
      while (position < start + size) {
        const offset = position - start
        const rest = size - offset
        const head = window.at(offset, Math.min(FRAME_HEAD, rest))
        const told = head.length < FRAME_HEAD ? 0 : head.readUInt32LE()
        const needed = told > 0 && told <= MAX_RECORD ? Math.min(FRAME_HEAD + told, rest) : 0
        const frame = window.at(offset, needed)
        const length = frameAt(frame, 0, position)
        if (length > 0) {
          position += FRAME_HEAD + length
          yield { payload: frame.subarray(FRAME_HEAD, FRAME_HEAD + length), position }
          continue
        }
        const all = window.at(offset, rest)
        const next = nextFrame(all, 1, (at) => start + offset + at)
        const end = next === undefined ? limit : start + offset + next
        onDamage({ from: position, to: end })
        position = end
      }
    } finally {
      closeSync(file)
    }
    if (position < limit) {
      onDamage({ from: position, to: limit })
      position = limit
    }
  }
  if (position < to) onDamage({ from: position, to })
}
