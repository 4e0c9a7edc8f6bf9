import { expect, test } from "bun:test"
import { Effect, Exit } from "effect"
import { deadline } from "../../src/lib/deadline.ts"

const late = { duration: "20 millis", orElse: () => Effect.succeed("too late") } as const

test("deadline passes on the result of an effect that ends in time", async () => {
  expect(await Effect.runPromise(deadline(late)(Effect.succeed("done")))).toBe("done")
})

test("deadline passes on the failure of an effect that ends in time", async () => {
  expect(await Effect.runPromiseExit(deadline(late)(Effect.fail("broken")))).toEqual(Exit.fail("broken"))
})

test("deadline interrupts an effect that takes too long", async () => {
  let interrupted = false
  const slow = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))
  expect(await Effect.runPromise(deadline(late)(slow))).toBe("too late")
  expect(interrupted).toBe(true)
})

test("deadline does not wait for an effect that ignores interruption", async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const stubborn = Effect.uninterruptible(Effect.promise(() => promise))
  expect(await Effect.runPromise(deadline(late)(stubborn))).toBe("too late")
  resolve()
})

test("interrupting a deadline interrupts the effect", async () => {
  const { promise, resolve } = Promise.withResolvers<string>()
  const slow = Effect.onInterrupt(Effect.never, () => Effect.sync(() => resolve("interrupted")))
  const fiber = Effect.runFork(deadline({ duration: "1 minute", orElse: () => Effect.void })(slow))
  await Effect.runPromise(Effect.sleep("5 millis"))
  fiber.interruptUnsafe()
  expect(await promise).toBe("interrupted")
})
