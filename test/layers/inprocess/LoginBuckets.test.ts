import { expect, test } from "bun:test"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as LoginBuckets from "../../../layers/inprocess/LoginBuckets.ts"
import { LoginLimits } from "../../../src/ports/LoginLimits.ts"

const withLimits = <A, E>(use: (limits: LoginLimits["Service"]) => Effect.Effect<A, E>) =>
  Effect.runPromise(
    Effect.flatMap(LoginLimits, use).pipe(Effect.provide(Layer.merge(LoginBuckets.layer, TestClock.layer())))
  )

/** How many attempts in a row are allowed. */
const allowed = (
  limits: LoginLimits["Service"],
  account: (index: number) => string,
  address: (index: number) => string
) =>
  Effect.gen(function* () {
    for (let index = 0; ; index++) {
      if ((yield* limits.attempt(account(index), address(index))) > 0) return index
    }
  })

test("an account has ten attempts from anywhere, then one a minute", () =>
  withLimits((limits) =>
    Effect.gen(function* () {
      const byAda = () =>
        allowed(
          limits,
          () => " Ada@example.com",
          (index) => `198.51.100.${index}`
        )
      expect(yield* byAda()).toBe(10)
      expect(yield* limits.attempt("ada@EXAMPLE.com", "203.0.113.1")).toBe(60)
      yield* TestClock.adjust("61 seconds")
      expect(yield* byAda()).toBe(1)
      expect(yield* limits.attempt("bob@example.com", "203.0.113.1")).toBe(0)
    })
  ))

test("an address has fifty attempts for any accounts, and so has an IPv6 network", () =>
  withLimits((limits) =>
    Effect.gen(function* () {
      const account = (index: number) => `somebody${index}@example.com`
      expect(yield* allowed(limits, account, () => "203.0.113.1")).toBe(50)
      expect(yield* allowed(limits, account, (index) => `2001:db8:1:1::${(index + 1).toString(16)}`)).toBe(50)
      expect(yield* limits.attempt("x@example.com", "2001:db8:1:1:ffff::1")).toBe(5)
      expect(yield* limits.attempt("x@example.com", "2001:db8:1:2::1")).toBe(0)
      yield* TestClock.adjust("10 seconds")
      expect(yield* allowed(limits, account, () => "203.0.113.1")).toBe(2)
    })
  ))

test("a right password does not count", () =>
  withLimits((limits) =>
    Effect.gen(function* () {
      for (let i = 0; i < 100; i++) {
        expect(yield* limits.attempt("ada@example.com", "203.0.113.1")).toBe(0)
        yield* limits.succeeded("ada@example.com", "203.0.113.1")
      }
    })
  ))
