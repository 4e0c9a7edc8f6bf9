import type { Exit } from "effect"
import type { StorageError } from "../../src/domain/StorageError.ts"
import { FRAME_HEAD, sealFrame } from "./frames.ts"

/** A record that waits for the disk. */
export interface Entry {
  readonly bytes: number
  /** In the order of acceptance. */
  readonly number: number
  /** On the monotonic clock, in ms. */
  readonly deadline: number
  readonly resume: (exit: Exit.Exit<void, StorageError>) => void
  answered: boolean
}

/** Frames that are written and synced together, and the records that wait for that. */
export class Group {
  buffer: Buffer<ArrayBuffer>
  length = 0
  /** The position of its first byte. */
  readonly start: number
  readonly entries: Array<Entry> = []

  constructor(buffer: Buffer<ArrayBuffer>, start: number) {
    this.buffer = buffer
    this.start = start
  }

  get bytes(): Buffer<ArrayBuffer> {
    return this.buffer.subarray(0, this.length)
  }

  /** Adds frames that another owner of the spool wrote. */
  carryOver(frames: Buffer): void {
    this.reserve(frames.length)
    this.length += frames.copy(this.buffer, this.length)
  }

  /** Grows the buffer so that this many more bytes fit. */
  reserve(bytes: number): void {
    const needed = this.length + bytes
    if (needed <= this.buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, needed))
    this.buffer.copy(larger, 0, 0, this.length)
    this.buffer = larger
  }

  /** Adds a record's frame, for which there must be room. Returns its size. */
  append(record: string, position: number): number {
    const { buffer, length } = this
    const size = buffer.write(record, length + FRAME_HEAD)
    sealFrame(buffer, length, size, position, length === 0)
    const bytes = FRAME_HEAD + size
    this.length += bytes
    return bytes
  }
}
