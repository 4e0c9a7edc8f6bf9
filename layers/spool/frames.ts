import { crc32 } from "node:zlib"

/*
 * A record in a segment is a frame: a head of three 32-bit numbers, little-endian, and the record's bytes.
 *
 *    0              4              8              12
 *    ├──────────────┼──────────────┼──────────────┼─────────────────────┤
 *    │ tag          │ check        │ CRC-32       │ record (UTF-8)      │
 *    └──────────────┴──────────────┴──────────────┴─────────────────────┘
 *    tag     bit 31  empty: the bytes after the head are not a record
 *            bit 30  first: the first record of those that were written together
 *            0-29    length of the record
 *    check   hash of the tag and the frame's position in the spool
 *    CRC-32  of the record's bytes, starting from the check
 *
 * Since the check includes the position, a head is valid at one position of one spool only. Old contents of disk blocks, a failed
 * write's leftovers or a client's data inside a record are never mistaken for a frame, and searching for the next frame in a long
 * record is as cheap as reading it. A length of 0 is what a prepared file contains.
 */

export const FRAME_HEAD = 12
/** Longer records are refused: they would fill a quarter of a segment. */
export const MAX_RECORD = 16 << 20
const FIRST = 0x4000_0000
const EMPTY = 0x8000_0000
const LENGTH = 0x3fff_ffff

/** The multipliers spread each bit over all others. Positions past 32 bits differ in their upper half. */
const checkOf = (tag: number, position: number): number => {
  let mixed =
    tag ^ Math.imul(position >>> 0, 0x9e37_79b1) ^ Math.imul(Math.floor(position / 0x1_0000_0000), 0x85eb_ca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb_352d)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846c_a68b)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** Writes the head of a frame at an offset of a buffer that already holds the record's bytes. */
export const sealFrame = (buffer: Buffer, offset: number, length: number, position: number, isFirst: boolean): void => {
  const tag = isFirst ? length | FIRST : length
  const check = checkOf(tag, position)
  buffer.writeUInt32LE(tag, offset)
  buffer.writeUInt32LE(check, offset + 4)
  buffer.writeUInt32LE(crc32(buffer.subarray(offset + FRAME_HEAD, offset + FRAME_HEAD + length), check), offset + 8)
}

/** The head of an empty frame: this many bytes from the position on, including the head, are not a record. */
export const emptyFrame = (length: number, position: number): Buffer => {
  const head = Buffer.alloc(FRAME_HEAD)
  const tag = ((length - FRAME_HEAD) | EMPTY) >>> 0
  const check = checkOf(tag, position)
  head.writeUInt32LE(tag)
  head.writeUInt32LE(check, 4)
  // The CRC of no bytes.
  head.writeUInt32LE(check, 8)
  return head
}

/** `length` excludes the head. */
export type Frame =
  | { readonly kind: "record"; readonly length: number; readonly isFirst: boolean }
  | { readonly kind: "empty"; readonly length: number }

/** Size of the frame whose head is at this offset and position, including the head; 0 if there is no valid head. */
export const frameSize = (buffer: Buffer, offset: number, position: number): number => {
  if (offset + FRAME_HEAD > buffer.length) return 0
  const tag = buffer.readUInt32LE(offset)
  const length = tag & LENGTH
  if (tag < EMPTY && (length === 0 || length > MAX_RECORD)) return 0
  return buffer.readUInt32LE(offset + 4) === checkOf(tag, position) ? FRAME_HEAD + length : 0
}

/** The frame at this offset and position; null if there is none that is complete. */
export const frameAt = (buffer: Buffer, offset: number, position: number): Frame | null => {
  const size = frameSize(buffer, offset, position)
  if (size === 0) return null
  const tag = buffer.readUInt32LE(offset)
  const check = buffer.readUInt32LE(offset + 4)
  const crc = buffer.readUInt32LE(offset + 8)
  if (tag >= EMPTY) return crc === check ? { kind: "empty", length: size - FRAME_HEAD } : null
  if (offset + size > buffer.length || crc !== crc32(buffer.subarray(offset + FRAME_HEAD, offset + size), check)) {
    return null
  }
  return { kind: "record", length: size - FRAME_HEAD, isFirst: tag >= FIRST }
}

/** The first offset in this range with a complete frame; null if there is none. */
export const nextFrame = (
  buffer: Buffer,
  from: number,
  positionOf: (offset: number) => number,
  to = buffer.length
): number | null => {
  for (let offset = from; offset < to && offset + FRAME_HEAD <= buffer.length; offset++) {
    if (frameAt(buffer, offset, positionOf(offset)) !== null) return offset
  }
  return null
}
