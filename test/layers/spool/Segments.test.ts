import { expect, test } from "bun:test"
import { Segments, type SegmentsOptions } from "../../../layers/spool/Segments.ts"
import { chanceOf, type Outcome, SimulatedDisk, type Step } from "../../support/disk/SimulatedDisk.ts"

const SEGMENT = 100
const record = (length: number) => Buffer.alloc(length, 1)

const setUp = (
  options: Partial<SegmentsOptions> = {},
  decide: (step: Step, number: number) => Outcome = () => "done",
  starts: ReadonlyArray<number> = []
) => {
  const disk = new SimulatedDisk(chanceOf(1), decide)
  const segments = new Segments(disk.files(), starts, {
    segmentBytes: SEGMENT,
    maxBytes: 3 * SEGMENT,
    ahead: false,
    sleep: () => Promise.resolve(),
    accepted: () => 0,
    ...options
  })
  return { disk, segments }
}

test("bytes that fit go to the active segment, others to a new one that begins with them", async () => {
  const { disk, segments } = setUp()
  await segments.write(0, record(60))
  await segments.write(60, record(40))
  await segments.write(100, record(10))
  expect(disk.names).toEqual(["0000000000000000.log", "0000000000000100.log"])
  expect(disk.content("0000000000000000.log")).toEqual(record(100))
  expect(disk.content("0000000000000100.log").subarray(0, 11)).toEqual(Buffer.concat([record(10), Buffer.alloc(1)]))
})

test("the next segment is prepared in advance, full of zeros, and is the next one to be written", async () => {
  const { disk, segments } = setUp({ ahead: true })
  await segments.write(0, record(60))
  await segments.write(60, record(20))
  expect(disk.content("next.tmp")).toEqual(Buffer.alloc(SEGMENT))
  expect(segments.diskBytes).toBe(2 * SEGMENT)
  await segments.write(80, record(50))
  expect(disk.names).toContain("0000000000000080.log")
})

test("there is room up to the end of the active segment once no other segment is allowed", async () => {
  const { segments } = setUp({ maxBytes: 2 * SEGMENT })
  await segments.write(0, record(100))
  expect(segments.hasRoomUpTo(101)).toBe(true)
  await segments.write(100, record(30))
  expect([segments.hasRoomUpTo(200), segments.hasRoomUpTo(201)]).toEqual([true, false])
  await expect(segments.write(130, record(90))).rejects.toThrow("it has reached SPOOL_MAX_BYTES")
})

test("after a failed write, the same position is written to a new segment that replaces the failed one", async () => {
  let fails = false
  const { disk, segments } = setUp({}, ({ kind, name }) =>
    fails && kind === "syncFolder" && name === "" ? "EIO" : "done"
  )
  fails = true
  await expect(segments.write(0, record(10))).rejects.toMatchObject({ code: "EIO" })
  segments.closeActive()
  fails = false
  await segments.write(0, record(20))
  expect(disk.names).toEqual(["0000000000000000.log"])
  expect(disk.content("0000000000000000.log").subarray(0, 20)).toEqual(record(20))
  expect(segments.diskBytes).toBe(SEGMENT)
})

test.each([
  ["is active", true, false, [0]],
  ["will be replaced", false, true, [0]],
  ["is complete", false, false, [0, 100]]
])("when the newest segment %s, the removable ones are right", async (_, isActive, isCarryingOver, expected) => {
  const { segments } = setUp({}, () => "done", isActive ? [0] : [0, 100])
  if (isActive) await segments.write(100, record(50))
  expect(segments.removable(150, 150, isCarryingOver)).toEqual(expected)
})

test("discarding the prepared segment removes its file", async () => {
  const { disk, segments } = setUp({ ahead: true })
  segments.prepareAhead()
  await segments.discardPrepared()
  expect(disk.names).toEqual([])
  expect(segments.diskBytes).toBe(0)
})
