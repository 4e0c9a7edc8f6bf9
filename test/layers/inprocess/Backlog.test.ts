import { describe, expect, test } from "bun:test"
import { Effect, Exit } from "effect"
import { Backlog } from "../../../layers/inprocess/Backlog.ts"
import { StorageError } from "../../../src/domain/StorageError.ts"

const refused = new StorageError({ reason: "Refused", message: "first" })
const unavailable = new StorageError({ reason: "Unavailable", message: "second" })

describe("Backlog.flush", () => {
  test("a flush waits for the records accepted before it, in any order of answers, and for no later ones", () => {
    const backlog = new Backlog(10, 1_000)
    const [first, second] = [backlog.add(1), backlog.add(1)]
    const flush = Effect.runFork(backlog.flush)
    const later = backlog.add(1)
    backlog.remove(later, 1, null)
    backlog.remove(second, 1, null)
    expect(flush.pollUnsafe()).toBeUndefined()
    backlog.add(1)
    backlog.remove(first, 1, null)
    expect(flush.pollUnsafe()).toEqual(Exit.void)
  })

  test("a flush fails with the first failure among its records, once all are answered", () => {
    const backlog = new Backlog(10, 1_000)
    const [first, second, third] = [backlog.add(1), backlog.add(1), backlog.add(1)]
    const flush = Effect.runFork(backlog.flush)
    const later = backlog.add(1)
    backlog.remove(later, 1, unavailable)
    backlog.remove(second, 1, refused)
    backlog.remove(third, 1, unavailable)
    expect(flush.pollUnsafe()).toBeUndefined()
    backlog.remove(first, 1, null)
    expect(flush.pollUnsafe()).toEqual(Exit.fail(refused))
  })

  test("concurrent flushes each resume for their own records", () => {
    const backlog = new Backlog(10, 1_000)
    const first = backlog.add(1)
    const early = Effect.runFork(backlog.flush)
    const second = backlog.add(1)
    const late = Effect.runFork(backlog.flush)
    backlog.remove(first, 1, refused)
    expect([early.pollUnsafe(), late.pollUnsafe()]).toEqual([Exit.fail(refused), undefined])
    backlog.remove(second, 1, null)
    expect(late.pollUnsafe()).toEqual(Exit.fail(refused))
  })
})

test("a backlog has room up to its records and bytes, and always for one record", () => {
  const backlog = new Backlog(2, 100)
  expect(backlog.hasRoom(1_000)).toBe(true)
  const first = backlog.add(60)
  expect([backlog.hasRoom(40), backlog.hasRoom(41)]).toEqual([true, false])
  backlog.add(10)
  expect(backlog.hasRoom(0)).toBe(false)
  backlog.remove(first, 60, null)
  expect([backlog.hasRoom(90), backlog.hasRoom(91)]).toEqual([true, false])
  expect([backlog.records, backlog.bytes]).toEqual([1, 10])
})
