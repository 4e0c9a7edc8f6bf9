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

const frame = (text: string, position: number, isFirst: boolean): Buffer => {
  const buffer = Buffer.alloc(FRAME_HEAD + Buffer.byteLength(text))
  const length = buffer.write(text, FRAME_HEAD)
  sealFrame(buffer, 0, length, position, isFirst)
  return buffer
}

/** Whole, but for the length, which is one byte beyond what a record may have. */
const tooLong = (): Buffer => {
  const buffer = Buffer.alloc(FRAME_HEAD + MAX_RECORD + 1)
  sealFrame(buffer, 0, MAX_RECORD + 1, 0, false)
  return buffer
}

const POSITION = fc.oneof(fc.nat(1_000), fc.integer({ min: 0, max: 2 ** 52 }))
const TEXT = fc.string({ minLength: 1, maxLength: 200, unit: "binary" })

// As a Python script has it that knows the format alone: length and first bit, their mix with the position, and zlib.crc32 of the
// bytes beginning with that.
test.each([
  ["the first of a group, at 0", 0, true, "0200004095fb0628a035dab86162"],
  ["one that follows, at 10", 10, false, "0200000074260a116860dd076162"],
  ["one beyond 32 bits of position", 5 * 2 ** 32 + 7, false, "02000000b2ebe4d94366a87f6162"]
])("a frame's bytes are the format's: %s", (_, position, isFirst, hex) => {
  expect(frame("ab", position, isFirst).toString("hex")).toBe(hex)
})

test("the head of an empty place has its bytes too", () => {
  expect(emptyFrame(24, 40).toString("hex")).toBe("0c000080436c92c7436c92c7")
  expect(frameAt(Buffer.concat([emptyFrame(24, 40), Buffer.alloc(12, 7)]), 0, 40)).toEqual({
    kind: "empty",
    length: 12
  })
})

test("a frame that was sealed is found where it stands", () => {
  fc.assert(
    fc.property(TEXT, POSITION, fc.boolean(), fc.nat(20), (text, position, isFirst, before) => {
      const buffer = Buffer.concat([Buffer.alloc(before, 0xff), frame(text, position, isFirst), Buffer.from("rest")])
      const found = frameAt(buffer, before, position)
      expect(found).toEqual({ kind: "record", length: Buffer.byteLength(text), isFirst })
      expect(frameSize(buffer, before, position)).toBe(FRAME_HEAD + Buffer.byteLength(text))
    })
  )
})

test("a frame is valid at its own position alone", () => {
  fc.assert(
    fc.property(TEXT, POSITION, POSITION, (text, position, other) => {
      fc.pre(position !== other)
      expect(frameAt(frame(text, position, true), 0, other)).toBeNull()
    })
  )
  expect(frameAt(frame("ab", 2 ** 32, true), 0, 0)).toBeNull()
})

test("a frame in which any one bit turned over is none", () => {
  const sealed = frame("the record", 77, true)
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const turned = Buffer.from(sealed)
    turned[bit >> 3]! ^= 1 << (bit & 7)
    expect(frameAt(turned, 0, 77)).toBeNull()
  }
})

test.each([
  ["a head that is cut off", frame("abcdef", 0, true).subarray(0, 11)],
  ["zeros", Buffer.alloc(64)],
  ["a frame that is cut off", frame("abcdef", 0, true).subarray(0, 17)],
  ["nothing", Buffer.alloc(0)],
  ["a length that no record has", tooLong()]
])("%s is no frame", (_, bytes) => {
  expect(frameAt(bytes, 0, 0)).toBeNull()
})

test("the next whole frame is found behind anything", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), TEXT, POSITION, (junk, text, position) => {
      const buffer = Buffer.concat([junk, frame(text, position + junk.length, false), Buffer.alloc(5)])
      expect(nextFrame(buffer, 0, (at) => position + at)).toBe(junk.length)
    })
  )
  expect(nextFrame(Buffer.alloc(1_000), 0, (at) => at)).toBeNull()
})

test("what a client wrote is searched as fast as anything else", () => {
  // Each four of these bytes tell of a record of four megabytes: with a CRC of each this would take an hour.
  expect(nextFrame(Buffer.alloc(8 << 20, "@"), 0, (at) => at)).toBeNull()
})

test("the longest record has a frame", () => {
  const buffer = Buffer.alloc(FRAME_HEAD + MAX_RECORD, 0x61)
  sealFrame(buffer, 0, MAX_RECORD, 3, true)
  expect(frameAt(buffer, 0, 3)).toEqual({ kind: "record", length: 16_777_216, isFirst: true })
  expect(nextFrame(Buffer.concat([Buffer.alloc(3), buffer]), 0, (at) => at)).toBe(3)
})
