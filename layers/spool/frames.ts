import { crc32 } from "node:zlib"

/*
 * A record stands in a segment as a frame: its length and a CRC-32, 32 bits each, lowest byte first, and its bytes. The CRC begins
 * with the frame's position, so that a frame is valid in one place of one log alone: what an earlier use of the disk's blocks or a
 * failed write left somewhere is never taken for a record. A length of 0 is what a prepared file holds.
 */

export const FRAME_HEAD = 8
/** A record that is longer is refused: it would take a quarter of a segment. */
export const MAX_RECORD = 16 << 20
/** Where a length's highest byte is; it is 0 or 1 in a record that is not too long. */
const TOP_BYTE = 3

/** What a CRC begins with at a position; positions beyond 32 bits differ in their upper half. */
const seedOf = (position: number): number =>
  ((position >>> 0) ^ Math.imul(Math.floor(position / 0x1_0000_0000), 0x9e37_79b1)) >>> 0

/** The head of the frame at a position whose bytes stand behind it in the buffer already. */
export const sealFrame = (buffer: Buffer, at: number, length: number, position: number): void => {
  buffer.writeUInt32LE(length, at)
  buffer.writeUInt32LE(crc32(buffer.subarray(at + FRAME_HEAD, at + FRAME_HEAD + length), seedOf(position)), at + 4)
}

/** The length of the record whose frame stands at this place of the buffer and of the log; 0 when there is none that is whole. */
export const frameAt = (buffer: Buffer, at: number, position: number): number => {
  if (at + FRAME_HEAD > buffer.length) return 0
  const length = buffer.readUInt32LE(at)
  if (length === 0 || length > MAX_RECORD || at + FRAME_HEAD + length > buffer.length) return 0
  const crc = crc32(buffer.subarray(at + FRAME_HEAD, at + FRAME_HEAD + length), seedOf(position))
  return crc === buffer.readUInt32LE(at + 4) ? length : 0
}

/** The next place at which a whole frame stands; undefined when there is none. */
export const nextFrame = (buffer: Buffer, from: number, positionOf: (at: number) => number): number | undefined => {
  for (let at = from; at + FRAME_HEAD < buffer.length; at++) {
    // Text and nearly all else has no length's top byte there.
    if (buffer[at + TOP_BYTE]! > 1) continue
    if (frameAt(buffer, at, positionOf(at)) > 0) return at
  }
  return undefined
}
