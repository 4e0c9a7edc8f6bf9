import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Asking from "../../src/query/run/Asking.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Asking.Asking>) =>
  Effect.runPromise(effect.pipe(Effect.provide(Asking.layer), Effect.provide(TestClock.layer())))

/** Whether work that waits for quiet goes on within so many seconds, one after the other. */
const goesOnWithin = Effect.fnUntraced(function* (...seconds: ReadonlyArray<number>) {
  const { untilQuiet } = yield* Asking.Asking
  const waiting = yield* Effect.forkChild(untilQuiet)
  const seen: Array<boolean> = []
  for (const one of seconds) {
    yield* TestClock.adjust(one * 1_000)
    seen.push(waiting.pollUnsafe() !== undefined)
  }
  yield* Fiber.interrupt(waiting)
  return seen
})

test("work goes on at once without questions", async () => {
  expect(await run(goesOnWithin(0))).toEqual([true])
})

test("work goes on three seconds after the last question ended, even if that failed", async () => {
  const seen = await run(
    Effect.gen(function* () {
      const { during } = yield* Asking.Asking
      yield* Effect.forkChild(during(Effect.delay(Effect.fail("no"), 5_000)))
      yield* Effect.forkChild(during(Effect.sleep(2_000)))
      yield* TestClock.adjust(0)
      return yield* goesOnWithin(4, 3, 2)
    })
  )
  expect(seen).toEqual([false, false, true])
})

test("work goes on after 30 seconds of questions without a pause", async () => {
  const seen = await run(
    Effect.gen(function* () {
      const { during } = yield* Asking.Asking
      yield* Effect.forkChild(during(Effect.never))
      yield* TestClock.adjust(0)
      return yield* goesOnWithin(29, 2)
    })
  )
  expect(seen).toEqual([false, true])
})
