import { expect, test } from "bun:test"
import { StoredSessions } from "../../../layers/inprocess/StoredSessions.ts"

test("a stored session is remembered while it is used, and dropped after at most 100,000 others", () => {
  const sessions = new StoredSessions()
  expect(sessions.has("busy")).toBe(false)
  sessions.add("busy")
  sessions.add("idle")
  for (let index = 0; index < 100_000; index++) {
    sessions.add(String(index))
    if (index % 10_000 === 0) expect(sessions.has("busy")).toBe(true)
  }
  expect([sessions.has("busy"), sessions.has("idle"), sessions.has("99999")]).toEqual([true, false, true])
})
