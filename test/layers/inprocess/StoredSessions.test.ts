import { expect, test } from "bun:test"
import { StoredSessions } from "../../../layers/inprocess/StoredSessions.ts"

test("a stored session is remembered while it is used, and dropped after at most 100,000 others", () => {
  const sessions = new StoredSessions()
  expect(sessions.has("busy", 1)).toBe(false)
  sessions.add("busy", 1)
  sessions.add("idle", 1)
  for (let index = 0; index < 100_000; index++) {
    sessions.add(String(index), 1)
    if (index % 10_000 === 0) expect(sessions.has("busy", 1)).toBe(true)
  }
  expect([sessions.has("busy", 1), sessions.has("idle", 1), sessions.has("99999", 1)]).toEqual([true, false, true])
})

test("a stored session counts as stored only for events at or after the earliest start that was sent", () => {
  const sessions = new StoredSessions()
  sessions.add("a", 100)
  expect([sessions.has("a", 99), sessions.has("a", 100), sessions.has("a", 101)]).toEqual([false, true, true])
  sessions.add("a", 50)
  sessions.add("a", 70)
  expect([sessions.has("a", 49), sessions.has("a", 50)]).toEqual([false, true])
  sessions.remove("a")
  expect(sessions.has("a", 200)).toBe(false)
})
