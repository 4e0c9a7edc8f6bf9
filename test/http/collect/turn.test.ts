import { expect, test } from "bun:test"
import { makeTurn } from "../../../src/http/collect/turn.ts"
import { nextTurn } from "../../support/eventually.ts"

test("works are done in their order, after what gave them", async () => {
  const turn = makeTurn()
  const done: Array<number> = []
  for (let index = 0; index < 10; index++) turn(() => done.push(index))
  expect(done).toEqual([])
  await nextTurn()
  expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test("many works do not wait: 64 of them are done at a time", async () => {
  const turn = makeTurn()
  const done: Array<number> = []
  for (let index = 0; index < 150; index++) turn(() => done.push(index))
  expect(done.length).toBe(128)
  await nextTurn()
  expect(done).toEqual(Array.from({ length: 150 }, (_, index) => index))
})

test("a work that is given by another one is done once, and later", async () => {
  const turn = makeTurn()
  const done: Array<string> = []
  turn(() => {
    done.push("outer")
    turn(() => done.push("inner"))
    done.push("end")
  })
  await nextTurn()
  await nextTurn()
  expect(done).toEqual(["outer", "end", "inner"])
})
