import { expect, test } from "bun:test"
import { emptyFrame, FRAME_HEAD, sealFrame } from "../../../layers/spool/frames.ts"
import { scanSegment } from "../../../layers/spool/scan.ts"

/** The position of the segment. */
const START = 1_000
/** A record of ten bytes with its head. */
const FRAME = 10 + FRAME_HEAD
/** A segment with groups of records of ten bytes, and zeros after them, so that two records count as little and three do not. */
const segment = (...groups: ReadonlyArray<ReadonlyArray<string>>): Buffer => {
  const buffer = Buffer.alloc(FRAME * 10)
  let at = 0
  for (const group of groups) {
    for (const [index, record] of group.entries()) {
      const length = buffer.write(record, at + FRAME_HEAD)
      sealFrame(buffer, at, length, START + at, index === 0)
      at += FRAME_HEAD + length
    }
  }
  return buffer
}
const TWO = segment(["record one"], ["record two", "record tri"])
const changed = (original: Buffer, change: (bytes: Buffer) => void): Buffer => {
  const bytes = Buffer.from(original)
  change(bytes)
  return bytes
}

test.each([
  ["an empty file", Buffer.alloc(0), { from: 0, length: 0, cut: 0 }],
  ["zeros", Buffer.alloc(512), { from: 0, length: 0, cut: 0 }],
  ["one group", segment(["record one", "record two", "record tri"]), { from: 0, length: 3 * FRAME, cut: 0 }],
  ["two groups: the second one", TWO, { from: FRAME, length: 2 * FRAME, cut: 0 }],
  [
    "two groups that count as little: both",
    segment(["record one"], ["record two"]),
    { from: 0, length: 2 * FRAME, cut: 0 }
  ],
  ["a file that is full", TWO.subarray(0, 3 * FRAME), { from: FRAME, length: 2 * FRAME, cut: 0 }],
  [
    "an incomplete last record",
    changed(TWO, (bytes) => bytes.fill(0, 3 * FRAME - 4)),
    { from: 0, length: 3 * FRAME - 4, cut: FRAME - 4 }
  ],
  [
    "a file that ends within a record",
    TWO.subarray(0, 3 * FRAME - 4),
    { from: FRAME, length: 2 * FRAME - 4, cut: FRAME - 4 }
  ],
  [
    "only the head of the last record",
    changed(TWO, (bytes) => bytes.fill(0, 2 * FRAME + 2)),
    { from: 0, length: 2 * FRAME + FRAME_HEAD, cut: FRAME_HEAD }
  ],
  [
    "a last group without its first record",
    changed(TWO, (bytes) => bytes.fill(0, FRAME, 2 * FRAME)),
    { from: 0, length: 3 * FRAME, cut: FRAME }
  ],
  [
    "a lost record before the last group",
    changed(TWO, (bytes) => bytes.fill(0, 0, FRAME)),
    { from: FRAME, length: 2 * FRAME, cut: 0 }
  ],
  [
    "a flipped bit far after the end",
    changed(TWO, (bytes) => bytes.writeUInt8(4, 8 * FRAME)),
    { from: FRAME, length: 7 * FRAME + 1, cut: 5 * FRAME + 1 }
  ]
])("the part of a segment that is written again is right for %s", (_, bytes, { cut, from, length }) => {
  const scan = scanSegment(bytes, START)
  expect({ from: scan.from - START, length: scan.bytes.length, cut: scan.cut }).toEqual({ from, length, cut })
})

test("damage before the last group is left as it is, for readers to report", () => {
  const damaged = changed(segment(["record one"], ["record two"]), (bytes) => bytes.writeUInt8(0, FRAME_HEAD))
  expect(scanSegment(damaged, START)).toEqual({ from: START, bytes: damaged.subarray(0, 2 * FRAME), cut: 0 })
})

test("an unreadable record of the last group becomes an empty frame, and the others keep their positions", () => {
  const damaged = changed(TWO, (bytes) => bytes.writeUInt8(0, FRAME + FRAME_HEAD))
  const { bytes } = scanSegment(damaged, START)
  expect(bytes.subarray(0, FRAME)).toEqual(TWO.subarray(0, FRAME))
  expect(bytes.subarray(FRAME, FRAME + FRAME_HEAD)).toEqual(emptyFrame(FRAME, START + FRAME))
  expect(bytes.subarray(2 * FRAME)).toEqual(TWO.subarray(2 * FRAME, 3 * FRAME))
  // An empty frame does not count as cut the next time.
  expect(scanSegment(bytes, START).cut).toBe(0)
})
