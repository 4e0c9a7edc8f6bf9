import { describe, expect, test } from "bun:test"
import { Cause, Effect, Exit } from "effect"
import {
  allDirect,
  callbackEffect,
  type Fork,
  isDirect,
  onFailureDirect,
  runDirect,
  suspendDirect,
  thenDirect
} from "../../src/lib/callbackEffect.ts"

/** The exit of an effect, and the number of fibers started to run it. */
const run = <A, E>(effect: Effect.Effect<A, E>) => {
  let fibers = 0
  const fork: Fork = (forked) => {
    fibers++
    return Effect.runFork(forked)
  }
  const { promise, resolve } = Promise.withResolvers<Exit.Exit<A, E>>()
  runDirect(effect, fork, resolve)
  return promise.then((exit) => ({ exit, fibers }))
}

/** A direct effect that ends in the next turn of the event loop. */
const later = <A, E>(exit: Exit.Exit<A, E>) => callbackEffect<A, E>((resume) => setImmediate(() => resume(exit)))
const broken = () => {
  throw new Error("broken")
}
const defectOf = (exit: Exit.Exit<unknown, unknown>) => Exit.isFailure(exit) && Cause.squash(exit.cause)

describe("runDirect", () => {
  test.each([
    ["an exit that succeeded", Effect.succeed(1), { exit: Exit.succeed(1), fibers: 0 }],
    ["an exit that failed", Effect.fail("no"), { exit: Exit.fail("no"), fibers: 0 }],
    ["a later success", later(Exit.succeed(1)), { exit: Exit.succeed(1), fibers: 0 }],
    ["a later failure", later(Exit.fail("no")), { exit: Exit.fail("no"), fibers: 0 }],
    [
      "an immediate success",
      callbackEffect<number, string>((resume) => resume(Exit.succeed(1))),
      { exit: Exit.succeed(1), fibers: 0 }
    ],
    ["an ordinary effect", Effect.delay(Effect.succeed(1), "1 millis"), { exit: Exit.succeed(1), fibers: 1 }],
    [
      "an ordinary effect that fails",
      Effect.delay(Effect.fail("no"), "1 millis"),
      { exit: Exit.fail("no"), fibers: 1 }
    ],
    [
      "a direct effect inside an ordinary one",
      Effect.map(later(Exit.succeed(1)), (n) => n + 1),
      { exit: Exit.succeed(2), fibers: 1 }
    ]
  ])("runDirect passes on the exit of %s and forks only for ordinary effects", async (_, effect, expected) => {
    expect(await run<number, string>(effect)).toEqual(expected)
  })

  test("a callback effect whose register function throws ends with that defect", async () => {
    expect(defectOf((await run(callbackEffect<void, string>(broken))).exit)).toEqual(new Error("broken"))
  })
})

test("a callback effect is an ordinary effect too, and registers again each time it runs", async () => {
  let runs = 0
  const effect = callbackEffect<number, never>((resume) => resume(Exit.succeed(++runs)))
  expect(await Effect.runPromise(Effect.all([effect, effect]))).toEqual([1, 2])
})

describe("thenDirect", () => {
  const describeExit = (exit: Exit.Exit<number, string>) =>
    Exit.isSuccess(exit) ? Exit.succeed(`got ${exit.value}`) : later(Exit.succeed("recovered"))

  test.each([
    ["an exit", Exit.succeed(1), "got 1", 0],
    ["an exit that failed", Exit.fail("no"), "recovered", 0],
    ["a direct effect", later(Exit.succeed(1)), "got 1", 0],
    ["a direct effect that fails", later(Exit.fail("no")), "recovered", 0],
    ["an ordinary effect", Effect.delay(Effect.succeed(1), "1 millis"), "got 1", 1],
    ["an ordinary effect that fails", Effect.delay(Effect.fail("no"), "1 millis"), "recovered", 1]
  ])(
    "thenDirect continues after %s, as an ordinary effect or directly",
    async (_, effect: Effect.Effect<number, string>, expected, fibers) => {
      const continued = thenDirect(effect, describeExit)
      expect(await run(continued)).toEqual({ exit: Exit.succeed(expected), fibers })
      expect(await Effect.runPromise(continued)).toBe(expected)
    }
  )

  test.each([
    ["an exit", Exit.succeed(1)],
    ["a direct effect", later(Exit.succeed(1))]
  ])("a continuation of %s that throws becomes a defect", async (_, effect) => {
    const { exit, fibers } = await run(thenDirect(effect, broken))
    expect([defectOf(exit), fibers]).toEqual([new Error("broken"), 0])
  })
})

