import { crc32 } from "node:zlib"

/*
 * A record stands in a segment as a frame: its length and a CRC-32, 32 bits each, lowest byte first, and its bytes. The length's
 * two highest bits say that it is the first of the records that were written together, and that it is no record at all but a
 * place that holds none. The CRC begins with the frame's position and these bits, so that a frame is valid in one place of one log
 * alone: what an earlier use of the disk's blocks or a failed write left somewhere is never taken for a record. A length of 0 is
 * what a prepared file holds.
 */

export const FRAME_HEAD = 8
/** A record that is longer is refused: it would take a quarter of a segment. */
export const MAX_RECORD = 16 << 20
const FIRST = 0x4000_0000
const EMPTY = 0x8000_0000
const LENGTH = 0x3fff_ffff
/** Where a length's highest byte is. Its bits besides the two are 0 or 1 in a record that is not too long. */
const TOP_BYTE = 3
const TOP_BITS = 0x3e

/** What a CRC begins with at a position; positions beyond 32 bits differ in their upper half. */
const seedOf = (position: number, bits: number): number =>
  ((position >>> 0) ^ Math.imul(Math.floor(position / 0x1_0000_0000), 0x9e37_79b1) ^ bits) >>> 0

/** The head of the frame at a position whose bytes stand behind it in the buffer already. */
export const sealFrame = (buffer: Buffer, at: number, length: number, position: number, isFirst: boolean): void => {
  const bits = isFirst ? FIRST : 0
  buffer.writeUInt32LE((length | bits) >>> 0, at)
  const bytes = buffer.subarray(at + FRAME_HEAD, at + FRAME_HEAD + length)
  buffer.writeUInt32LE(crc32(bytes, seedOf(position, bits)), at + 4)
}

/** The head of a frame that says that so many bytes from a position on, the head among them, hold no record. */
export const emptyFrame = (length: number, position: number): Buffer => {
  const head = Buffer.alloc(FRAME_HEAD)
  head.writeUInt32LE(((length - FRAME_HEAD) | EMPTY) >>> 0)
  head.writeUInt32LE(crc32(head.subarray(0, 4), seedOf(position, EMPTY)), 4)
  return head
}

/** What stands at a place of a log. */
export type Frame =
  | { readonly kind: "record"; readonly length: number; readonly isFirst: boolean }
  | { readonly kind: "empty"; readonly length: number }

/** How many bytes the frame that may stand here takes, its head included; 0 when there is none, or it would be too long. */
export const frameSize = (head: Buffer, at: number): number => {
  if (at + FRAME_HEAD > head.length) return 0
  const told = head.readUInt32LE(at)
  const length = told & LENGTH
  if (length === 0 && told < EMPTY) return 0
  return length > MAX_RECORD && told < EMPTY ? 0 : FRAME_HEAD + length
}

/** The frame at this place of the buffer and of the log; undefined when there is none that is whole. */
export const frameAt = (buffer: Buffer, at: number, position: number): Frame | undefined => {
  const size = frameSize(buffer, at)
  if (size === 0) return undefined
  const told = buffer.readUInt32LE(at)
  const crc = buffer.readUInt32LE(at + 4)
  if (told >= EMPTY) {
    const isWhole = crc === crc32(buffer.subarray(at, at + 4), seedOf(position, EMPTY))
    return isWhole ? { kind: "empty", length: size - FRAME_HEAD } : undefined
  }
  if (at + size > buffer.length) return undefined
  const bits = told & FIRST
  if (crc !== crc32(buffer.subarray(at + FRAME_HEAD, at + size), seedOf(position, bits))) return undefined
  return { kind: "record", length: size - FRAME_HEAD, isFirst: bits !== 0 }
}

/** The next place, up to another one, at which a whole frame stands; undefined when there is none. */
export const nextFrame = (
  buffer: Buffer,
  from: number,
  positionOf: (at: number) => number,
  to = buffer.length
): number | undefined => {
  for (let at = from; at < to && at + FRAME_HEAD <= buffer.length; at++) {
    // Text and nearly all else has no length's top byte there.
    if ((buffer[at + TOP_BYTE]! & TOP_BITS) !== 0) continue
    if (frameAt(buffer, at, positionOf(at)) !== undefined) return at
  }
  return undefined
}
