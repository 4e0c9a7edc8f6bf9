import { expect, test } from "bun:test"
import { Context, Exit } from "effect"
import { Backlog } from "../../../layers/inprocess/Backlog.ts"
import { FRAME_HEAD } from "../../../layers/spool/frames.ts"
import { GroupWriter } from "../../../layers/spool/GroupWriter.ts"
import { makeRefusals } from "../../../layers/spool/refusals.ts"
import type { Segments } from "../../../layers/spool/Segments.ts"
import { nextTurn } from "../../support/eventually.ts"

interface Write {
  readonly start: number
  readonly length: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** A writer on segments whose writes end when the test says so. */
const setUp = (last = Buffer.alloc(0)) => {
  const writes: Array<Write> = []
  const segments = {
    write: (start: number, bytes: Uint8Array) =>
      new Promise<void>((resolve, reject) => {
        writes.push({ start, length: bytes.length, resolve, reject })
      }),
    closeActive: () => {},
    hasRoomUpTo: (end: number) => end <= 1_000
  } as unknown as Segments
  const clock = { monotonic: 0, now: 1_000_000 }
  const writer = new GroupWriter(segments, new Backlog(100, 800), {
    groupBytes: 400,
    maxRecordBytes: 100,
    timeoutMs: 500,
    end: 0,
    last,
    trimmed: 0,
    refusals: makeRefusals({ folder: "/spool/0", maxBytes: 1_000, maxRecordBytes: 100, timeoutMs: 500 }),
    clock: { monotonic: () => clock.monotonic, now: () => clock.now },
    context: Context.empty()
  })
  const answers: Array<string> = []
  const append = (record: string) =>
    writer.append(record, (exit) => answers.push(Exit.isSuccess(exit) ? record : `${record}: failed`))
  return { answers, append, clock, writer, writes }
}

const FRAME = FRAME_HEAD + 1

test("records that arrive during a write are written together afterwards", async () => {
  const { answers, append, writer, writes } = setUp()
  append("a")
  await nextTurn()
  append("b")
  append("c")
  await nextTurn()
  expect(writes.map(({ length, start }) => [start, length])).toEqual([[0, FRAME]])
  expect([writer.accepted, writer.durable, writer.inFlight]).toEqual([3 * FRAME, 0, 1])
  writes[0]!.resolve()
  await nextTurn()
  expect(answers).toEqual(["a"])
  expect(writer.durable).toBe(FRAME)
  expect(writes.map(({ length, start }) => [start, length])).toEqual([
    [0, FRAME],
    [FRAME, 2 * FRAME]
  ])
  writes[1]!.resolve()
  await nextTurn()
  expect(answers).toEqual(["a", "b", "c"])
  expect([writer.durable, writer.inFlight]).toEqual([3 * FRAME, 0])
})

test("a failed write fails its group and the records behind it, and a retry reuses their positions", async () => {
  const { answers, append, writer, writes } = setUp()
  append("a")
  await nextTurn()
  append("b")
  writes[0]!.reject(Object.assign(new Error("failed"), { code: "ENOSPC" }))
  await nextTurn()
  expect(answers).toEqual(["a: failed", "b: failed"])
  expect(writer.isReady).toBe(false)
  expect(writer.lastError).toEqual({
    at: 1_000_000,
    message: "The spool in /spool/0 can't be written: the disk is full."
  })
  append("c")
  expect(answers).toEqual(["a: failed", "b: failed", "c: failed"])
  const retried = writer.retry()
  writes[1]!.resolve()
  await retried
  expect([writes[1]!.start, writes[1]!.length, writer.accepted]).toEqual([0, 0, 0])
  expect(writer.isReady).toBe(true)
})

test("the previous owner's last frames are written first, and again after a failure", async () => {
  const { writer, writes } = setUp(Buffer.alloc(30, 1))
  expect([writer.accepted, writer.durable, writer.isCarryingOver]).toEqual([30, 0, true])
  writer.writeGathered()
  writes[0]!.reject(new Error("failed"))
  await nextTurn()
  expect(writer.isCarryingOver).toBe(true)
  const retried = writer.retry()
  writes[1]!.resolve()
  await retried
  expect(writes.map(({ length, start }) => [start, length])).toEqual([
    [0, 30],
    [0, 30]
  ])
  expect([writer.durable, writer.isCarryingOver]).toEqual([30, false])
})

test("a record past its deadline is answered once, even if its write ends later", async () => {
  const { answers, append, clock, writer, writes } = setUp()
  append("a")
  await nextTurn()
  clock.monotonic = 400
  writer.sweep()
  expect(answers).toEqual([])
  clock.monotonic = 501
  writer.sweep()
  expect(answers).toEqual(["a: failed"])
  append("b")
  expect(answers).toEqual(["a: failed", "b: failed"])
  writes[0]!.resolve()
  await nextTurn()
  expect(answers).toEqual(["a: failed", "b: failed"])
  expect([writer.durable, writer.isReady]).toEqual([FRAME, true])
})

test("a closed writer refuses records but still writes accepted ones", async () => {
  const { answers, append, writer, writes } = setUp()
  append("a")
  writer.close()
  append("b")
  await nextTurn()
  writes[0]!.resolve()
  await nextTurn()
  expect(answers).toEqual(["b: failed", "a"])
})

test("abandoning a writer answers everything that is waiting", async () => {
  const { answers, append, writer } = setUp()
  append("a")
  await nextTurn()
  append("b")
  writer.abandon()
  expect(answers).toEqual(["a: failed", "b: failed"])
})
