import { expect, test } from "bun:test"
import { Cause, Effect, Exit } from "effect"
import { callbackEffect, onFailureDirect, runDirect } from "../../src/lib/callbackEffect.ts"

/** The exit of an effect, and how many fibers it took. */
const observed = <A, E>(effect: Effect.Effect<A, E>) => {
  let fibers = 0
  const { promise, resolve } = Promise.withResolvers<Exit.Exit<A, E>>()
  runDirect(
    effect,
    (forked) => {
      fibers++
      return Effect.runFork(forked)
    },
    resolve
  )
  return promise.then((exit) => ({ exit, fibers }))
}

/** Answers in the next turn. */
const later = <A, E>(exit: Exit.Exit<A, E>) => callbackEffect<A, E>((resume) => setImmediate(() => resume(exit)))

test.each([
  ["what is over already", Effect.succeed(1), { exit: Exit.succeed(1), fibers: 0 }],
  ["what failed already", Effect.fail("no"), { exit: Exit.fail("no"), fibers: 0 }],
  ["an answer to come", later(Exit.succeed(1)), { exit: Exit.succeed(1), fibers: 0 }],
  ["a failure to come", later(Exit.fail("no")), { exit: Exit.fail("no"), fibers: 0 }],
  [
    "an answer at once",
    callbackEffect<number, string>((resume) => resume(Exit.succeed(1))),
    { exit: Exit.succeed(1), fibers: 0 }
  ],
  ["any other effect", Effect.delay(Effect.succeed(1), "1 millis"), { exit: Exit.succeed(1), fibers: 1 }],
  ["a failure of another effect", Effect.delay(Effect.fail("no"), "1 millis"), { exit: Exit.fail("no"), fibers: 1 }],
  ["what is made of an answer", Effect.map(later(Exit.succeed(1)), (n) => n + 1), { exit: Exit.succeed(2), fibers: 1 }]
])("%s is observed", async (_, effect, expected) => {
  expect(await observed<number, string>(effect)).toEqual(expected)
})

test("an answer that can't be asked for is a defect", async () => {
  const { exit } = await observed(
    callbackEffect<void, string>(() => {
      throw new Error("broken")
    })
  )
  expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toEqual(new Error("broken"))
})

test("it is an effect like others, each time anew", async () => {
  let asked = 0
  const effect = callbackEffect<number, never>((resume) => resume(Exit.succeed(++asked)))
  expect(await Effect.runPromise(Effect.all([effect, effect]))).toEqual([1, 2])
})

test.each([
  ["an answer", later(Exit.succeed(1)), 0, 0],
  ["a failure", later(Exit.fail("no")), 1, 0],
  ["another effect", Effect.delay(Effect.succeed(1), "1 millis"), 0, 1],
  ["another effect's failure", Effect.delay(Effect.fail("no"), "1 millis"), 1, 1]
])("something is done when it failed: %s", async (_, effect: Effect.Effect<number, string>, times, fibers) => {
  let failed = 0
  const after = await observed(onFailureDirect(effect, () => failed++))
  expect([failed, after.fibers]).toEqual([times, fibers])
})