test.each([
  ["a direct effect that succeeds", later(Exit.succeed(1)), 0, 0],
  ["a direct effect that fails", later(Exit.fail("no")), 1, 0],
  ["an ordinary effect that succeeds", Effect.delay(Effect.succeed(1), "1 millis"), 0, 1],
  ["an ordinary effect that fails", Effect.delay(Effect.fail("no"), "1 millis"), 1, 1]
])(
  "onFailureDirect calls back only if the effect fails: %s",
  async (_, effect: Effect.Effect<number, string>, calls, fibers) => {
    let failures = 0
    const after = await run(onFailureDirect(effect, () => failures++))
    expect([failures, after.fibers]).toEqual([calls, fibers])
  }
)

describe("allDirect", () => {
  test("allDirect starts every effect in order and keeps all exits in the same order", async () => {
    const started: Array<number> = []
    const numbered = (n: number, exit: Exit.Exit<number, string>, wait: boolean) =>
      callbackEffect<number, string>((resume) => {
        started.push(n)
        if (wait) setImmediate(() => resume(exit))
        else resume(exit)
      })
    const { exit, fibers } = await run(
      allDirect([
        numbered(1, Exit.succeed(1), true),
        numbered(2, Exit.fail("no"), false),
        Exit.succeed(3),
        numbered(4, Exit.succeed(4), true)
      ])
    )
    expect(started).toEqual([1, 2, 4])
    expect({ exit, fibers }).toEqual({
      exit: Exit.succeed([Exit.succeed(1), Exit.fail("no"), Exit.succeed(3), Exit.succeed(4)]),
      fibers: 0
    })
  })

  test("allDirect of nothing ends at once", async () => {
    expect(await run(allDirect([]))).toEqual({ exit: Exit.succeed([]), fibers: 0 })
  })
})

describe("suspendDirect", () => {
  test.each([
    ["an exit", Exit.succeed(1), 0],
    ["a direct effect", later(Exit.succeed(1)), 0],
    ["an ordinary effect", Effect.delay(Effect.succeed(1), "1 millis"), 1]
  ])("suspendDirect makes %s each time it is run", async (_, effect, fibers) => {
    let made = 0
    const suspended = suspendDirect(() => {
      made++
      return effect
    })
    expect([made, isDirect(suspended)]).toEqual([0, true])
    expect(await run(suspended)).toEqual({ exit: Exit.succeed(1), fibers })
    expect(await Effect.runPromise(suspended)).toBe(1)
    expect(made).toBe(2)
  })

  test("a suspended effect that cannot be made ends with that defect", async () => {
    const { exit, fibers } = await run(suspendDirect(broken))
    expect([defectOf(exit), fibers]).toEqual([new Error("broken"), 0])
  })
})

test("effects made with the tools of this module are direct, and Effect's combinators end that", () => {
  const effect = later(Exit.succeed(1))
  expect(
    [effect, Exit.succeed(1), thenDirect(effect, (exit) => exit), onFailureDirect(effect, () => {})].map(isDirect)
  ).toEqual([true, true, true, true])
  expect(
    [Effect.map(effect, (n) => n), Effect.suspend(() => effect), Effect.tap(effect, Effect.void)].map(isDirect)
  ).toEqual([false, false, false])
})
