import { expect, test } from "bun:test"
import { emptyFrame, FRAME_HEAD, sealFrame } from "../../../layers/spool/frames.ts"
import { scanSegment } from "../../../layers/spool/scan.ts"

/** The segment begins here. */
const START = 1_000
/** A segment with records of ten bytes, each 18 bytes long with its head, in groups; zeros follow. */
const segment = (...groups: ReadonlyArray<ReadonlyArray<string>>): Buffer => {
  const buffer = Buffer.alloc(512)
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
  ["an empty file", Buffer.alloc(0), { lastGroup: 1_000, length: 0, cut: 0 }],
  ["zeros", Buffer.alloc(512), { lastGroup: 1_000, length: 0, cut: 0 }],
  ["one group", segment(["record one", "record two"]), { lastGroup: 1_000, length: 36, cut: 0 }],
  ["two groups: the second one", TWO, { lastGroup: 1_018, length: 36, cut: 0 }],
  ["a file that is full", TWO.subarray(0, 54), { lastGroup: 1_018, length: 36, cut: 0 }],
  [
    "a last record that is cut off",
    changed(TWO, (bytes) => bytes.fill(0, 50)),
    { lastGroup: 1_018, length: 32, cut: 14 }
  ],
  ["a file that ends in a record", TWO.subarray(0, 50), { lastGroup: 1_018, length: 32, cut: 14 }],
  [
    "a head alone of the last one",
    changed(TWO, (bytes) => bytes.fill(0, 38)),
    { lastGroup: 1_018, length: 26, cut: 8 }
  ],
  [
    "a last group whose first record is lost",
    changed(TWO, (bytes) => bytes.fill(0, 18, 36)),
    { lastGroup: 1_000, length: 54, cut: 18 }
  ],
  [
    "a record that is lost before the last group",
    changed(TWO, (bytes) => bytes.fill(0, 0, 18)),
    { lastGroup: 1_018, length: 36, cut: 0 }
  ],
  [
    "a bit far behind the end",
    changed(TWO, (bytes) => bytes.writeUInt8(4, 300)),
    { lastGroup: 1_018, length: 283, cut: 247 }
  ]
])("what was written last in %s", (_, bytes, { cut, lastGroup, length }) => {
  const scan = scanSegment(bytes, START)
  expect({ lastGroup: scan.lastGroup, length: scan.bytes.length, cut: scan.cut }).toEqual({ lastGroup, length, cut })
})

test("what can't be read among the last records is marked, and the others stand as they stood", () => {
  const damaged = changed(TWO, (bytes) => bytes.writeUInt8(0, 30))
  const { bytes } = scanSegment(damaged, START)
  expect(bytes.subarray(0, 18)).toEqual(TWO.subarray(0, 18))
  expect(bytes.subarray(18, 26)).toEqual(emptyFrame(18, 1_018))
  expect(bytes.subarray(36)).toEqual(TWO.subarray(36, 54))
  // What was marked is no cut the next time.
  expect(scanSegment(bytes, START).cut).toBe(0)
})
