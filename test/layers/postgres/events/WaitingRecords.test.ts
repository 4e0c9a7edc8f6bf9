import { expect, test } from "bun:test"
import { Exit } from "effect"
import { Backlog } from "../../../../layers/inprocess/Backlog.ts"
import { WaitingRecords } from "../../../../layers/postgres/events/WaitingRecords.ts"
import { StorageError } from "../../../../src/domain/StorageError.ts"

const MIB = 1 << 20
const late = new StorageError({ reason: "Unavailable", message: "too late" })

const makeWaiting = () => {
  const backlog = new Backlog(1_000, 1_000 * MIB)
  const waiting = new WaitingRecords<string>(backlog)
  const answers: Array<readonly [record: string, answer: string]> = []
  const add = (record: string, { bytes = 1, deadline = 100 } = {}) =>
    waiting.add(record, bytes, deadline, (exit) => answers.push([record, Exit.isSuccess(exit) ? "stored" : "failed"]))
  return { backlog, waiting, answers, add }
}

const namesOf = (batch: ReadonlyArray<{ readonly record: string }>) => batch.map(({ record }) => record)

test("a batch has the first records, up to the maximum number", () => {
  const { add, waiting } = makeWaiting()
  for (const record of ["a", "b", "c"]) add(record)
  expect(namesOf(waiting.takeBatch(2))).toEqual(["a", "b"])
  expect(namesOf(waiting.takeBatch(2))).toEqual(["c"])
  expect(waiting.length).toBe(0)
})

test("a batch has at most 4 MiB, but always one record", () => {
  const { add, waiting } = makeWaiting()
  add("small", { bytes: MIB })
  add("medium", { bytes: 3 * MIB })
  add("large", { bytes: 9 * MIB })
  add("last", { bytes: 1 })
  expect(namesOf(waiting.takeBatch(100))).toEqual(["small", "medium"])
  expect(namesOf(waiting.takeBatch(100))).toEqual(["large"])
  expect(namesOf(waiting.takeBatch(100))).toEqual(["last"])
})

test("expired records are those whose deadline has passed", () => {
  const { add, waiting } = makeWaiting()
  add("a", { deadline: 10 })
  add("b", { deadline: 20 })
  add("c", { deadline: 30 })
  expect(namesOf(waiting.takeExpired(5))).toEqual([])
  expect(namesOf(waiting.takeExpired(20))).toEqual(["a", "b"])
  expect(namesOf(waiting.takeExpired(30))).toEqual(["c"])
})

test("only the first answer of a record counts, and removes it from the backlog", () => {
  const { add, answers, backlog, waiting } = makeWaiting()
  add("a", { bytes: 7 })
  add("b", { bytes: 5 })
  const batch = waiting.takeBatch(2)
  expect([backlog.records, backlog.bytes]).toEqual([2, 12])
  waiting.answer(batch[0]!, late)
  waiting.answerAll(batch, null)
  expect(answers).toEqual([
    ["a", "failed"],
    ["b", "stored"]
  ])
  expect([backlog.records, backlog.bytes]).toEqual([0, 0])
})
