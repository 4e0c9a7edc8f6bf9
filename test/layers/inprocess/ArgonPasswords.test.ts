import { expect, test } from "bun:test"
import { Effect, Fiber, Redacted } from "effect"
import * as ArgonPasswords from "../../../layers/inprocess/ArgonPasswords.ts"
import { Passwords } from "../../../src/ports/Passwords.ts"
import { allowing } from "../../support/eventually.ts"

const PASSWORD = Redacted.make("correct horse battery")

const withPasswords = <A, E>(use: (passwords: Passwords["Service"]) => Effect.Effect<A, E>) =>
  Effect.runPromise(Effect.flatMap(Passwords, use).pipe(Effect.provide(ArgonPasswords.layer)))

test("a password has its hash, in any Unicode form, and no other password has it", () =>
  withPasswords((passwords) =>
    Effect.gen(function* () {
      const hash = yield* passwords.hash(Redacted.make("cafe\u0301 au lait"))
      expect(hash).toStartWith("$argon2id$v=19$m=19456,t=2,p=1$")
      expect(yield* passwords.verify(Redacted.make("caf\u00e9 au lait"), hash)).toBe(true)
      expect(yield* passwords.verify(Redacted.make("cafe au lait"), hash)).toBe(false)
      for (const wrong of [null, "", "not a hash", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA"]) {
        expect(yield* passwords.verify(PASSWORD, wrong)).toBe(false)
      }
    })
  ))

test("hashing leaves the event loop free", () =>
  withPasswords((passwords) =>
    Effect.gen(function* () {
      let turns = 0
      const ticking = setInterval(() => turns++, 1)
      yield* Effect.all([passwords.hash(PASSWORD), passwords.verify(PASSWORD, null)], { concurrency: 2 })
      clearInterval(ticking)
      expect(turns).toBeGreaterThan(5)
    })
  ))

test("of too many passwords at the same time, those beyond the queue are refused at once, and the others are hashed", () =>
  withPasswords((passwords) =>
    Effect.gen(function* () {
      const attempts = yield* Effect.forEach(Array.from({ length: 100 }), () =>
        Effect.forkChild(Effect.result(passwords.verify(PASSWORD, null)))
      )
      const begin = performance.now()
      const refused = yield* Fiber.join(attempts.at(-1)!)
      expect(performance.now() - begin).toBeLessThan(allowing(500))
      expect(refused).toMatchObject({ _tag: "Failure", failure: { reason: "Busy" } })
      const outcomes = yield* Effect.forEach(attempts, Fiber.join)
      expect(outcomes.filter(({ _tag }) => _tag === "Success")).toHaveLength(42)
      // The queue is free again.
      expect(yield* passwords.verify(PASSWORD, null)).toBe(false)
    })
  ))
