import { expect, test } from "bun:test"
import { Segments } from "../../../layers/spool/Segments.ts"
import { Trimmer } from "../../../layers/spool/Trimmer.ts"
import { chanceOf, type Outcome, SimulatedDisk } from "../../support/disk/SimulatedDisk.ts"

const SEGMENT = 100

/** Three full segments at 0, 100 and 200; the last one is written to. */
const setUp = async () => {
  let outcome: Outcome = "done"
  const disk = new SimulatedDisk(chanceOf(1), ({ kind }) => (kind === "remove" || kind === "create" ? outcome : "done"))
  const files = disk.files()
  const segments = new Segments(files, [], {
    segmentBytes: SEGMENT,
    maxBytes: 10 * SEGMENT,
    ahead: false,
    sleep: () => Promise.resolve(),
    accepted: () => 0
  })
  for (const start of [0, 100, 200]) await segments.write(start, Buffer.alloc(SEGMENT, 1))
  const trimmer = new Trimmer(files, segments, { durable: 300, isCarryingOver: false }, 0)
  return {
    disk,
    trimmer,
    setOutcome: (next: Outcome) => {
      outcome = next
    }
  }
}

test("a trim notes its position and removes the segments that end before it", async () => {
  const { disk, trimmer } = await setUp()
  await trimmer.trim(150)
  expect(disk.content("trimmed").toString()).toBe("150")
  expect(disk.names).toEqual(["0000000000000100.log", "0000000000000200.log", "trimmed"])
})

test("a trim to a lower position changes nothing", async () => {
  const { disk, trimmer } = await setUp()
  await trimmer.trim(200)
  const { length } = disk.steps
  await trimmer.trim(150)
  expect(disk.steps.length).toBe(length)
})

test("concurrent trims run one after the other and reach the highest position", async () => {
  const { disk, trimmer } = await setUp()
  await Promise.all([trimmer.trim(50), trimmer.trim(250), trimmer.trim(120)])
  expect(disk.content("trimmed").toString()).toBe("250")
  expect(disk.names).toEqual(["0000000000000200.log", "trimmed"])
})

test("a failed trim rejects, and a retry completes it", async () => {
  const { disk, setOutcome, trimmer } = await setUp()
  setOutcome("EIO")
  await expect(trimmer.trim(150)).rejects.toMatchObject({ code: "EIO" })
  await trimmer.retry()
  expect(disk.names).toContain("0000000000000000.log")
  setOutcome("done")
  await trimmer.retry()
  expect(disk.content("trimmed").toString()).toBe("150")
  expect(disk.names).not.toContain("0000000000000000.log")
})

test("a retry without unfinished trims does not touch the disk", async () => {
  const { disk, trimmer } = await setUp()
  await trimmer.trim(150)
  const { length } = disk.steps
  await trimmer.retry()
  expect(disk.steps.length).toBe(length)
})
