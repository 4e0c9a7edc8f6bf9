import { expect, test } from "bun:test"
import { emptyFrame, FRAME_HEAD, sealFrame } from "../../../layers/spool/frames.ts"
import { scanSegment } from "../../../layers/spool/scan.ts"

/** The segment begins here. */
const START = 1_000
/** Of records of ten bytes, with their heads. */
const FRAME = 10 + FRAME_HEAD
/** A segment with records of ten bytes in groups; zeros follow, so that a group alone is little and two records more are not. */
const segment = (...groups: ReadonlyArray<ReadonlyArray<string>>): Buffer => {
  const buffer = Buffer.alloc(FRAME * 10)
  let at = 0
  for (const group of groups) {
    for (const [index, text] of group.entries()) {
      const length = buffer.write(text, at + FRAME_HEAD)
      sealFrame(buffer, at, length, START + at, index === 0)
      at += FRAME_HEAD + length
    }
  }
  return buffer
}
const TWO = segment(["record one"], ["record two", "record tri"])
const changed = (of: Buffer, change: (bytes: Buffer) => void): Buffer => {
  const bytes = Buffer.from(of)
  change(bytes)
  return bytes
}

test.each([
  ["an empty file", Buffer.alloc(0), { from: 0, length: 0, cut: 0 }],
  ["zeros", Buffer.alloc(512), { from: 0, length: 0, cut: 0 }],
  ["one group", segment(["record one", "record two", "record tri"]), { from: 0, length: 3 * FRAME, cut: 0 }],
  ["two groups: the second one", TWO, { from: FRAME, length: 2 * FRAME, cut: 0 }],
  ["two groups that are little: both", segment(["record one"], ["record two"]), { from: 0, length: 2 * FRAME, cut: 0 }],
  ["a file that is full", TWO.subarray(0, 3 * FRAME), { from: FRAME, length: 2 * FRAME, cut: 0 }],
  [
    "a last record that is cut off",
    changed(TWO, (bytes) => bytes.fill(0, 3 * FRAME - 4)),
    { from: 0, length: 3 * FRAME - 4, cut: FRAME - 4 }
  ],
  [
    "a file that ends in a record",
    TWO.subarray(0, 3 * FRAME - 4),
    { from: FRAME, length: 2 * FRAME - 4, cut: FRAME - 4 }
  ],
  [
    "a head alone of the last one",
    changed(TWO, (bytes) => bytes.fill(0, 2 * FRAME + 2)),
    { from: 0, length: 2 * FRAME + FRAME_HEAD, cut: FRAME_HEAD }
  ],
  [
    "a last group whose first record is lost",
    changed(TWO, (bytes) => bytes.fill(0, FRAME, 2 * FRAME)),
    { from: 0, length: 3 * FRAME, cut: FRAME }
  ],
  [
    "a record that is lost before the last group",
    changed(TWO, (bytes) => bytes.fill(0, 0, FRAME)),
    { from: FRAME, length: 2 * FRAME, cut: 0 }
  ],
  [
    "a bit far behind the end",
    changed(TWO, (bytes) => bytes.writeUInt8(4, 8 * FRAME)),
    { from: FRAME, length: 7 * FRAME + 1, cut: 5 * FRAME + 1 }
  ]
])("what is written again of %s", (_, bytes, { cut, from, length }) => {
  const scan = scanSegment(bytes, START)
  expect({ from: scan.from - START, length: scan.bytes.length, cut: scan.cut }).toEqual({ from, length, cut })
})

test("what was damaged before the last group stays as it is, for readers to tell of", () => {
  const damaged = changed(segment(["record one"], ["record two"]), (bytes) => bytes.writeUInt8(0, FRAME_HEAD))
  expect(scanSegment(damaged, START)).toEqual({ from: START, bytes: damaged.subarray(0, 2 * FRAME), cut: 0 })
})

test("what can't be read among the last records is marked, and the others stand as they stood", () => {
  const damaged = changed(TWO, (bytes) => bytes.writeUInt8(0, FRAME + FRAME_HEAD))
  const { bytes } = scanSegment(damaged, START)
  expect(bytes.subarray(0, FRAME)).toEqual(TWO.subarray(0, FRAME))
  expect(bytes.subarray(FRAME, FRAME + FRAME_HEAD)).toEqual(emptyFrame(FRAME, START + FRAME))
  expect(bytes.subarray(2 * FRAME)).toEqual(TWO.subarray(2 * FRAME, 3 * FRAME))
  // What was marked is no cut the next time.
  expect(scanSegment(bytes, START).cut).toBe(0)
})
