import { crc32 } from "node:zlib"

/*
 * A record stands in a segment as a frame: a head of three numbers, 32 bits each, lowest byte first, and its bytes. The first
 * number is the record's length; its two highest bits say that it is the first of the records that were written together, and that
 * it is no record at all but a place that holds none. The second mixes the first with the frame's position, so that a head is valid
 * in one place of one log alone: what an earlier use of the disk's blocks or a failed write left somewhere, or a client put into a
 * record, is never taken for one, and looking for the next frame in something long costs no more than reading it. The third is the
 * CRC-32 of the bytes, which begins with the second. A length of 0 is what a prepared file holds.
 */

export const FRAME_HEAD = 12
/** A record that is longer is refused: it would take a quarter of a segment. */
export const MAX_RECORD = 16 << 20
const FIRST = 0x4000_0000
const EMPTY = 0x8000_0000
const LENGTH = 0x3fff_ffff

/** The second number of a head. The multipliers spread each bit over all others; positions beyond 32 bits differ in their upper half. */
const checkOf = (told: number, position: number): number => {
  let mixed =
    told ^ Math.imul(position >>> 0, 0x9e37_79b1) ^ Math.imul(Math.floor(position / 0x1_0000_0000), 0x85eb_ca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb_352d)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846c_a68b)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** The head of the frame at a position whose bytes stand behind it in the buffer already. */
export const sealFrame = (buffer: Buffer, at: number, length: number, position: number, isFirst: boolean): void => {
  const told = isFirst ? length | FIRST : length
  const check = checkOf(told, position)
  buffer.writeUInt32LE(told, at)
  buffer.writeUInt32LE(check, at + 4)
  buffer.writeUInt32LE(crc32(buffer.subarray(at + FRAME_HEAD, at + FRAME_HEAD + length), check), at + 8)
}

/** The head of a frame that says that so many bytes from a position on, the head among them, hold no record. */
export const emptyFrame = (length: number, position: number): Buffer => {
  const head = Buffer.alloc(FRAME_HEAD)
  const told = ((length - FRAME_HEAD) | EMPTY) >>> 0
  const check = checkOf(told, position)
  head.writeUInt32LE(told)
  head.writeUInt32LE(check, 4)
  // The CRC of no bytes.
  head.writeUInt32LE(check, 8)
  return head
}

/** What stands at a place of a log. */
export type Frame =
  | { readonly kind: "record"; readonly length: number; readonly isFirst: boolean }
  | { readonly kind: "empty"; readonly length: number }

/** How many bytes the frame takes whose head is at this place of the buffer and of the log, its head included; 0 when there is none. */
export const frameSize = (buffer: Buffer, at: number, position: number): number => {
  if (at + FRAME_HEAD > buffer.length) return 0
  const told = buffer.readUInt32LE(at)
  const length = told & LENGTH
  if (told < EMPTY && (length === 0 || length > MAX_RECORD)) return 0
  return buffer.readUInt32LE(at + 4) === checkOf(told, position) ? FRAME_HEAD + length : 0
}

/** The frame at this place of the buffer and of the log; undefined when there is none that is whole. */
export const frameAt = (buffer: Buffer, at: number, position: number): Frame | undefined => {
  const size = frameSize(buffer, at, position)
  if (size === 0) return undefined
  const told = buffer.readUInt32LE(at)
  const check = buffer.readUInt32LE(at + 4)
  const crc = buffer.readUInt32LE(at + 8)
  if (told >= EMPTY) return crc === check ? { kind: "empty", length: size - FRAME_HEAD } : undefined
  if (at + size > buffer.length || crc !== crc32(buffer.subarray(at + FRAME_HEAD, at + size), check)) return undefined
  return { kind: "record", length: size - FRAME_HEAD, isFirst: told >= FIRST }
}

/** The next place, up to another one, at which a whole frame stands; undefined when there is none. */
export const nextFrame = (
  buffer: Buffer,
  from: number,
  positionOf: (at: number) => number,
  to = buffer.length
): number | undefined => {
  for (let at = from; at < to && at + FRAME_HEAD <= buffer.length; at++) {
    if (frameAt(buffer, at, positionOf(at)) !== undefined) return at
  }
  return undefined
}
