import { expect, test } from "bun:test"
import { FlushSchedule } from "../../../layers/forward/FlushSchedule.ts"

const LIMITS = { intervalMs: 30_000, batchSize: 10, bytes: 1_000 }

const setUp = (hasBacklog = false) => {
  const clock = { now: 100_000 }
  return { clock, schedule: new FlushSchedule(LIMITS, hasBacklog, () => clock.now) }
}

test("a spool without unflushed bytes is never due", () => {
  const { clock, schedule } = setUp()
  schedule.note("a")
  clock.now += 60_000
  expect([schedule.isDue(0), schedule.isDue(1)]).toEqual([false, true])
})

test("a spool is due when its oldest record has waited for the interval, shortened by the last jitter", () => {
  const { clock, schedule } = setUp()
  schedule.flushBegins()
  schedule.flushSucceeded(0.2)
  schedule.note("a")
  clock.now += 23_999
  schedule.note("a")
  expect([schedule.isDue(2), schedule.lagMs()]).toEqual([false, 23_999])
  clock.now += 1
  expect(schedule.isDue(2)).toBe(true)
})

test("a spool with a backlog from an earlier process is due at once", () => {
  expect(setUp(true).schedule.isDue(1)).toBe(true)
})

test("what a flush left to the next one is due five seconds after it, whether or not records arrive", () => {
  const { clock, schedule } = setUp()
  schedule.note("a")
  clock.now += 30_000
  schedule.flushBegins()
  schedule.flushSucceeded(0, false)
  clock.now += 4_999
  expect([schedule.isDue(1), schedule.lagMs()]).toEqual([false, 34_999])
  clock.now += 1
  expect(schedule.isDue(1)).toBe(true)
  schedule.flushBegins()
  schedule.flushSucceeded(0)
  clock.now += 60_000
  expect([schedule.isDue(1), schedule.lagMs()]).toEqual([false, 0])
})

test("a spool is due when it reaches the size limit", () => {
  const { schedule } = setUp()
  schedule.note("a")
  expect([schedule.isDue(999), schedule.isDue(1_000)]).toEqual([false, true])
})

test("a spool is due when it has the batch size per site, five seconds after the last flush", () => {
  const { clock, schedule } = setUp()
  for (let event = 0; event < 19; event++) schedule.note(event % 2 === 0 ? "a" : "b")
  expect(schedule.isDue(1)).toBe(false)
  schedule.note("b")
  expect(schedule.isDue(1)).toBe(true)
  schedule.flushBegins()
  schedule.flushSucceeded(0)
  for (let event = 0; event < 10; event++) schedule.note("a")
  clock.now += 4_999
  expect(schedule.isDue(1)).toBe(false)
  clock.now += 1
  expect(schedule.isDue(1)).toBe(true)
})

test("after failures, a spool is due again after 1, 2, 4 and at most 30 seconds, with the lag of its oldest record", () => {
  const { clock, schedule } = setUp(true)
  const waits: Array<number> = []
  for (let failure = 0; failure < 7; failure++) {
    schedule.flushBegins()
    schedule.flushFailed()
    let waited = 0
    while (!schedule.isDue(1)) {
      clock.now += 1_000
      waited += 1_000
    }
    waits.push(waited)
  }
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
  expect(schedule.lagMs()).toBe(30_000 + 91_000)
})
