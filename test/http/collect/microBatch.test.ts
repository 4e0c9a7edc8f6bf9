import { expect, test } from "bun:test"
import { makeMicroBatch } from "../../../src/http/collect/microBatch.ts"
import { nextTurn } from "../../support/eventually.ts"

test("tasks run in order, after the code that submitted them", async () => {
  const run = makeMicroBatch()
  const done: Array<number> = []
  for (let index = 0; index < 10; index++) run(() => done.push(index))
  expect(done).toEqual([])
  await nextTurn()
  expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test("tasks run without waiting once 64 have come", async () => {
  const run = makeMicroBatch()
  const done: Array<number> = []
  for (let index = 0; index < 150; index++) run(() => done.push(index))
  expect(done.length).toBe(128)
  await nextTurn()
  expect(done).toEqual(Array.from({ length: 150 }, (_, index) => index))
})

test("a task submitted by another task runs once, in a later batch", async () => {
  const run = makeMicroBatch()
  const done: Array<string> = []
  run(() => {
    done.push("outer")
    run(() => done.push("inner"))
    done.push("end")
  })
  await nextTurn()
  await nextTurn()
  expect(done).toEqual(["outer", "end", "inner"])
})
