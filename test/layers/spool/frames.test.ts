import { expect, test } from "bun:test"
import fc from "fast-check"
import {
  emptyFrame,
  FRAME_HEAD,
  frameAt,
  frameSize,
  MAX_RECORD,
  nextFrame,
  sealFrame
} from "../../../layers/spool/frames.ts"

const frame = (record: string, position: number, isFirst: boolean): Buffer => {
  const buffer = Buffer.alloc(FRAME_HEAD + Buffer.byteLength(record))
  const length = buffer.write(record, FRAME_HEAD)
  sealFrame(buffer, 0, length, position, isFirst)
  return buffer
}

/** A complete frame whose record is one byte longer than allowed. */
const tooLong = (): Buffer => {
  const buffer = Buffer.alloc(FRAME_HEAD + MAX_RECORD + 1)
  sealFrame(buffer, 0, MAX_RECORD + 1, 0, false)
  return buffer
}

const POSITION = fc.oneof(fc.nat(1_000), fc.integer({ min: 0, max: 2 ** 52 }))
const RECORD = fc.string({ minLength: 1, maxLength: 200, unit: "binary" })

// Computed by a Python script from the description of the format only: tag, hash of tag and position, and zlib.crc32 of the bytes
// starting from that hash.
test.each([
  ["the first of a group, at 0", 0, true, "0200004095fb0628a035dab86162"],
  ["a later one, at 10", 10, false, "0200000074260a116860dd076162"],
  ["one at a position past 32 bits", 5 * 2 ** 32 + 7, false, "02000000b2ebe4d94366a87f6162"]
])("the bytes of a frame follow the format: %s", (_, position, isFirst, hex) => {
  expect(frame("ab", position, isFirst).toString("hex")).toBe(hex)
})

test("the bytes of an empty frame follow the format", () => {
  expect(emptyFrame(24, 40).toString("hex")).toBe("0c000080436c92c7436c92c7")
  expect(frameAt(Buffer.concat([emptyFrame(24, 40), Buffer.alloc(12, 7)]), 0, 40)).toEqual({
    kind: "empty",
    length: 12
  })
})

test("a sealed frame is found at its offset", () => {
  fc.assert(
    fc.property(RECORD, POSITION, fc.boolean(), fc.nat(20), (record, position, isFirst, before) => {
      const buffer = Buffer.concat([Buffer.alloc(before, 0xff), frame(record, position, isFirst), Buffer.from("rest")])
      const found = frameAt(buffer, before, position)
      expect(found).toEqual({ kind: "record", length: Buffer.byteLength(record), isFirst })
      expect(frameSize(buffer, before, position)).toBe(FRAME_HEAD + Buffer.byteLength(record))
    })
  )
})

test("a frame is valid only at its own position", () => {
  fc.assert(
    fc.property(RECORD, POSITION, POSITION, (record, position, other) => {
      fc.pre(position !== other)
      expect(frameAt(frame(record, position, true), 0, other)).toBeNull()
    })
  )
  expect(frameAt(frame("ab", 2 ** 32, true), 0, 0)).toBeNull()
})

test("a frame with any flipped bit is invalid", () => {
  const sealed = frame("the record", 77, true)
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const flipped = Buffer.from(sealed)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    expect(frameAt(flipped, 0, 77)).toBeNull()
  }
})

test.each([
  ["an incomplete head", frame("abcdef", 0, true).subarray(0, 11)],
  ["zeros", Buffer.alloc(64)],
  ["an incomplete frame", frame("abcdef", 0, true).subarray(0, 17)],
  ["nothing", Buffer.alloc(0)],
  ["a length past the limit", tooLong()]
])("%s is not a frame", (_, bytes) => {
  expect(frameAt(bytes, 0, 0)).toBeNull()
})

test("the next complete frame is found after any junk", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), RECORD, POSITION, (junk, record, position) => {
      const buffer = Buffer.concat([junk, frame(record, position + junk.length, false), Buffer.alloc(5)])
      expect(nextFrame(buffer, 0, (at) => position + at)).toBe(junk.length)
    })
  )
  expect(nextFrame(Buffer.alloc(1_000), 0, (at) => at)).toBeNull()
})

test("searching a client's data for a frame is as fast as searching anything else", () => {
  // Every four of these bytes look like the length of a record of four megabytes: checking the CRC of each would take an hour.
  expect(nextFrame(Buffer.alloc(8 << 20, "@"), 0, (at) => at)).toBeNull()
})

test("the longest record fits into a frame", () => {
  const buffer = Buffer.alloc(FRAME_HEAD + MAX_RECORD, 0x61)
  sealFrame(buffer, 0, MAX_RECORD, 3, true)
  expect(frameAt(buffer, 0, 3)).toEqual({ kind: "record", length: 16_777_216, isFirst: true })
  expect(nextFrame(Buffer.concat([Buffer.alloc(3), buffer]), 0, (at) => at)).toBe(3)
})
