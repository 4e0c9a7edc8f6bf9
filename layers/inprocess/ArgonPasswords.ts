import { Effect, Layer, Redacted, Semaphore } from "effect"
import { Passwords } from "../../src/ports/Passwords.ts"
import { PeopleError } from "../../src/ports/PeopleError.ts"

/** The first recommendation for argon2id in OWASP's Password Storage Cheat Sheet: 19 MiB, two passes. */
const ARGON2ID = { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 } as const
/** Passwords that are hashed at the same time: each takes 19 MiB and one of the threads that Bun also uses for files. */
const CONCURRENCY = 2
/** Passwords that may wait for their turn: 2 s of work on an idle machine. */
const MAX_WAITING = 40

/** The hash of a password that was thrown away. What is verified against it takes as long as against a user's. */
const HASH_OF_NOTHING =
  "$argon2id$v=19$m=19456,t=2,p=1$pLXo7p4uLbJG+Wz4GpZ3LIznv8CIkPROURvh6GyBcB0$WYoGkey572F7blkbvBM7rJvtjN/ziT2tG1g0dJMzj70"

/** Unicode has several ways to write some letters, and keyboards differ in which they produce. */
const normalized = (password: Redacted.Redacted<string>): string => Redacted.value(password).normalize("NFKC")

const busy = new PeopleError({
  reason: "Busy",
  message: "Too many people are signing in at the moment. Try again in a few seconds."
})

/** Hashes with argon2id on Bun's threads, so that the event loop is free meanwhile. */
export const layer: Layer.Layer<Passwords> = Layer.sync(Passwords, () => {
  const turns = Semaphore.makeUnsafe(CONCURRENCY)
  let admitted = 0

  const inTurn = <A>(work: () => Promise<A>): Effect.Effect<A, PeopleError> =>
    Effect.suspend(() => {
      if (admitted >= CONCURRENCY + MAX_WAITING) return Effect.fail(busy)
      admitted++
      // Bun's thread cannot be interrupted, so neither can the turn.
      return turns.withPermit(Effect.uninterruptible(Effect.promise(work))).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            admitted--
          })
        )
      )
    })

  return Passwords.of({
    hash: (password) => inTurn(() => Bun.password.hash(normalized(password), ARGON2ID)),
    verify: (password, hash) =>
      inTurn(async () => {
        // It throws on what is not a hash.
        const matches = await Bun.password.verify(normalized(password), hash ?? HASH_OF_NOTHING).catch(() => false)
        return matches && hash !== null
      })
  })
})
