import { expect, test } from "bun:test"
import { StoredSessions } from "../../../layers/inprocess/StoredSessions.ts"

test("a stored session is remembered while it is used, and dropped after at most 100,000 others", () => {
  const sessions = new StoredSessions()
  expect(sessions.has("busy", 1, 0)).toBe(false)
  sessions.add("busy", 1, 0)
  sessions.add("idle", 1, 0)
  for (let index = 0; index < 100_000; index++) {
    sessions.add(String(index), 1, 0)
    if (index % 10_000 === 0) expect(sessions.has("busy", 1, 0)).toBe(true)
  }
  const has = (id: string) => sessions.has(id, 1, 0)
  expect([has("busy"), has("idle"), has("99999")]).toEqual([true, false, true])
})

test("a stored session counts as stored only for events at or after the earliest start that was sent", () => {
  const sessions = new StoredSessions()
  const has = (start: number) => sessions.has("a", start, 0)
  sessions.add("a", 100, 0)
  expect([has(99), has(100), has(101)]).toEqual([false, true, true])
  sessions.add("a", 50, 0)
  sessions.add("a", 70, 0)
  expect([has(49), has(50)]).toEqual([false, true])
  sessions.remove("a")
  expect(has(200)).toBe(false)
})

test("a session is checked again ten minutes after it was stored, and when the clock was set back", () => {
  const sessions = new StoredSessions()
  sessions.add("one", 1, 1_000)
  expect(sessions.has("one", 1, 600_999)).toBe(true)
  expect(sessions.has("one", 1, 601_000)).toBe(false)
  expect(sessions.has("one", 1, 999)).toBe(false)
  sessions.add("one", 1, 601_000)
  expect(sessions.has("one", 1, 601_001)).toBe(true)
})

test("after a clear, no session is known", () => {
  const sessions = new StoredSessions()
  sessions.add("one", 1, 0)
  sessions.clear()
  expect(sessions.has("one", 1, 0)).toBe(false)
})
