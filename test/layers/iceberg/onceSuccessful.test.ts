import { expect, test } from "bun:test"
import { Effect } from "effect"
import { onceSuccessful } from "../../../layers/iceberg/onceSuccessful.ts"

test("an effect that failed runs again on the next use, and its first success is kept", () =>
  Effect.gen(function* () {
    let runs = 0
    const once = yield* onceSuccessful(
      Effect.suspend(() => (++runs < 3 ? Effect.fail(`failure ${runs}`) : Effect.succeed(`success ${runs}`)))
    )
    expect(yield* Effect.flip(once)).toBe("failure 1")
    expect(yield* Effect.flip(once)).toBe("failure 2")
    expect(yield* once).toBe("success 3")
    expect(yield* once).toBe("success 3")
  }).pipe(Effect.runPromise))

test("concurrent callers share one run", () =>
  Effect.gen(function* () {
    let runs = 0
    const once = yield* onceSuccessful(
      Effect.andThen(
        Effect.yieldNow,
        Effect.sync(() => ++runs)
      )
    )
    const values = yield* Effect.all(
      Array.from({ length: 5 }, () => once),
      { concurrency: "unbounded" }
    )
    expect(values).toEqual([1, 1, 1, 1, 1])
  }).pipe(Effect.runPromise))
